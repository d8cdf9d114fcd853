"""Episodes of an agent as a Minari dataset, which ``minari.load_dataset`` reads.

An episode of ``T`` steps has ``T + 1`` observations and as many rows of ``infos``: ``action_mask`` (T + 1, N) int8 is 1
where an action is legal, so that row ``t`` is the mask under which action ``t`` was chosen, and ``log_prob`` (float32)
the log-probability of that action under the behaviour; its last row is 0. The others are those of the step before that
row: ``n_unknown``, ``n_resolved``, ``n_runs`` (int64), ``cost_s`` (float64), ``verdict`` (int8, -1 OK, 1 overloaded, 0
without one), and of its last run ``rates_rps`` (T + 1, F) int32, ``measurement`` (T + 1, V) float32 and
``measurement_mask`` int8 as in the observation of the map, and ``mean_latency_ms`` (T + 1, F) float32, 0 where not
measured. Masks are recorded because observations do not show which configurations a recording lacks.

int8 parts of observations are stored as int32, which TorchRL reads; the values are the same. Arrays are compressed, and
the features of candidates lose bits that are noise (``peva_env.datasets.compact``).

The metadata of an episode are ``behaviour`` (the name of its agent), ``seed``, ``status``, ``n_unknown`` at the end,
``n_runs``, Minari's summary of the rewards (``rewards_sum`` is the return), and ``scenario`` if there are several.

In the candidate view the metadata of the dataset have ``features``: the names of the numbers of ``candidates`` and
``context``, in their order.

Minari is imported when a dataset is written. Its ``DataCollector`` is not used, because it needs jax to append a step.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import Any

import gymnasium
import numpy as np

from peva_env import __version__
from peva_env.contracts import Agent, EndStatus
from peva_env.datasets.behaviour import Behaviour
from peva_env.datasets.compact import make_compact, readable_space
from peva_env.datasets.recorder import Recorder
from peva_env.errors import ConfigError, PevaError, PolicyError
from peva_env.system import install_text, require_writable, uninterrupted

type Drive = Callable[..., Any]
"""Lets an agent drive an environment from ``seed`` to the end, as the loop of ``campaign_loop`` does."""

_ID = re.compile(r"(?![-\w]/[-\w]+$)([-\w]+/)*[-\w]+-v\d+", re.ASCII)  # Minari refuses a namespace of one letter
_NEEDED = ("minari", "h5py", "PIL")

FEATURES_KEY = "features"
"""The key of a dataset's metadata that holds the names of the features of each part of an observation."""

_FORMAT = "hdf5"
"""Minari's default format, which other libraries read without Minari."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The path and the size of a dataset that was written."""

    path: Path
    n_episodes: int
    n_steps: int
    size_bytes: int


