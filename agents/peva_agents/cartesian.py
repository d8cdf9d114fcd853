"""The baseline: every configuration in plan order, as PEVA-FAAS did."""

from peva_agents.policy_agent import PolicyAgent
from peva_env.config import DfaasConfig
from peva_env.planning import CartesianScheduler, load_policy_algorithm


class CartesianAgent(PolicyAgent):
    """Walks the plan in its order and leaves out known configurations.

    The configuration's ``algorithm_entrypoint``, if there is one, chooses within each batch of ``micro_batch_size``.
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
