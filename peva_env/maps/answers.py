"""Asking a map about a load: its verdict, how the verdict is known, and how far each rate could be raised."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from math import isnan
from typing import Literal

from peva_env.contracts import Verdict
from peva_env.errors import ConfigError
from peva_env.inference import Dispute, MonotoneMap
from peva_env.maps.node_map import NodeMap
from peva_env.maps.prediction import EVEN, never_ok, never_overloaded, predict
from peva_env.space import Config, ConfigKey, config_key, config_pairs, no_lower
from peva_env.system import one_line

type Basis = Literal["measured", "inferred", "contradicted", "predicted", "unknown"]

_PROVED = ("measured", "inferred")


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A measured configuration that supports an answer about another: its verdict and its number of runs."""

    config: Config
    verdict: Verdict
    n_runs: int
    n_overloaded: int


@dataclass(frozen=True, slots=True)
class Headroom:
    """How far one function's rate could be raised while all others stay as they are; rates in requests per second.

    Only the current rate ``rate_rps`` and higher ones count. ``ok_rps`` is the highest rate that is proved OK, below
    every rate that is proved overloaded; ``likely_ok_rps`` the highest up to which every rate is proved or predicted
    OK; ``overloaded_rps`` the lowest that is proved overloaded; each is None where no rate qualifies. ``highest_rps``
    is the highest rate on the map.
    """

    function: str
    rate_rps: int
    ok_rps: int | None
    likely_ok_rps: int | None
    overloaded_rps: int | None
    highest_rps: int


@dataclass(frozen=True, slots=True)
class LoadAnswer:
    """The answer of a map about the load of one configuration.

    ``overloaded`` is the probability of overload, 0 or 1 where the configuration is measured or inferred; ``verdict``
    is the more likely verdict, None where measurements contradict each other. Both are None where the basis is
    ``unknown``: the prediction rests on no measurement. It is OK, but ``never_ok``, some of the functions, are in no
    measured configuration that is OK; or it is overloaded, but ``never_overloaded``, all of them, are in none that is
    overloaded, or have no load, and none without load is. ``because`` are the measured configurations from which the
    verdict follows, or that contradict each other; ``nearest`` the nearest measured configuration of each verdict.
    ``beyond`` are the functions whose rate is higher than any measured rate of theirs: a prediction there is a guess.
    ``confidence`` is that of the verdict of ``because``, 0..1, None where the configuration is neither measured nor
    inferred, or its runs have no margins; see ``peva_env.rules.evidence``.
    """

    config: Config
    verdict: Verdict | None
    basis: Basis
    overloaded: float | None
    because: tuple[Neighbour, ...]
    nearest: tuple[Neighbour, ...]
    headroom: tuple[Headroom, ...]
    beyond: tuple[str, ...]
    never_ok: tuple[str, ...]
    never_overloaded: tuple[str, ...]
    confidence: float | None


def ask(node_map: NodeMap, config: Iterable[tuple[str, int]]) -> LoadAnswer:
    """Return the verdict of a configuration and how it is known; an unknown verdict is predicted by agent ``learnt``.

    ``read_map(memory, configs=[config])`` reads a map that includes the configuration, whether it was measured or not.

    Raises:
        ConfigError: the configuration is not on the map, or the map has no valid run.
    """
    known = node_map.known
    rates_rps = dict(zip(known.space.functions, known.space.rates_rps, strict=True))
    whole = sorted(config)
    # A function without load is absent, unless campaigns have it at rate 0.
    present = [(name, rate) for name, rate in whole if rate or 0 in rates_rps.get(name, ())]
    loaded = [(name, rate) for name, rate in present if rate]
    asked = next((one for one in (whole, present, loaded) if one in known.space), whole)
    if asked not in known.space:
        raise ConfigError(f"{asked} is not on this map; read_map(memory, configs=[...]) reads one that has it")
    if not node_map.runs:
        raise ConfigError(f"memory {node_map.memory}: {_why_no_run(node_map)}, so it has no answer")
    steps = {name: [asked, *_raised(known, asked, name)] for name in known.space.functions}
    judge = _judge(node_map, [asked, *(one for configs in steps.values() for one in configs[1:])])
    likely = judge(asked)
    basis, because = _basis(node_map, asked)
    if likely is None:
        basis = "unknown"
    verdict = None
    if likely is not None and basis != "contradicted":
        verdict = Verdict.OVERLOADED if likely > EVEN else Verdict.OK
    return LoadAnswer(
        config=asked,
        verdict=verdict,
        basis=basis,
        overloaded=likely,
        because=tuple(_neighbour(node_map, one) for one in because),
        nearest=tuple(_nearest(node_map, asked)),
        headroom=tuple(_headroom(known, name, configs, judge) for name, configs in steps.items() if len(configs) > 1),
        beyond=tuple(_beyond(node_map, asked)),
        never_ok=tuple(never_ok(node_map, [asked])[0]),
        never_overloaded=tuple(never_overloaded(node_map, [asked])[0]),
        confidence=node_map.confidence(because[0]) if basis in _PROVED else None,
    )