class MinariDataset:
    """A dataset that is written aside, and moved to the folder of its id when it is complete.

    Args:
        dataset_id: ``name-v0``, or with namespaces ``peva/sim-v0``.
        force: replace the dataset of that id, if there is one.

    Raises:
        ConfigError: Minari is not installed, the id cannot be used, or there is a dataset of that id already.
        PevaError: the folder of Minari's datasets cannot be written to.
    """

    def __init__(self, dataset_id: str, *, force: bool = False) -> None:
        self._minari = require_minari("--minari")
        self.id = dataset_id
        self._root = _writable_root(self._minari, dataset_id)
        self._folder = self._root / _checked(dataset_id, self._root) / "data"
        if self._folder.exists() and not force:
            raise ConfigError(f"--minari {dataset_id}: there is such a dataset already; --force replaces it")

    def write(
        self,
        env: gymnasium.Env[Any, Any],
        drive: Drive,
        make_agent: Callable[[int], Agent],
        *,
        n_episodes: int,
        seed: int,
        algorithm: str,
        description: str,
        epsilon: float = 0.0,
        features: Mapping[str, Sequence[str]] | None = None,
    ) -> Exported:
        """Let agents play an episode each, with the seeds ``seed``, ``seed + 1`` and so on, and write the episodes.

        Agents take legal actions only, and with probability ``epsilon`` one of all legal actions. ``features`` are the
        names of the features in parts of an observation.

        Raises:
            PevaError: an episode cannot be run to its end, or has no step. Nothing is written then, nor after Ctrl-C.
        """
        recorder = Recorder(env)
        stored = readable_space(env.observation_space)  # type: ignore[arg-type]
        with self._aside() as folder:
            storage = self._minari.dataset.minari_storage.MinariStorage.new(
                folder, stored, env.action_space, env.spec, data_format=_FORMAT
            )
            for number in range(n_episodes):
                behaviour = Behaviour(make_agent(seed + number), env, epsilon=epsilon, seed=seed + number)
                result = drive(recorder, behaviour, seed=seed + number)
                if not recorder.actions:
                    raise PolicyError(f"episode {number}: the agent made no step; an episode needs at least one")
                if result.status is EndStatus.STOPPED:  # after its last step: the reward of that belongs to this step
                    recorder.rewards[-1] += result.total_reward - sum(recorder.rewards)
                storage.update_episodes([self._buffer(recorder, behaviour, stored, number, seed + number)])
                storage.update_episode_metadata([self._metadata(recorder, behaviour, result)], [number])
            for file in folder.glob("*.hdf5"):
                make_compact(file)
            storage.update_metadata(
                {
                    "dataset_size": storage.get_size(),
                    "dataset_id": self.id,
                    "minari_version": self._minari.__version__,
                    "algorithm_name": algorithm,
                    "description": description,
                    "requirements": [f"peva-env>={__version__}"],
                    **({FEATURES_KEY: {part: list(names) for part, names in features.items()}} if features else {}),
                }
            )
            n_steps = storage.total_steps
            self._move_in(folder)
        size_bytes = sum(path.stat().st_size for path in self._folder.iterdir())
        return Exported(self._folder.parent, n_episodes, n_steps, size_bytes)

    @contextmanager
    def _aside(self) -> Iterator[Path]:
        """Yield a folder beside the datasets that Minari does not list; it is removed at the end."""
        folder = Path(tempfile.mkdtemp(prefix=".peva-env-", dir=self._root))
        try:
            yield folder / "data"
        finally:
            with uninterrupted():
                shutil.rmtree(folder)

    def _move_in(self, written: Path) -> None:
        """Move a complete dataset to the folder of its id; a replaced dataset is removed with the folder aside."""
        with uninterrupted():
            self._make_namespace()
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            replaced = written.with_name("replaced")
            if self._folder.exists():
                self._folder.rename(replaced)
            try:
                written.rename(self._folder)
            except OSError:
                if replaced.exists():
                    replaced.rename(self._folder)
                raise

    def _make_namespace(self) -> None:
        namespace = self.id.rpartition("/")[0]
        if namespace and namespace not in self._minari.namespace.list_local_namespaces():
            self._minari.namespace.create_namespace(namespace)

    def _buffer(
        self, episode: Recorder, behaviour: Behaviour, stored: gymnasium.spaces.Dict, number: int, seed: int
    ) -> Any:
        terminations, truncations = (list(flags) for flags in zip(*episode.ends, strict=True))
        truncations[-1] |= not terminations[-1]  # an agent without further actions ends its episode, too
        return self._minari.data_collector.episode_buffer.EpisodeBuffer(
            id=number,
            seed=seed,
            observations=episode.observation_arrays({name: part.dtype for name, part in stored.items()}),
            actions=np.stack(episode.actions).astype(np.int64),
            rewards=episode.rewards,
            terminations=terminations,
            truncations=truncations,
            infos=episode.info_arrays(behaviour.log_probs),
        )

    def _metadata(self, episode: Recorder, behaviour: Behaviour, result: Any) -> dict[str, Any]:
        first, last = episode.infos[0], episode.infos[-1]
        rewards = self._minari.EpisodeMetadataCallback()({"rewards": np.array(episode.rewards)})
        scenario = {"scenario": first["scenario"]} if "scenario" in first else {}
        counts = {"n_unknown": int(last["n_unknown"]), "n_runs": int(result.n_runs)}
        return {"behaviour": behaviour.name, "status": str(result.status), **counts, **rewards, **scenario}


def _writable_root(minari: Any, dataset_id: str) -> Path:
    """Return the folder of Minari's datasets, after a file could be created in it."""
    try:
        root = Path(minari.storage.datasets_root_dir.get_dataset_path())  # makes it
        require_writable(root)
    except OSError as error:
        where = os.environ.get("MINARI_DATASETS_PATH", "~/.minari/datasets")
        raise PevaError(
            f"--minari {dataset_id}: the folder of datasets, {where}, cannot be written to: {error.strerror}; set "
            "MINARI_DATASETS_PATH to another folder"
        ) from error
    return root


def require_minari(option: str) -> Any:
    """Return the module of Minari for an option of a command.

    Raises:
        ConfigError: it is not installed, or its folder of datasets has no name.
    """
    if os.environ.get("MINARI_DATASETS_PATH") == "":
        raise ConfigError(
            f"{option}: MINARI_DATASETS_PATH is empty; set it to a folder, or unset it for ~/.minari/datasets"
        )
    try:
        for name in _NEEDED:
            import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"{option} needs Minari, which is not installed ({error}): {install_text('minari')}"
        ) from error
    return import_module("minari")


def _checked(dataset_id: str, root: Path) -> PurePosixPath:
    """Return the path of a dataset, relative to the folder of all datasets."""
    if not _ID.fullmatch(dataset_id):
        raise ConfigError(
            f"--minari {dataset_id!r}: must be NAME-vN or NAMESPACE/NAME-vN, for example peva/sim-v0; "
            "a namespace has two letters or more"
        )
    path = PurePosixPath(dataset_id)
    for above in path.parents:
        if (root / above / "data").exists():
            raise ConfigError(f"--minari {dataset_id}: {above} is a dataset, so that nothing can be put below it")
    if any(child.name != "data" for child in (root / path).glob("*")):
        raise ConfigError(f"--minari {dataset_id}: is a namespace, in which there are datasets; give another id")
    return path
