"""How sure the verdict of a configuration is: its margins, compared with their scatter from run to run.

In each of its ``n`` runs a configuration has a margin for every rule: the signed distance to the limit, as a share of
the limit. The *score* of a rule is the mean margin divided by its standard error ``s / sqrt(n)``, and the score of the
configuration is the lowest of its rules: every rule must hold for OK, and one is enough for OVERLOADED. A score of
``z`` for a verdict gives it the *confidence* ``Phi(z)``, where ``Phi`` is the normal distribution: the probability that
the true margin has the sign of the verdict, if all margins were equally likely beforehand. So it means the same after
any number of looks at the runs: one may run on until it is high enough. The scatter ``s`` is the largest of

- ``LEAST_SCATTER``, and half of it for a success rate;
- the standard deviation within the configurations with more than one run, pooled over the ``_N_NEAREST`` whose mean
  margin of such a rule is nearest: a success rate varies much at its limit, and not at all at 1;
- the standard deviation of the configuration's own runs;
- for a success rate, the binomial standard deviation of a share that lies exactly at the limit.

Sources: pooled standard deviation within groups of repeated measurements: ISO 5725-2:2019 (repeatability). Nearest
groups, where the variance depends on the mean: Hall and Carroll, "Variance function estimation in regression", Journal
of the Royal Statistical Society B 51 (1989). Binomial deviation at the limit: the score test of Wilson, "Probable
inference", Journal of the American Statistical Association 22 (1927). Lowest score of several rules: the
intersection-union test of Berger, Technometrics 24 (1982). Looking after each run: the stopping rule principle of
Berger and Wolpert, "The Likelihood Principle", Institute of Mathematical Statistics (1988), chapter 4.2.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

from peva_env.config import OverloadConfig
from peva_env.contracts import ExecutionEvent, FunctionMeasurement, Verdict
from peva_env.rules.again import judge_stored
from peva_env.rules.checks import MEAN_SUCCESS, SUCCESS_OF
from peva_env.rules.judge import majority

LEAST_SCATTER = 0.03
"""Lowest standard deviation of a margin from run to run. Measured: 0.032 for CPU margins between 0 and 0.15, in 243
recorded configurations with three runs (DFaaS, four cores). Also covers small differences between two campaigns."""

LEAST_SCATTER_OF_SUCCESS = LEAST_SCATTER / 2
"""The same for success rates, which fall half as fast at their limit as the load rises: about 0.5 % a percent in the
queueing model of ``peva_env.sources.simulated``, whose success is 0.957 at its capacity."""

_N_NEAREST = 20
"""Configurations over which a scatter is pooled. With fewer than this, the scatter itself would be left to chance."""

WHOLE_RUN = "run"
"""Name of the one margin of a run whose rules are not known."""

_SUCCESS_KINDS = (SUCCESS_OF.partition(" of ")[0], MEAN_SUCCESS)

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class RuleMargin:
    """The margin of one rule in one run, and its binomial standard deviation if the node were exactly at the limit."""

    margin: float
    counted: float = 0.0


type RunMargins = Mapping[str, RuleMargin]
"""The margins of one run, by the names of the rules."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the runs of a configuration say.

    ``verdict`` is that of their majority, which ``n_agreeing`` of ``n_runs`` have. ``margin`` is the mean of the runs'
    margins, None if they have none. ``score`` is positive if it speaks for OK, negative if for OVERLOADED.
    """

    verdict: Verdict
    n_runs: int
    n_agreeing: int
    margin: float | None
    score: float

    @property
    def confidence(self) -> float:
        """The confidence of the verdict, 0..1; one half if the runs have no margins."""
        return _NORMAL.cdf(self._support)

    def is_sure(self, level: float) -> bool:
        """Tell whether chance is excluded at a level such as 0.95."""
        return self.confidence >= level

    def runs_needed(self, level: float) -> int | None:
        """Return how many runs in all make the verdict sure if they go on as before; None if they speak against it."""
        if self._support <= 0:
            return None
        return max(1, math.ceil(self.n_runs * (_NORMAL.inv_cdf(level) / self._support) ** 2))

    @property
    def _support(self) -> float:
        return self.score if self.verdict is Verdict.OK else -self.score


class Scatter:
    """The standard deviation of margins from run to run, by kind of rule and by mean margin.

    Args:
        configs: the margins of the runs of each configuration; those with one run say nothing.
    """

    def __init__(self, configs: Iterable[Sequence[RunMargins]]) -> None:
        self._groups: dict[str, list[tuple[float, float, int]]] = {}  # mean, sum of squares, degrees of freedom
        for runs in configs:
            for name, margins in _by_rule(runs) if len(runs) > 1 else ():
                mean = fmean(margins)
                squares = sum((margin - mean) ** 2 for margin in margins)
                self._groups.setdefault(_kind(name), []).append((mean, squares, len(margins) - 1))
        for groups in self._groups.values():
            groups.sort()

    def of(self, rule: str, margin: float) -> float:
        """Return the standard deviation of a rule's margin around a mean margin."""
        kind = _kind(rule)
        groups = self._groups.get(kind, [])
        least = LEAST_SCATTER_OF_SUCCESS if kind in _SUCCESS_KINDS else LEAST_SCATTER
        place = bisect_left(groups, (margin,))
        around = groups[max(0, place - _N_NEAREST) : place + _N_NEAREST]
        nearest = sorted(around, key=lambda group: abs(group[0] - margin))[:_N_NEAREST]
        if not nearest:
            return least
        return max(least, math.sqrt(sum(group[1] for group in nearest) / sum(group[2] for group in nearest)))


