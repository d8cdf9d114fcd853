"""Replay: episodes in which measuring draws among what was recorded of a configuration.

Notation: ``S`` scenarios of ``N`` configurations each; ``n`` episodes; ``K`` recorded runs (*places*), sorted by
scenario and configuration, so that those of one configuration stand side by side; ``V`` values of a measurement.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import ExecutionEvent
from peva_env.errors import ConfigError
from peva_env.memory import DEFAULT_SCHEMA_VERSION
from peva_env.memory.parquet import Recording, StoredEvents, load_recording
from peva_env.sources.episodes import Indices, Outcomes, Seeds, uniforms
from peva_env.sources.replay.maps import RecordedMap, recorded_maps, selected, shared_spaces
from peva_env.sources.replay.runs import RecordedRuns, lay_out
from peva_env.space import Config, ConfigSpace


class ReplayWorld:
    """A ``World`` of recordings: a scenario is a recorded map, and what has no record is masked for ever.

    Args:
        folders: one core Parquet folder or several, as ``peva-env memory export --core`` writes them.
        scenarios: names of maps, or how their names begin (``LIGHT`` for all of that node); None for all.
        schema_version: the label that the folders must carry.

    Raises:
        ConfigError: there is no such folder or scenario, nothing valid is in them, the maps do not go together, or what
            was asked for has one verdict only.
        MemoryStoreError: a file cannot be read, or is of another schema.
    """

    def __init__(
        self,
        folders: str | Path | Sequence[str | Path],
        *,
        scenarios: Sequence[str] | None = None,
        schema_version: str = DEFAULT_SCHEMA_VERSION,
    ) -> None:
        self._recording = load_recording(folders, schema_version=schema_version)
        self._maps = _with_both_verdicts(self._recording, scenarios)
        self._spaces = shared_spaces(self._maps)
        self._runs = lay_out(self._recording.rows, self._maps, self._spaces)
        self._stored: dict[str, StoredEvents] = {}

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The maps' names, ``NODE:a+b``."""
        return tuple(one.name for one in self._maps)

    def space(self, scenario: int) -> ConfigSpace:
        """Return the configurations of a scenario; its rates are those that any scenario has at that position."""
        return self._spaces[scenario]

    def recorded(self, scenarios: Indices) -> NDArray[np.bool_]:
        """Return which configurations have a record, (n, N)."""
        return self._runs.recorded.take(scenarios, axis=0)

    def majority_labels(self, scenario: int) -> NDArray[np.int8]:
        """Return what most recorded runs say of each configuration, (N,): -1 OK, 1 overloaded, 0 no record."""
        return self._runs.majority(scenario)

    def begin(self, seeds: Seeds, scenarios: Indices) -> "ReplayEpisodes":
        """Begin ``n`` episodes, each of a scenario, all chance in it being its seed's."""
        return ReplayEpisodes(self._runs, np.array(seeds, np.uint64), np.array(scenarios, np.int64))

    def source(self, seed: int, scenario: int) -> "ReplaySource":
        """Return what measures in one episode, as the recorded events in full."""
        return ReplaySource(self, seed, scenario)

    def event(self, seed: int, scenario: int, index: int, iteration: int) -> ExecutionEvent | None:
        """Return the event whose numbers ``outcomes`` gives for a configuration, or None where nothing is recorded."""
        place = self.begin(np.array([seed], np.uint64), np.array([scenario])).places(np.array([index]), iteration)[0]
        if place == self._runs.nowhere:
            return None
        context_hash = self._maps[scenario].context_hash
        if context_hash not in self._stored:
            self._stored[context_hash] = self._recording.stored(context_hash)
        return self._stored[context_hash].event(int(self._runs.rows[place]))


@dataclass(frozen=True, slots=True)
class ReplayEpisodes:
    """Episodes on recordings, side by side. Measuring does not change them: a draw hangs on its own counters alone."""

    runs: RecordedRuns
    seeds: Seeds  # (n,)
    scenarios: Indices  # (n,)

    def outcomes(self, indices: Indices, iteration: int = 0) -> Outcomes:
        """Return a recorded run of configuration ``indices[i]`` for each episode ``i``; label 0 where there is none."""
        return self.runs.outcomes(self.places(indices, iteration))

    def places(self, indices: Indices, iteration: int) -> Indices:
        """Return which recorded run is drawn for each episode, (n,)."""
        return self.runs.draw(self.scenarios, indices, uniforms(self.seeds, indices, 0), iteration)

    def adopt(self, where: Indices, others: "ReplayEpisodes") -> None:
        """Replace the episodes at ``where`` (k,) by those that as many others of the same world have there."""
        self.seeds[where] = others.seeds[where]
        self.scenarios[where] = others.scenarios[where]


@dataclass(frozen=True, slots=True)
class ReplaySource:
    """Measures in one episode on a recording: gives recorded events in full."""

    world: ReplayWorld
    seed: int
    scenario: int

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:  # noqa: ARG002
        """Return a recorded run of a configuration. Chance is the episode's own: ``rng`` is not used.

        Raises:
            ConfigError: nothing is recorded of this configuration.
        """
        space = self.world.space(self.scenario)
        index = space.index(config) if config in space else None
        event = None if index is None else self.world.event(self.seed, self.scenario, index, iteration)
        if event is None:
            n_recorded = np.count_nonzero(self.world.recorded(np.array([self.scenario])))
            raise ConfigError(
                f"{config} is not recorded in {self.world.scenarios[self.scenario]}, {n_recorded:,} others are; "
                "ask for one that recorded() tells, or measure live"
            )
        return replace(event, iteration=iteration)

    def close(self) -> None:
        """Nothing is held."""


def _with_both_verdicts(recording: Recording, scenarios: Sequence[str] | None) -> list[RecordedMap]:
    """Return the maps that were asked for, without those in which nothing could be found out."""
    maps = selected(recorded_maps(recording), scenarios)
    one_sided = [one for one in maps if len(one.verdicts(recording.rows)) == 1]
    refused = one_sided if len(one_sided) == len(maps) else [one for one in one_sided if one.name in (scenarios or ())]
    if refused:
        raise ConfigError(
            f"scenario {refused[0].name!r} of {recording.title}: its configurations are all of one verdict, so that "
            "there is nothing to find out; choose another, or record higher or lower rates"
        )
    if one_sided:
        names = ", ".join(one.name for one in one_sided)
        warnings.warn(f"left out, all configurations being of one verdict: {names}", UserWarning, stacklevel=3)
    return [one for one in maps if one not in one_sided]
