"""The judgement of a run by the overload rules: its verdict, with its reasons, its margins and whether it is certain.

What was not measured is never taken for healthy: without a value that a rule is about, a run is INVALID. So is a run in
which most requests to a function found nobody at its address: a mistake of the configuration, or a function that is
gone. So is overload that fewer such requests explain: a gateway, a provider or a function was restarted during the run.
So is overload that a stall of the load generator or other programs on the machine explain, or with requests that the
generator could not send for limits of its machine: see ``peva_env.rules.other_causes``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from peva_env.config import OverloadConfig
from peva_env.contracts import ExecutionEvent, FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.rules.checks import Check, not_measured, rule_checks
from peva_env.rules.other_causes import IN_DOUBT, NOBODY_THERE, crowding, explained, restart, stall, unsent

CLEARLY_OVER = 0.2
"""Distance beyond a threshold of the node, as a share of it, from which an overloaded run is certain."""

_DESPITE = "overloaded even without what this explains: "


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with every rule that fired, and the signed distance to each threshold.

    ``margins`` has the distance of each rule as a share of its threshold: positive = OK, negative = the rule fired. The
    smallest is the run's ``margin``.

    ``is_certain``: another run would probably have the same verdict. An OK run is certain if every success rate lies in
    the highest tenth between its minimum and 1, and CPU, RAM, replicas and latencies are at least a tenth of their
    thresholds below these thresholds. An overloaded run is certain if mean success, CPU or RAM is beyond its threshold
    by at least a fifth of the threshold. The rules of single functions do not make a run certain: the most frequent
    wrong verdict is a single function that fails in one run only. An overloaded run in which a request found no server
    is not certain. Source: recordings of 15,832 configurations, see
    docs/decisions.md.
    """

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    margins: Mapping[str, float] = field(default_factory=dict)
    overloaded_functions: tuple[str, ...] = ()
    is_certain: bool = False

    def doubted(self, doubts: Iterable[str]) -> "Judgement":
        """Return this judgement with reasons to doubt it; an overload in doubt is not certain."""
        notes = tuple(f"{IN_DOUBT}{doubt}" for doubt in doubts)
        if not notes or self.verdict is not Verdict.OVERLOADED:
            return self
        return replace(self, reasons=(*self.reasons, *notes), is_certain=False)

    @property
    def margin(self) -> float | None:
        """The smallest signed distance to a threshold; None for an INVALID run, and where every rule is off."""
        return min(self.margins.values(), default=None)

    def given_to(self, event: ExecutionEvent) -> ExecutionEvent:
        """Return the event with this judgement in place of its own."""
        return replace(
            event,
            verdict=self.verdict,
            reasons=self.reasons,
            margin=self.margin,
            overloaded_functions=self.overloaded_functions,
        )


def judge(functions: Sequence[FunctionMeasurement], node: NodeMeasurement, rules: OverloadConfig) -> Judgement:
    """Apply the overload rules to one run."""
    problems = [*absent(functions), *not_measured(functions, node, rules)]
    if problems:
        return Judgement(Verdict.INVALID, tuple(problems))
    return caused_by_load(functions, lambda measured: apply_rules(measured, node, rules))


def caused_by_load(
    functions: Sequence[FunctionMeasurement], apply: Callable[[Sequence[FunctionMeasurement]], Judgement]
) -> Judgement:
    """Return the judgement of the functions, or INVALID if it is overload for another cause than load.

    Other causes are requests that found no server, with the connections that were cut off in the same run, stalls of
    the generator, other programs on the machine, and requests that the generator could not send. An overload is judged
    as if all failures that the first three explain had been successes. So its margin is an upper bound.

    Args:
        functions: the measured functions.
        apply: applies the rules to functions.
    """
    judgement = apply(functions)
    if judgement.verdict is not Verdict.OVERLOADED:
        return judgement
    problems = tuple(unsent(functions))
    if problems:
        return Judgement(Verdict.INVALID, problems)
    restarts, disturbances = list(restart(functions)), [*stall(functions), *crowding(functions)]
    if not restarts and not disturbances:
        return judgement
    best = apply([explained(function) for function in functions])
    if best.verdict is not Verdict.OVERLOADED:
        return Judgement(Verdict.INVALID, (*restarts, *disturbances))
    notes = tuple(f"{_DESPITE}{cause}" for cause in restarts)
    return replace(best, reasons=(*best.reasons, *notes), is_certain=best.is_certain and not restarts)


def apply_rules(functions: Sequence[FunctionMeasurement], node: NodeMeasurement, rules: OverloadConfig) -> Judgement:
    """Apply the rules to the measured values; do not check whether values are missing or addresses wrong."""
    checks = rule_checks(functions, node, rules)
    fired = [check for check in checks if check.fired]
    return Judgement(
        verdict=Verdict.OVERLOADED if fired else Verdict.OK,
        reasons=tuple(check.text for check in fired),
        margins={check.name: check.margin for check in checks},
        overloaded_functions=tuple(dict.fromkeys(check.function for check in fired if check.function)),
        is_certain=_is_certain(checks) and not (fired and any(restart(functions))),
    )


def majority(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the majority verdict of the valid runs: OVERLOADED if more than half are; INVALID without a valid run."""
    valid = [verdict for verdict in verdicts if verdict is not Verdict.INVALID]
    if not valid:
        return Verdict.INVALID
    return Verdict.OVERLOADED if 2 * valid.count(Verdict.OVERLOADED) > len(valid) else Verdict.OK


def is_decided(verdicts: Sequence[Verdict], iterations: int, *, is_certain: bool) -> bool:
    """Tell whether a configuration's verdict is decided, so that its remaining runs can be skipped.

    It is decided if the remaining runs cannot change the majority, or if at least one run is certain and all runs so
    far have the same verdict.

    Args:
        verdicts: the verdicts of the valid runs so far.
        iterations: total number of runs without skipping.
        is_certain: whether one of the valid runs is certain, see ``Judgement``.
    """
    n_overloaded = verdicts.count(Verdict.OVERLOADED)
    n_ok = len(verdicts) - n_overloaded
    if 2 * n_overloaded > iterations or 2 * n_ok >= iterations:
        return True
    return is_certain and 0 in (n_overloaded, n_ok)


def _is_certain(checks: Sequence[Check]) -> bool:
    if any(check.fired for check in checks):
        return any(check.margin <= -CLEARLY_OVER for check in checks if not check.function)
    return all(check.margin >= check.clear_margin for check in checks)


def absent(functions: Sequence[FunctionMeasurement]) -> Iterator[str]:
    """Yield a message for each function at whose address most requests found no server."""
    for function in functions:
        nobody = {kind: function.failed[kind] for kind in NOBODY_THERE if function.failed.get(kind)}
        if 2 * sum(nobody.values()) > function.sent:
            found = ", ".join(f"{count} {kind}" for kind, count in nobody.items())
            yield f"{function.name} was not there for most of {function.sent} requests: {found}"
