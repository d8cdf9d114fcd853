"""The bracket of a ray's limit: the highest step that was OK and the lowest that was overloaded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.rules import ABORTED
from peva_env.space import Config, config_text

_NEAR = 1.25
"""Quotient of contradicting rates up to which they are the noise of one limit, as wide as two steps of a ladder."""


@dataclass(frozen=True, slots=True)
class Bracket:
    """The limit of a ray lies between ``ok`` and ``overloaded``.

    Attributes:
        names: the functions of the ray, sorted.
        ok: the highest step below each overloaded one, None if the lowest valid step was overloaded.
        overloaded: the lowest overloaded step above each OK one, None without one.
        first_overloaded: the lowest overloaded step of all, None without one.
        highest_ok: the highest OK step of all, None without one.
        reasons: why ``first_overloaded`` was overloaded.
        is_cut: whether a step above ``highest_ok`` was INVALID.
    """

    names: tuple[str, ...]
    ok: Config | None
    overloaded: Config | None
    first_overloaded: Config | None
    highest_ok: Config | None
    reasons: tuple[str, ...] = ()
    is_cut: bool = False

    @property
    def breaks_at_random(self) -> bool:
        """Whether a step was OK at rates as high as those of an overloaded step, or higher."""
        first, highest = self.first_overloaded, self.highest_ok
        return first is not None and highest is not None and total_rps(highest) >= total_rps(first)

    def limit_rps(self) -> dict[str, float] | None:
        """Return the rate of each function in the middle of the bracket; None if no step was OK or none overloaded."""
        ok, overloaded = self.ok, self.overloaded or self.first_overloaded
        if ok is None or overloaded is None:
            return None
        return {name: (low + high) / 2 for (name, low), (_, high) in zip(ok, overloaded, strict=True)}


def brackets(events: Iterable[ExecutionEvent]) -> list[Bracket]:
    """Return the brackets of all rays with a valid step: single functions first, each group sorted by name."""
    rays: dict[tuple[str, ...], list[ExecutionEvent]] = {}
    for event in events:
        if event.kind is EventKind.SCOUTED:
            rays.setdefault(event.config_key[0], []).append(event)
    found = (_bracket(names, rays[names]) for names in sorted(rays, key=lambda names: (len(names), names)))
    return [bracket for bracket in found if bracket.first_overloaded or bracket.highest_ok]


def total_rps(config: Config) -> int:
    """Return the sum of the rates of a configuration."""
    return sum(rate for _, rate in config)


def outcome_text(bracket: Bracket) -> str:
    """Return what a bracket says in one line."""
    name = " + ".join(bracket.names)
    ok, first = bracket.ok, bracket.first_overloaded
    if first is None:
        assert bracket.highest_ok is not None  # noqa: S101 - a bracket has a valid step
        above = "; higher steps were INVALID" if bracket.is_cut else ""
        return f"{name}: never overloaded, up to {config_text(bracket.highest_ok)}: a map up to there is all OK{above}"
    why = next((reason for reason in bracket.reasons if not reason.startswith(ABORTED)), "")
    if bracket.breaks_at_random:
        assert bracket.highest_ok is not None  # noqa: S101 - it was compared
        if total_rps(bracket.highest_ok) <= _NEAR * total_rps(first):
            return f"{name}: the limit is about {config_text(first)}, where it breaks at random ({why})"
        return (
            f"{name}: breaks at random: {config_text(first)} was overloaded, {config_text(bracket.highest_ok)} was OK "
            f"({why})"
        )
    if ok is None:
        return f"{name}: overloaded at its lowest step, {config_text(first)} ({why})"
    return f"{name}: the limit is between {config_text(ok)} and {config_text(first)} ({why})"


def _bracket(names: tuple[str, ...], events: Sequence[ExecutionEvent]) -> Bracket:
    def of(verdict: Verdict) -> list[ExecutionEvent]:
        some = [event for event in events if event.verdict is verdict]
        return sorted(some, key=lambda event: total_rps(event.config_pairs))

    ok, overloaded = of(Verdict.OK), of(Verdict.OVERLOADED)
    first = overloaded[0] if overloaded else None
    highest = ok[-1] if ok else None
    below = [one for one in ok if first is None or _rate(one) < _rate(first)]
    above = [one for one in overloaded if highest is None or _rate(one) > _rate(highest)]
    top = _rate(highest) if highest else 0
    return Bracket(
        names,
        is_cut=any(event.verdict is Verdict.INVALID and _rate(event) > top for event in events),
        ok=below[-1].config_pairs if below else None,
        overloaded=above[0].config_pairs if above else None,
        first_overloaded=first.config_pairs if first else None,
        highest_ok=highest.config_pairs if highest else None,
        reasons=first.reasons if first else (),
    )


def _rate(event: ExecutionEvent) -> int:
    return total_rps(event.config_pairs)
