"""A trained model as an agent, for every space of the shape that the model was trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from peva_agents.models import artefact, best_legal, load_policy, same_shape, signature, signature_text
from peva_env.config import DfaasConfig
from peva_env.contracts import CampaignView
from peva_env.errors import PolicyError, PolicyLoadError
from peva_env.space import ConfigSpace


class SB3Agent:
    """Takes the best legal action by the policy in a file of ``peva-env train``.

    The environment's mask excludes illegal actions, even for an algorithm that was trained without masks, so that no
    step is a no-op. The agent is deterministic. PyTorch is imported, and the policy built, when a campaign begins.

    Raises:
        PolicyLoadError: the file does not exist, or is not a model of ``peva-env train``.
    """

    def __init__(self, config: DfaasConfig | None = None, path: Path | str | None = None) -> None:  # noqa: ARG002
        if path is None:
            raise PolicyLoadError("the agent sb3 is a model of peva-env train: name its file, as in --agent model.zip")
        self._path = Path(path)
        self._artefact = artefact(self._path)
        self.dominance: str = self._artefact["config"]["dominance"]
        self.name = f"sb3:{self._artefact['config']['algo']}"

    def require_space(self, space: ConfigSpace) -> None:
        """Check that a space has the shape of the space that the model was trained on.

        Raises:
            PolicyError: the space has another shape.
        """
        trained, found = self._artefact["space"], signature(space)
        if not same_shape(trained, found):
            raise PolicyError(
                f"{self._path} was trained on {signature_text(trained)}, but this campaign has "
                f"{signature_text(found)}; train a model on a space of this shape"
            )

    def begin(self, campaign: CampaignView) -> None:
        """Build the policy for the campaign's space.

        Raises:
            PolicyError: the model was trained on a space of another shape.
        """
        space = campaign.policy_context().space
        self.require_space(space)
        self._policy = load_policy(self._path, space)
        self._n_configs = space.n_configs

    def act(self, observation: Any, info: Mapping[str, Any]) -> int | None:
        """Return the best legal action, or None without a legal action."""
        mask = np.asarray(info["action_mask"])[: self._n_configs]  # without *stop*
        if not mask.any():
            return None
        return int(best_legal(self._policy, {name: value[None] for name, value in observation.items()}, mask[None])[0])
