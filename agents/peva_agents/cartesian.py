"""The baseline: every configuration in plan order, as PEVA-FAAS did."""

from peva_agents.policy_agent import PolicyAgent
from peva_env.config import DfaasConfig
from peva_env.planning import CartesianScheduler, load_policy_algorithm


class CartesianAgent(PolicyAgent):
    """Proposes the configurations in plan order, without the known ones.

    If the configuration file sets ``algorithm_entrypoint``, this policy chooses within each batch of
    ``micro_batch_size`` configurations.
    """

    dominance = "one_sided"

    def __init__(self, config: DfaasConfig | None = None) -> None:
        config = config or DfaasConfig()
        super().__init__(
            load_policy_algorithm(config.algorithm_entrypoint),
            CartesianScheduler(),
            batch_size=config.micro_batch_size,
            name=config.algorithm_entrypoint or "cartesian",
        )
