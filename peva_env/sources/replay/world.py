"""Replay: episodes in which a measurement is a random draw from the recorded runs of its configuration.

Notation: ``N`` configurations of a scenario; ``n`` episodes.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peva_env.config import AskedRules
from peva_env.contracts import ExecutionEvent
from peva_env.errors import ConfigError
from peva_env.memory import DEFAULT_SCHEMA_VERSION
from peva_env.memory.parquet import Recording, StoredEvents, load_recording
from peva_env.sources.episodes import Indices, Outcomes, Seeds, uniforms
from peva_env.sources.replay.maps import RecordedMap, recorded_maps, select_maps, shared_spaces
from peva_env.sources.replay.runs import RecordedRuns, arrange_runs
from peva_env.space import Config, ConfigSpace


class ReplayWorld:
    """A ``World`` of recordings. A scenario is a recorded map; configurations without a record are always masked.

    Args:
        folders: one core Parquet folder or several, as ``peva-env memory export --core`` writes them; or a recording
            that is loaded.
        scenarios: names of maps or prefixes of names (``LIGHT`` for all maps of that node); None for all.
        overload: the overload rules that judge the runs, or what differs from the rules of the last campaign of each
            context, such as ``{"p95_ms_max": 200}``; None for the rules of the last campaign.
        schema_version: the schema label that the folders must have.

    Raises:
        ConfigError: a folder or scenario does not exist, the folders hold no valid run, the maps have different numbers
            of functions, a requested map has one verdict only, or a rule is wrong.
        MemoryStoreError: a file cannot be read, or has another schema.
    """

    def __init__(
        self,
        folders: str | Path | Sequence[str | Path] | Recording,
        *,
        scenarios: Sequence[str] | None = None,
        overload: AskedRules = None,
        schema_version: str = DEFAULT_SCHEMA_VERSION,
    ) -> None:
        if not isinstance(folders, Recording):
            folders = load_recording(folders, schema_version=schema_version)
        self._recording = folders.judged(overload)
        selected = select_maps(recorded_maps(folders), scenarios)
        judged = {one.name: one for one in recorded_maps(self._recording)}
        candidates = [judged[one.name] for one in selected if one.name in judged]
        named = () if overload else scenarios or ()
        self._maps = _with_both_verdicts(self._recording, candidates, named)
        # With rules of the question, all selected maps have a part in the shape: it is the same under all rules.
        names = {one.name for one in self._maps}
        spaces = zip(selected, shared_spaces(selected), strict=True) if overload else ()
        self._spaces = [space for one, space in spaces if one.name in names] or shared_spaces(self._maps)
        self._runs = arrange_runs(self._recording.rows, self._maps, self._spaces)
        self._stored: dict[str, StoredEvents] = {}

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The maps' names, ``NODE:a+b``."""
        return tuple(recorded_map.name for recorded_map in self._maps)

    def space(self, scenario: int) -> ConfigSpace:
        """Return the configurations of a scenario; function ``i`` has the rates of function ``i`` of all scenarios."""
        return self._spaces[scenario]

    def recorded(self, scenarios: Indices) -> NDArray[np.bool_]:
        """Return which configurations have a record, (n, N)."""
        return self._runs.recorded.take(scenarios, axis=0)

    def majority_labels(self, scenario: int) -> NDArray[np.int8]:
        """Return the majority label of each configuration's recorded runs, (N,): -1 OK, 1 overloaded, 0 no record."""
        return self._runs.majority(scenario)

    def begin(self, seeds: Seeds, scenarios: Indices) -> "ReplayEpisodes":
        """Begin ``n`` episodes; ``seeds`` (n,) decide all their random draws."""
        return ReplayEpisodes(self._runs, np.array(seeds, np.uint64), np.array(scenarios, np.int64))

    def truth(self, seed: int, scenario: int) -> NDArray[np.int8]:  # noqa: ARG002 - the same in every episode
        """Return the majority label of each configuration's recorded runs, (N,)."""
        return self.majority_labels(scenario)

    def source(self, seed: int, scenario: int) -> "ReplaySource":
        """Return the measurement source of one episode; it returns the recorded events."""
        return ReplaySource(self, seed, scenario)

    def event(self, seed: int, scenario: int, index: int, iteration: int) -> ExecutionEvent | None:
        """Return the event behind the ``outcomes`` of a configuration, or None without a record."""
        episode = self.begin(np.array([seed], np.uint64), np.array([scenario]))
        run = episode.drawn_runs(np.array([index]), iteration)[0]
        if run == self._runs.no_run:
            return None
        context_hash = self._maps[scenario].context_hash
        if context_hash not in self._stored:
            self._stored[context_hash] = self._recording.stored(context_hash)
        return self._recording.judge(self._stored[context_hash].event(int(self._runs.rows[run])))


