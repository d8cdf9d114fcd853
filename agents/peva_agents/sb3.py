"""A trained model as an agent: for every space, or for every space of the shape that the model was trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from peva_agents.models import (
    CampaignRows,
    artefact,
    best_legal,
    load_policy,
    load_scores,
    same_shape,
    signature,
    signature_text,
)
from peva_env.config import DfaasConfig
from peva_env.contracts import CampaignView
from peva_env.errors import PolicyError, PolicyLoadError
from peva_env.space import ConfigSpace
from peva_env.views import CANDIDATES


class _Player(Protocol):
    """Plays one campaign with a model."""

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:
        """Return the best legal action, or None without a legal action."""
        ...


class SB3Agent:
    """Takes the best legal action by the policy in a file of ``peva-env train``.

    A model that sees candidates plays on every space, and needs no PyTorch. A model that sees the map plays on spaces
    of the shape that it was trained on; PyTorch is imported, and the policy built, when a campaign begins. Known
    configurations are never measured again, even by an algorithm that was trained without masks.

    Raises:
        PolicyLoadError: the file does not exist, is not a model of ``peva-env train``, or sees what this version does
            not show.
    """

    def __init__(self, config: DfaasConfig | None = None, path: Path | str | None = None) -> None:
        if path is None:
            raise PolicyLoadError("the agent sb3 is a model of peva-env train: name its file, as in --agent model.zip")
        self._path = Path(path)
        self._artefact = artefact(self._path)
        self._seed = (config.seed if config else None) or 0
        self.dominance: str = self._artefact["config"]["dominance"]
        self.name = f"sb3:{self._artefact['config']['algo']}"

    def require_space(self, space: ConfigSpace) -> None:
        """Check that the model plays on a space: a model that sees the map does so only on one of its shape.

        Raises:
            PolicyError: the space has another shape.
        """
        trained, found = self._artefact["space"], signature(space)
        if not self._sees_candidates and not same_shape(trained, found):
            raise PolicyError(
                f"{self._path} was trained on {signature_text(trained)}, but this campaign has "
                f"{signature_text(found)}; train a model on a space of this shape, or with --view candidates"
            )

    def begin(self, campaign: CampaignView) -> None:
        """Load the model for the campaign.

        Raises:
            PolicyError: the model does not play on this space, or cannot be loaded.
        """
        space = campaign.policy_context().space
        self.require_space(space)
        self._player: _Player
        if self._sees_candidates:
            self._player = _CandidatePlayer(self._path, campaign, self._artefact["view"]["k"], self._seed)
            campaign.attach_policy(self._player.rows, agent=self.name)
        else:
            self._player = _MapPlayer(self._path, space)

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:
        """Return the best legal action, or None without a legal action."""
        return self._player.act(observation, info)

    @property
    def _sees_candidates(self) -> bool:
        return bool(self._artefact["view"]["name"] == CANDIDATES)


class _MapPlayer:
    """Plays by a policy that sees the map."""

    def __init__(self, path: Path, space: ConfigSpace) -> None:
        self._policy = load_policy(path, space)
        self._n_configs = space.n_configs

    def act(self, observation: Any, info: Mapping[str, Any]) -> int | None:
        """Return the best legal action, or None without a legal action."""
        mask = np.asarray(info["action_mask"])[: self._n_configs]  # without *stop*
        if not mask.any():
            return None
        return int(best_legal(self._policy, {name: value[None] for name, value in observation.items()}, mask[None])[0])


class _CandidatePlayer:
    """Plays by a network that scores candidates."""

    def __init__(self, path: Path, campaign: CampaignView, k: int, seed: int) -> None:
        self._scores = load_scores(path)
        self._campaign = campaign
        self.rows = CampaignRows(campaign, k, seed)

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:  # noqa: ARG002
        """Return the action of the candidate with the highest score, or None without a candidate."""
        scores = self._scores(self.rows.look(observation))
        config = self.rows.config(int(scores[0].argmax()))
        return None if config is None else self._campaign.action(config)
