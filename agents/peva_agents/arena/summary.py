"""The summary of an arena: figures over all episodes, at each budget and at the end.

Notation: ``n`` episodes of an agent, in the same order for all agents; ``r`` resamples of them, see
``peva_agents.arena.intervals``. Episodes are resampled within each recorded map: the intervals cover chance on these
maps, not other maps. Simulated nodes are a sample of all nodes, and are resampled as a whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_agents.arena.config import REFERENCE, agent_names
from peva_agents.arena.episode import FIGURES, EpisodeRecord
from peva_agents.arena.intervals import Floats, bootstrap, covered, iqm, mean, resamples
from peva_env.config.offline import ArenaConfig

OFTEN_OVERLOADED = 0.05
"""Maps with at least this share of overloaded configurations have a table of their own.

On other maps F1 depends on a handful of configurations.
"""

_F1 = "predicted_f1"

type Figure = dict[str, float]


def arena_summary(config: ArenaConfig, records: Sequence[EpisodeRecord]) -> dict[str, Any]:
    """Return the figures of an arena as plain data; the order of the episodes does not matter.

    ``budgets`` has a row for each agent and budget with each of ``peva_agents.arena.episode.FIGURES``,
    ``often_overloaded`` the same over the maps of which at least ``OFTEN_OVERLOADED`` is overloaded, and ``totals`` a
    row for each agent:

    - ``complete``: the share of episodes that ended with no unknown configuration.
    - ``runs_share``, ``cost_share``: the runs, and the machine seconds, of all episodes, as a share of those of the
      cartesian agent for the same episodes. A lower bound if some episodes are not complete.
    - ``f1_cost_share``: likewise the machine seconds until F1 of the predicted map reached F1 of the cartesian agent's
      whole map of that episode, or until the end if it never did. ``f1_reached``: the share of episodes where it did.
    - ``runs_per_certificate``: the runs of an episode divided by its certificate.
    """
    of_agents = {name: _in_order(record for record in records if record.agent == name) for name in agent_names(config)}
    often = {
        name: [record for record in own if record.overloaded >= OFTEN_OVERLOADED] for name, own in of_agents.items()
    }
    return {
        "arena": config.described(),
        "maps": _maps(of_agents[REFERENCE]),
        "budgets": _at_budgets(config, of_agents),
        "often_overloaded": _at_budgets(config, often) if often[REFERENCE] else [],
        "totals": [_totals(config, name, own, of_agents[REFERENCE]) for name, own in of_agents.items()],
    }


def _in_order(records: Iterable[EpisodeRecord]) -> list[EpisodeRecord]:
    """Return the records of an agent in an order that is the same for all agents."""
    return sorted(records, key=lambda record: (record.seed, record.map))


def _maps(records: Sequence[EpisodeRecord]) -> list[dict[str, Any]]:
    each = {record.map: record for record in records}.values()
    names = ("map", "recorded", "overloaded", "certificate")
    return [{name: getattr(record, name) for name in names} for record in each]


def _at_budgets(config: ArenaConfig, of_agents: Mapping[str, Sequence[EpisodeRecord]]) -> list[dict[str, Any]]:
    rows = []
    for name, own in of_agents.items():
        chosen = _resamples(config, own)
        for budget in config.budgets:
            figures = {figure: _figure(_at(own, figure, budget), chosen) for figure in FIGURES}
            rows.append({"agent": name, "budget": budget, "n_episodes": len(own), **figures})
    return rows


def _at(records: Sequence[EpisodeRecord], figure: str, budget: int) -> Floats:
    """Return a figure of each episode, (n,), after a budget of runs, or at the end of an episode that ended before."""
    numbers = [int(np.searchsorted(record.readings["runs"], budget, side="right")) - 1 for record in records]
    return np.array([record.readings[figure][max(i, 0)] for record, i in zip(records, numbers, strict=True)])


def _resamples(config: ArenaConfig, records: Sequence[EpisodeRecord]) -> NDArray[np.int64]:
    """Return the resamples (r, n) of an agent's episodes."""
    if config.sim:
        return resamples(len(records))
    numbers = {name: number for number, name in enumerate(dict.fromkeys(record.map for record in records))}
    return resamples(len(records), np.array([numbers[record.map] for record in records]))


def _figure(values: Floats, chosen: NDArray[np.int64]) -> Figure:
    low, high = bootstrap(values, iqm, chosen)
    return {"iqm": float(iqm(values)), "low": low, "high": high, "mean": float(mean(values))}


def _totals(
    config: ArenaConfig, name: str, own: Sequence[EpisodeRecord], reference: Sequence[EpisodeRecord]
) -> dict[str, Any]:
    chosen = _resamples(config, own)
    runs, reference_runs = _ends(own, "runs"), _ends(reference, "runs")
    cost_s, reference_cost_s = _ends(own, "cost_s"), _ends(reference, "cost_s")
    until_s = [_cost_until(record, wanted) for record, wanted in zip(own, _ends(reference, _F1), strict=True)]
    reached = np.isfinite(until_s)
    return {
        "agent": name,
        "n_episodes": len(own),
        "predicts": any(record.predicts for record in own),
        "complete": float(np.mean([record.complete for record in own])),
        "runs": float(mean(runs)),
        "runs_share": _share(runs, reference_runs, chosen),
        "cost_s": float(mean(cost_s)),
        "cost_share": _share(cost_s, reference_cost_s, chosen),
        "f1_reached": float(np.mean(reached)),
        "f1_cost_share": _share(np.where(reached, until_s, cost_s), reference_cost_s, chosen),
        "runs_per_certificate": _figure(runs / np.array([record.certificate for record in own]), chosen),
    }


def _ends(records: Sequence[EpisodeRecord], name: str) -> Floats:
    """Return a reading of each episode at its end, (n,)."""
    return np.array([record.readings[name][-1] for record in records], np.float64)


def _cost_until(record: EpisodeRecord, wanted_f1: float) -> float:
    """Return the machine seconds until the first reading with at least the wanted F1; infinity if there is none."""
    reached = np.array(record.readings[_F1]) >= wanted_f1
    return record.readings["cost_s"][int(reached.argmax())] if reached.any() else float("inf")


def _share(own: Floats, reference: Floats, chosen: NDArray[np.int64]) -> Figure:
    """Return the sum of an agent's runs or seconds (n,) as a share of the reference agent's for the same episodes."""
    low, high = covered(own[chosen].sum(axis=1) / reference[chosen].sum(axis=1))
    return {"mean": float(own.sum() / reference.sum()), "low": low, "high": high}