def run_margins(event: ExecutionEvent, rules: OverloadConfig | None, duration_s: float) -> RunMargins:
    """Return the margins of a valid run; the one margin that is stored with it where the rules are not known.

    Args:
        event: the run.
        rules: the rules that judge it.
        duration_s: the planned length of the run.
    """
    found = judge_stored(event, rules, duration_s).margins if rules and event.functions else {}
    if rules is None or not found:
        return {} if event.margin is None else {WHOLE_RUN: RuleMargin(event.margin)}
    counted = dict(_counted(event.functions, rules))
    return {name: RuleMargin(margin, counted.get(name, 0.0)) for name, margin in found.items()}


def evidence_of(verdicts: Sequence[Verdict], runs: Sequence[RunMargins], scatter: Scatter) -> Evidence:
    """Return what the valid runs of a configuration say: their verdicts and their margins, in the same order."""
    verdict = majority(verdicts)
    least = [min(run.margin for run in margins.values()) for margins in runs if margins]
    return Evidence(
        verdict=verdict,
        n_runs=len(verdicts),
        n_agreeing=verdicts.count(verdict),
        margin=fmean(least) if least else None,
        score=_score(runs, scatter),
    )


def _score(runs: Sequence[RunMargins], scatter: Scatter) -> float:
    """Return the lowest score of the rules; 0 without margins."""
    n, scores = len(runs), []
    for name, margins in _by_rule(runs):
        mean = fmean(margins)
        own = math.sqrt(sum((margin - mean) ** 2 for margin in margins) / (n - 1)) if n > 1 else 0.0
        counted = math.sqrt(fmean(run[name].counted ** 2 if name in run else 0.0 for run in runs))
        scores.append(mean * math.sqrt(n) / max(scatter.of(name, mean), own, counted))
    return min(scores, default=0.0)


def _by_rule(runs: Sequence[RunMargins]) -> Iterator[tuple[str, list[float]]]:
    """Yield each rule with its margins in all runs; 0 in a run without it: a backlog that did not grow is no excess."""
    for name in dict.fromkeys(name for run in runs for name in run):
        yield name, [run[name].margin if name in run else 0.0 for run in runs]


def _kind(rule: str) -> str:
    """Return what a rule is about, without the function: all success rates scatter alike."""
    return rule.partition(" of ")[0]


def _counted(functions: Sequence[FunctionMeasurement], rules: OverloadConfig) -> Iterator[tuple[str, float]]:
    """Yield each rule on a success rate with the binomial deviation of its margin at the limit."""
    for function in functions:
        limit = rules.limits_of(function.name).success_rate_min
        if limit and function.offered:
            yield f"{SUCCESS_OF}{function.name}", math.sqrt((1 - limit) / limit / function.offered)
    limit = rules.success_rate_node_min
    if limit and functions:
        inverse = sum(1 / function.offered for function in functions if function.offered)
        yield MEAN_SUCCESS, math.sqrt((1 - limit) / limit * inverse) / len(functions)