def _why_no_run(node_map: NodeMap) -> str:
    """Return why no run of a map is valid."""
    if not node_map.events:
        return "holds no run of these functions, only skipped configurations"
    reasons = next((run.reasons for run in node_map.events if run.reasons), ())
    return "no run in it is valid" + (f" ({one_line('; '.join(reasons))})" if reasons else "")


def _judge(node_map: NodeMap, configs: list[Config]) -> Callable[[Config], float | None]:
    """Return a function from one of these configurations to its probability of overload; all are predicted at once.

    It returns None where there is no prediction; see ``predict``.
    """
    known = node_map.known
    unknown = [config for config in configs if known.verdict(config) is None]
    predicted = dict(zip(map(config_key, unknown), predict(node_map, unknown).tolist(), strict=True)) if unknown else {}

    def judge(config: Config) -> float | None:
        verdict = known.verdict(config)
        if verdict is not None:
            return float(verdict is Verdict.OVERLOADED)
        likely = predicted[config_key(config)]
        return None if isnan(likely) else likely

    return judge


def _raised(known: MonotoneMap, config: Config, function: str) -> Iterator[Config]:
    """Yield copies of a configuration with one function raised to each higher rate on the map, lowest first."""
    others = [pair for pair in config if pair[0] != function]
    now = dict(config).get(function, 0)
    for rate in known.space.rates_rps[known.space.functions.index(function)]:
        raised = sorted([*others, (function, rate)])
        if rate > now and raised in known.space:
            yield raised


def _headroom(
    known: MonotoneMap, function: str, steps: list[Config], judge: Callable[[Config], float | None]
) -> Headroom:
    """Return how far one function can be raised; ``steps`` is the configuration, then its copies with higher rates."""
    rates = [dict(one).get(function, 0) for one in steps]
    verdicts = list(map(known.verdict, steps))
    n_below = verdicts.index(Verdict.OVERLOADED) if Verdict.OVERLOADED in verdicts else len(steps)
    ok = [rate for rate, verdict in zip(rates[:n_below], verdicts, strict=False) if verdict is Verdict.OK]
    n_likely_ok = len(list(takewhile(lambda likely: likely is not None and likely <= EVEN, map(judge, steps))))
    return Headroom(
        function=function,
        rate_rps=rates[0],
        ok_rps=max(ok, default=None),
        likely_ok_rps=rates[n_likely_ok - 1] if n_likely_ok else None,
        overloaded_rps=rates[n_below] if n_below < len(steps) else None,
        highest_rps=rates[-1],
    )


def _basis(node_map: NodeMap, config: Config) -> tuple[Basis, list[Config]]:
    """Return how a configuration's verdict is known, and the measured configurations that support it."""
    known = node_map.known
    if known.verdict(config) is not None:
        evidence = None if config_key(config) in known.measured else known.evidence(config)
        return ("inferred", [evidence[0]]) if evidence else ("measured", [config])
    open_ones = [one for one in known.disputes() if one.state == "open"]
    around = [one for one in open_ones if _lies_between(known, one, config)]
    disputed = dict.fromkeys(config_key(one) for dispute in around for one in (dispute.overloaded, dispute.ok))
    return ("contradicted", [config_pairs(key) for key in disputed]) if disputed else ("predicted", [])


def _lies_between(known: MonotoneMap, dispute: Dispute, config: Config) -> bool:
    """Tell whether a configuration is part of a contradiction, or lies between its two configurations."""
    names = {config_key(one)[0] for one in (dispute.overloaded, config, dispute.ok)}
    is_comparable = known.dominance == "two_sided" or len(names) == 1
    low, own, high = known.space.rates_of([dispute.overloaded, config, dispute.ok]).tolist()
    return is_comparable and no_lower(own, low) and no_lower(high, own)


def _neighbour(node_map: NodeMap, config: Config) -> Neighbour:
    key = config_key(config)
    runs = node_map.runs[key]
    n_overloaded = sum(run.verdict is Verdict.OVERLOADED for run in runs)
    return Neighbour(config, node_map.known.measured[key], len(runs), n_overloaded)


def _beyond(node_map: NodeMap, config: Config) -> Iterator[str]:
    """Yield the functions whose rate is higher than every measured rate of theirs."""
    measured = [config_pairs(key) for key in node_map.runs]
    for name, rate in config:
        if rate > max((own for one in measured for other, own in one if other == name), default=-1):
            yield name


def _nearest(node_map: NodeMap, config: Config) -> Iterator[Neighbour]:
    """Yield the nearest other measured configuration of each verdict, of the same functions if any was measured."""
    space, rates_rps, asked = node_map.known.space, dict(config), config_key(config)
    highest = {name: rates[-1] or 1 for name, rates in zip(space.functions, space.rates_rps, strict=True)}

    def distance(key: ConfigKey) -> float:
        other = dict(config_pairs(key))
        gaps = (abs(other.get(name, 0) - rates_rps.get(name, 0)) / top for name, top in highest.items())
        return sum(gaps)

    others = {key: verdict for key, verdict in node_map.known.measured.items() if key != asked}
    others = {key: verdict for key, verdict in others.items() if key[0] == asked[0]} or others
    for wanted in (Verdict.OK, Verdict.OVERLOADED):
        found = [key for key, verdict in others.items() if verdict is wanted]
        if found:
            yield _neighbour(node_map, config_pairs(min(found, key=distance)))
