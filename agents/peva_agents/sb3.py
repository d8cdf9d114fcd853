"""A trained model as an agent: for every space, or for every space of the shape that the model was trained on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from peva_agents.models import (
    CampaignRows,
    CandidateScores,
    Noise,
    artefact,
    best_legal,
    gumbel,
    load_policy,
    load_scores,
    same_shape,
    signature,
    signature_text,
)
from peva_env.config import DfaasConfig
from peva_env.contracts import CampaignView
from peva_env.errors import PolicyError, PolicyLoadError
from peva_env.observation import Observation
from peva_env.space import ConfigSpace
from peva_env.views import CANDIDATES

_COMPARED = 512
"""Candidates among which the best is taken. Scores need no fixed number, and the best of more is better: on nodes of
four functions two models needed 3 and 7 % fewer runs than with the 64 of their training."""


class _Player(Protocol):
    """Plays one campaign with a model."""

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:
        """Return the best legal action, or None without a legal action."""
        ...


class SB3Agent:
    """Takes the best legal action by the policy in a file of ``peva-env train``.

    A model that sees candidates plays on every space, and needs no PyTorch; it compares more candidates than it was
    trained with, unless it draws its actions. A model that sees the map plays on spaces
    of the shape that it was trained on; PyTorch is imported, and the policy built, when a campaign begins. Known
    configurations are never measured again, even by an algorithm that was trained without masks.

    Args:
        config: the campaign's configuration; its seed is that of the candidates and of the draws.
        path: the model's file.
        samples: whether to draw each action with the probability that the policy gives it, instead of the best one.

    Raises:
        PolicyLoadError: the file does not exist, is not a model of ``peva-env train``, or sees what this version does
            not show.
    """

    def __init__(
        self, config: DfaasConfig | None = None, path: Path | str | None = None, *, samples: bool = False
    ) -> None:
        if path is None:
            raise PolicyLoadError("the agent sb3 is a model of peva-env train: name its file, as in --agent model.zip")
        self._path = Path(path)
        self._artefact = artefact(self._path)
        self._seed = (config.seed if config else None) or 0
        self._samples = samples
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
        noise = gumbel(self._seed) if self._samples else None
        self._player: _Player
        if self._sees_candidates:
            k = self._artefact["view"]["k"]
            rows = CampaignRows(campaign, k if self._samples else max(k, _COMPARED), self._seed)
            campaign.attach_policy(rows, agent=self.name)
            self._player = _CandidatePlayer(load_scores(self._path), campaign, rows, noise)
        else:
            self._player = _MapPlayer(load_policy(self._path, space), space.n_configs, noise)

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:
        """Return the best legal action, or None without a legal action."""
        return self._player.act(observation, info)

    def choose_row(self, observation: Any, info: Mapping[str, Any]) -> int | None:
        """Return the best row of an observation of the candidate view, or None without a candidate.

        Raises:
            PolicyError: the model sees the map.
        """
        if not isinstance(self._player, _CandidatePlayer):
            raise PolicyError(
                f"{self._path} sees the map, but this environment shows candidates; leave out --view candidates, or "
                "train a model without --view map"
            )
        return self._player.choose_row(observation, info)

    @property
    def _sees_candidates(self) -> bool:
        return bool(self._artefact["view"]["name"] == CANDIDATES)


class _MapPlayer:
    """Plays by a policy that sees the map."""

    def __init__(self, policy: Any, n_configs: int, noise: Noise | None) -> None:
        self._policy, self._n_configs, self._noise = policy, n_configs, noise

    def act(self, observation: Any, info: Mapping[str, Any]) -> int | None:
        """Return the best legal action, or None without a legal action."""
        mask = np.asarray(info["action_mask"])[: self._n_configs]  # without *stop*
        if not mask.any():
            return None
        batch = {name: value[None] for name, value in observation.items()}
        return int(best_legal(self._policy, batch, mask[None], self._noise)[0])


class _CandidatePlayer:
    """Plays by a network that scores candidates."""

    def __init__(
        self, scores: CandidateScores, campaign: CampaignView, rows: CampaignRows, noise: Noise | None
    ) -> None:
        self._scores, self._campaign, self._rows, self._noise = scores, campaign, rows, noise

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:  # noqa: ARG002
        """Return the action of the candidate with the highest score, or None without a candidate."""
        config = self._rows.config(self._best(self._rows.look(observation)))
        return None if config is None else self._campaign.action(config)

    def choose_row(self, observation: Any, info: Mapping[str, Any]) -> int | None:
        """Return the row with the highest score in an observation of the view, or None without a candidate."""
        if not np.any(info["action_mask"]):
            return None
        return self._best({name: values[None] for name, values in observation.items()})

    def _best(self, observation: Observation) -> int:
        scores = self._scores(observation)
        return int((scores if self._noise is None else scores + self._noise(scores.shape))[0].argmax())
