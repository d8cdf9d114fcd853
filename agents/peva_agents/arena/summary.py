"""What an arena found: figures over all episodes, at each budget and at the end.

Notation: ``n`` episodes of an agent, in the same order for all agents; ``r`` resamples of them, see
``peva_agents.arena.intervals``. Episodes are resampled within each recorded map: the intervals tell of chance on these
maps, not of other maps. Simulated nodes are a sample of nodes, and resampled as a whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_agents.arena.config import REFERENCE, agent_names
from peva_agents.arena.episode import FIGURES, Played
from peva_agents.arena.intervals import Floats, bootstrap, covered, iqm, mean, resamples
from peva_env.config.offline import ArenaConfig

OFTEN_OVERLOADED = 0.05
"""Maps with so large a share of overloaded configurations are also told of apart: on others F1 hangs on a handful."""

_F1 = "predicted_f1"

type Figure = dict[str, float]


def summarize(config: ArenaConfig, played: Sequence[Played]) -> dict[str, Any]:
    """Return the figures of an arena as plain data; the order of the episodes does not matter.

    ``budgets`` has a row for each agent and budget with each of ``peva_agents.arena.episode.FIGURES``,
    ``often_overloaded`` the same over the maps of which at least ``OFTEN_OVERLOADED`` is overloaded, and ``totals`` a
    row for each agent:

    - ``complete``: share of episodes at whose end nothing was unknown.
    - ``runs_share``, ``cost_share``: runs, and machine seconds, of all episodes until their ends, as a share of what
      the cartesian agent needed for the same episodes. A lower bound where not all are complete.
    - ``f1_cost_share``: likewise until the map with what is predicted was as right, by F1, as the cartesian agent's
      whole map of that episode; where that was never so, until the end. ``f1_reached``: the share of episodes in which
      it was so.
    - ``runs_per_certificate``: runs of an episode until its end, divided by its certificate.
    """
    of_agents = {name: _in_order(one for one in played if one.agent == name) for name in agent_names(config)}
    often = {name: [one for one in own if one.overloaded >= OFTEN_OVERLOADED] for name, own in of_agents.items()}
    return {
        "arena": config.described(),
        "maps": _maps(of_agents[REFERENCE]),
        "budgets": _at_budgets(config, of_agents),
        "often_overloaded": _at_budgets(config, often) if often[REFERENCE] else [],
        "totals": [_totals(config, name, own, of_agents[REFERENCE]) for name, own in of_agents.items()],
    }


def _in_order(played: Iterable[Played]) -> list[Played]:
    """Put the episodes of an agent into the order that they have for all agents."""
    return sorted(played, key=lambda one: (one.seed, one.map))


def _maps(played: Sequence[Played]) -> list[dict[str, Any]]:
    each = {one.map: one for one in played}.values()
    names = ("map", "recorded", "overloaded", "certificate")
    return [{name: getattr(one, name) for name in names} for one in each]


def _at_budgets(config: ArenaConfig, of_agents: Mapping[str, Sequence[Played]]) -> list[dict[str, Any]]:
    rows = []
    for name, own in of_agents.items():
        chosen = _resamples(config, own)
        for budget in config.budgets:
            figures = {figure: _figure(_at(own, figure, budget), chosen) for figure in FIGURES}
            rows.append({"agent": name, "budget": budget, "n_episodes": len(own), **figures})
    return rows


def _at(played: Sequence[Played], figure: str, budget: int) -> Floats:
    """Return a figure of each episode, (n,), as it was when a number of runs was spent, or at the end before that."""
    looks = [int(np.searchsorted(one.readings["runs"], budget, side="right")) - 1 for one in played]
    return np.array([one.readings[figure][max(look, 0)] for one, look in zip(played, looks, strict=True)])


def _resamples(config: ArenaConfig, played: Sequence[Played]) -> NDArray[np.int64]:
    """Return the resamples (r, n) of an agent's episodes."""
    if config.sim:
        return resamples(len(played))
    numbers = {name: number for number, name in enumerate(dict.fromkeys(one.map for one in played))}
    return resamples(len(played), np.array([numbers[one.map] for one in played]))


def _figure(values: Floats, chosen: NDArray[np.int64]) -> Figure:
    low, high = bootstrap(values, iqm, chosen)
    return {"iqm": float(iqm(values)), "low": low, "high": high, "mean": float(mean(values))}


def _totals(config: ArenaConfig, name: str, own: Sequence[Played], yardstick: Sequence[Played]) -> dict[str, Any]:
    chosen = _resamples(config, own)
    runs, runs_of_all = _ends(own, "runs"), _ends(yardstick, "runs")
    cost_s, cost_of_all_s = _ends(own, "cost_s"), _ends(yardstick, "cost_s")
    until_s = [_cost_until(one, wanted) for one, wanted in zip(own, _ends(yardstick, _F1), strict=True)]
    reached = np.isfinite(until_s)
    return {
        "agent": name,
        "n_episodes": len(own),
        "predicts": any(one.predicts for one in own),
        "complete": float(np.mean([one.complete for one in own])),
        "runs": float(mean(runs)),
        "runs_share": _share(runs, runs_of_all, chosen),
        "cost_s": float(mean(cost_s)),
        "cost_share": _share(cost_s, cost_of_all_s, chosen),
        "f1_reached": float(np.mean(reached)),
        "f1_cost_share": _share(np.where(reached, until_s, cost_s), cost_of_all_s, chosen),
        "runs_per_certificate": _figure(runs / np.array([one.certificate for one in own]), chosen),
    }


def _ends(played: Sequence[Played], name: str) -> Floats:
    """Return a reading of each episode at its end, (n,)."""
    return np.array([one.readings[name][-1] for one in played], np.float64)


def _cost_until(played: Played, wanted_f1: float) -> float:
    """Return the machine seconds until a look at which F1 was as wanted; infinity if it never was."""
    reached = np.array(played.readings[_F1]) >= wanted_f1
    return played.readings["cost_s"][int(reached.argmax())] if reached.any() else float("inf")


def _share(own: Floats, of_all: Floats, chosen: NDArray[np.int64]) -> Figure:
    """Return the sum of what was spent (n,) as a share of the sum of what another one spent on the same episodes."""
    low, high = covered(own[chosen].sum(axis=1) / of_all[chosen].sum(axis=1))
    return {"mean": float(own.sum() / of_all.sum()), "low": low, "high": high}
