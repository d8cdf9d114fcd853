"""The capacity of a node under several objectives: what it bears under each, from the same measurements."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peva_env.config import AskedRules
from peva_env.contracts import Verdict
from peva_env.inference import OK_LABEL, OVERLOADED_LABEL, MonotoneMap
from peva_env.maps.reading import StoredMap
from peva_env.space import Config, ConfigSpace, config_key, config_pairs


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a node bears under one objective; rates in requests per second.

    ``highest`` is the configuration with the highest total rate of those measured OK, ``total_rps`` its total rate; no
    configuration that is inferred OK has a higher one. ``most_rps`` is the highest total rate of a configuration that
    is not overloaded: the capacity lies between both. It is None on a map too large to list. ``functions_rps`` has the
    highest rate of each function in a configuration measured OK, None without one. ``n_unknown`` counts contradicted
    configurations too.
    """

    objective: str
    n_ok: int
    n_overloaded: int
    n_unknown: int
    highest: Config | None
    total_rps: int | None
    most_rps: int | None
    functions_rps: Mapping[str, int | None]


def capacities(stored: StoredMap, objectives: Mapping[str, AskedRules]) -> list[Capacity]:
    """Return the capacity under each objective, in their order; ``objectives`` has the rules by the objective's name.

    Raises:
        ConfigError: a rule is wrong.
    """
    return [_capacity(objective, stored.judged(rules).known) for objective, rules in objectives.items()]


def _capacity(objective: str, known: MonotoneMap) -> Capacity:
    disputed = set(map(config_key, known.disputed()))
    ok = [config_pairs(key) for key, verdict in known.measured.items() if verdict is Verdict.OK and key not in disputed]
    highest = max(ok, key=_total, default=None)
    n_ok, n_overloaded, most_rps = _counts(known)
    return Capacity(
        objective=objective,
        n_ok=n_ok,
        n_overloaded=n_overloaded,
        n_unknown=known.n_configs - n_ok - n_overloaded,
        highest=highest,
        total_rps=None if highest is None else _total(highest),
        most_rps=most_rps,
        functions_rps={name: _highest(name, ok) for name in known.space.functions},
    )


def _counts(known: MonotoneMap) -> tuple[int, int, int | None]:
    """Return the numbers of configurations that are OK and overloaded, and the highest total rate of the others."""
    labels, space = known.labels, known.space
    if labels is None:
        return _measured(known, Verdict.OK), _measured(known, Verdict.OVERLOADED), None
    counted = np.ones(len(labels), np.bool_) if known.recorded is None else known.recorded
    possible = counted & (labels != OVERLOADED_LABEL)
    most = int(_totals(space)[possible].max()) if possible.any() else 0
    n_ok, n_overloaded = (int(np.count_nonzero(counted & (labels == label))) for label in (OK_LABEL, OVERLOADED_LABEL))
    return n_ok, n_overloaded, most


def _measured(known: MonotoneMap, wanted: Verdict) -> int:
    return sum(verdict is wanted for verdict in known.measured.values())


def _totals(space: ConfigSpace) -> NDArray[np.int64]:
    """Return the total rate of each configuration, (N,)."""
    totals = np.zeros(space.n_configs, np.int64)
    for names in space.function_sets():
        offset, shape = space.block(names)
        grid = np.zeros(shape, np.int64)
        for axis, name in enumerate(names):
            rates = np.array(space.rates_rps[space.functions.index(name)], np.int64)
            grid += rates.reshape([-1 if other == axis else 1 for other in range(len(names))])
        totals[offset : offset + grid.size] = grid.ravel()
    return totals


def _total(config: Config) -> int:
    return sum(rate for _, rate in config)


def _highest(function: str, configs: Iterable[Config]) -> int | None:
    return max((rate for config in configs for name, rate in config if name == function), default=None)
