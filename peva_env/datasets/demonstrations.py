"""A Minari dataset as demonstrations: what an agent saw, what it chose, and what it could have chosen.

``peva_env.datasets.minari`` writes such datasets, and documents them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

from peva_env.datasets.minari import FEATURES_KEY, require_minari
from peva_env.errors import ConfigError

_OPTION = "--demos"
_EXPORT = "peva-env export --minari peva/demos-v0 --sim random --agent learnt --episodes 200 --view candidates"
"""A command that writes what can be learned from."""

_OUR_IDS = "peva/Faas"
_METADATA = "metadata.json"
_MASK = "action_mask"


class Demonstrated(NamedTuple):
    """``n`` steps: observations as arrays of ``n`` rows, actions (n,), and the masks of legal actions (n, N)."""

    observations: Mapping[str, NDArray[Any]]
    actions: NDArray[np.int64]
    masks: NDArray[np.bool_]


class Demonstrations:
    """A dataset of episodes on an environment of peva-env.

    Args:
        dataset: the id of a local dataset, or a folder.

    Raises:
        ConfigError: Minari is not installed, there is no such dataset, it cannot be read, it is of an environment that
            is not peva-env's, or it holds no masks or no steps.
    """

    def __init__(self, dataset: str) -> None:
        minari = require_minari(_OPTION)
        self.name = dataset
        root = Path(minari.storage.datasets_root_dir.get_dataset_path())
        folder = _data_folder(dataset, root)
        try:
            told = json.loads((folder / _METADATA).read_text(encoding="utf-8"))
            self._require_ours(json.loads(told.get("env_spec") or "{}"))
            self._episodes = minari.MinariDataset(folder)
        except ConfigError:
            raise
        except Exception as error:  # Minari asserts, and h5py has errors of its own
            raise self._refused(f"cannot be read by Minari {minari.__version__}: {error!r:.200}") from error
        self.features: Mapping[str, list[str]] | None = told.get(FEATURES_KEY)
        self.n_steps = int(self._episodes.total_steps)
        if not self.n_steps:
            raise self._refused("holds no steps")
        self._mask(self._episodes[0])

    @property
    def observation_space(self) -> gymnasium.Space[Any]:
        """The space of its observations; the int8 parts of the environment's are int32."""
        space: gymnasium.Space[Any] = self._episodes.observation_space
        return space

    @property
    def action_space(self) -> gymnasium.Space[Any]:
        """The space of its actions."""
        space: gymnasium.Space[Any] = self._episodes.action_space
        return space

    def steps(self, at_most: int, seed: int) -> Demonstrated:
        """Return the steps whose actions are legal, or about ``at_most`` of them, drawn evenly.

        Raises:
            ConfigError: an episode has no masks, or no action is legal.
        """
        rng, share = np.random.default_rng(seed), at_most / self.n_steps
        parts = []
        for episode in self._episodes:
            mask, actions = self._mask(episode), np.asarray(episode.actions)
            kept = mask[np.arange(len(actions)), actions] & (rng.random(len(actions)) < share)
            observations = {name: rows[:-1][kept] for name, rows in episode.observations.items()}
            parts.append(Demonstrated(observations, actions[kept], mask[kept]))
        if not any(len(part.actions) for part in parts):
            raise self._refused(f"none of its actions is legal by infos[{_MASK!r}]")
        names = parts[0].observations
        observations = {name: np.concatenate([part.observations[name] for part in parts]) for name in names}
        actions, masks = (np.concatenate(columns) for columns in list(zip(*parts, strict=True))[1:])
        return Demonstrated(observations, actions, masks)

    def _mask(self, episode: Any) -> NDArray[np.bool_]:
        """Return the masks under which the actions of an episode were chosen, (T, N)."""
        mask = np.asarray((episode.infos or {}).get(_MASK, ()))
        n_actions = getattr(self.action_space, "n", None)
        if mask.ndim != 2 or len(mask) < len(episode.actions) or mask.shape[1] != n_actions:
            raise self._refused(f"has no masks of its actions, infos[{_MASK!r}] of (T + 1, {n_actions})")
        return mask[: len(episode.actions)].astype(np.bool_)

    def _require_ours(self, env_spec: Mapping[str, Any]) -> None:
        env_id = env_spec.get("id")
        if not str(env_id).startswith(_OUR_IDS):
            raise self._refused(f"is of {env_id or 'an environment that it does not name'}, not of peva-env")

    def _refused(self, problem: str) -> ConfigError:
        return ConfigError(f"{_OPTION} {self.name}: {problem}; what would do: {_EXPORT}")


def _data_folder(dataset: str, root: Path) -> Path:
    """Return the folder of a dataset's data."""
    for folder in (Path(dataset), Path(dataset) / "data", root / dataset / "data"):
        if (folder / _METADATA).is_file():
            return folder
    raise ConfigError(
        f"{_OPTION} {dataset}: there is no such folder, nor a dataset of that id in {root}; what would do: {_EXPORT}"
    )
