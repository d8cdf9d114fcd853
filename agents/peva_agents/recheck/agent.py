"""The agent of a re-check."""

from collections.abc import Callable, Mapping
from typing import Any

from peva_agents.policy_agent import PolicyAgent
from peva_agents.recheck.policy import RecheckPolicy
from peva_env.config import DfaasConfig
from peva_env.contracts import CampaignView, Tensors
from peva_env.errors import PolicyError
from peva_env.planning import Candidates
from peva_env.space import ConfigSpace


class RecheckAgent(PolicyAgent):
    """Re-checks an earlier map; ends when it is known again, or what has become of it. The seed is the configuration's.

    Args:
        config: the campaign's configuration.
        before: see ``RecheckPolicy``.
        has_changed: see ``RecheckPolicy``.
        completes: see ``RecheckPolicy``.
        name: name of the agent in the memory.
    """

    policy: RecheckPolicy

    def __init__(
        self,
        config: DfaasConfig | None = None,
        before: Tensors | None = None,
        *,
        has_changed: Callable[[], bool] = lambda: True,
        completes: bool = False,
        name: str = "recheck",
    ) -> None:
        seed = config.seed if config else None
        policy = RecheckPolicy(before, seed, has_changed=has_changed, completes=completes)
        super().__init__(policy, name=name, seed=seed)

    def require_space(self, space: ConfigSpace) -> None:
        """Check that the certificate of a map of this space can be computed.

        Raises:
            PolicyError: the space is too large.
        """
        if not space.is_dense:
            raise PolicyError(f"agent {self.name}: {space.n_configs:,} configurations are too many; give fewer rates")

    def begin(self, campaign: CampaignView) -> None:
        """Read the earlier map and attach the policy.

        Raises:
            PolicyError: there is no earlier map of the plan, or the campaign infers one-sidedly.
        """
        if campaign.policy_context().dominance == "one_sided":
            raise PolicyError(
                f"agent {self.name}: dominance one_sided lets an OK configuration prove only itself; set within_sets"
            )
        super().begin(campaign)

    def _candidates(self, info: Mapping[str, Any]) -> Candidates:
        return self.policy.worth_measuring(super()._candidates(info))