@dataclass(frozen=True, slots=True)
class ReplayEpisodes:
    """Episodes on recordings, side by side. Measurements do not change them: each draw is a hash; see ``episodes``."""

    runs: RecordedRuns
    seeds: Seeds  # (n,)
    scenarios: Indices  # (n,)

    def outcomes(self, indices: Indices, iteration: int | Indices = 0) -> Outcomes:
        """Return a recorded run of configuration ``indices[i]`` for each episode ``i``; label 0 without a record."""
        return self.runs.outcomes(self.drawn_runs(indices, iteration))

    def drawn_runs(self, indices: Indices, iteration: int | Indices) -> Indices:
        """Return the index of the recorded run that each episode draws, (n,)."""
        return self.runs.draw(self.scenarios, indices, uniforms(self.seeds, indices, 0), iteration)

    def adopt(self, where: Indices, others: "ReplayEpisodes") -> None:
        """Replace the episodes at ``where`` (k,) by the episodes of ``others`` at the same positions."""
        self.seeds[where] = others.seeds[where]
        self.scenarios[where] = others.scenarios[where]


@dataclass(frozen=True, slots=True)
class ReplaySource:
    """The measurement source of one episode on a recording; it returns recorded events."""

    world: ReplayWorld
    seed: int
    scenario: int

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:  # noqa: ARG002
        """Return a recorded run of a configuration. The episode's seed decides which; ``rng`` is not used.

        Raises:
            ConfigError: the configuration has no recorded run.
        """
        space = self.world.space(self.scenario)
        index = space.index(config) if config in space else None
        event = None if index is None else self.world.event(self.seed, self.scenario, index, iteration)
        if event is None:
            n_recorded = np.count_nonzero(self.world.recorded(np.array([self.scenario])))
            raise ConfigError(
                f"{config} is not recorded in {self.world.scenarios[self.scenario]}, {n_recorded:,} others are; "
                "choose a configuration for which recorded() is true, or measure live"
            )
        return replace(event, iteration=iteration)

    def close(self) -> None:
        """Nothing is held."""


def _with_both_verdicts(
    recording: Recording, maps: Sequence[RecordedMap], requested: Sequence[str]
) -> list[RecordedMap]:
    """Return the maps without those whose configurations all have the same verdict.

    Raises:
        ConfigError: such a map was requested by its full name, or no other map is left.
    """
    if not maps:
        raise ConfigError(
            f"recording {recording.title}: the rules cannot judge any run, because what they need was not measured"
        )
    one_sided = [candidate for candidate in maps if len(candidate.verdicts(recording.rows)) == 1]
    by_name = [candidate for candidate in one_sided if candidate.name in requested]
    refused = one_sided if len(one_sided) == len(maps) else by_name
    if refused:
        raise ConfigError(
            f"scenario {refused[0].name!r} of {recording.title}: all its configurations have the same verdict, so that "
            "the map has no frontier; choose another scenario or other rules, or record higher or lower rates"
        )
    if one_sided:
        names = ", ".join(left_out.name for left_out in one_sided)
        warnings.warn(
            f"left out, because all their configurations have the same verdict: {names}", UserWarning, stacklevel=3
        )
    return [candidate for candidate in maps if candidate not in one_sided]
