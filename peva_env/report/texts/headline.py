"""The result of a campaign in two or three sentences that can be read aloud."""

from collections import Counter
from collections.abc import Iterator
from statistics import fmean

from peva_env.config import LATENCIES
from peva_env.contracts import Verdict
from peva_env.inference import MonotoneMap
from peva_env.maps import NodeMap
from peva_env.memory import rules_in
from peva_env.report.texts.certificate import is_sure, load_to_plan_with
from peva_env.report.texts.formats import confidence_text, count_text, isolated, load_text
from peva_env.rules import MEAN_SUCCESS, SUCCESS_OF, WHOLE_RUN
from peva_env.space import Config, config_key

_P95 = LATENCIES.index("p95_ms")

_BROKEN = {
    SUCCESS_OF: "failed requests of {}",
    MEAN_SUCCESS: "the mean success of its functions",
    "node CPU": "the CPU of the node",
    "node RAM": "the RAM of the node",
    "backlog of ": "a queue of {} that grows",
    "replicas of ": "the replicas of {}",
}
"""What a rule that fired says, by the beginning of its name; a latency rule is named as it is."""


def headline(node_map: NodeMap) -> Iterator[str]:
    """Yield what the node bears, what breaks first, and how much of the map is known."""
    config = load_to_plan_with(node_map)
    nothing = f"No load that {isolated(node_map.node)} bears was found"
    yield _bears(node_map, config) if config else f"{nothing}{_but(node_map)}."
    broken = _breaks_first(node_map)
    if broken:
        yield broken
    yield _how_much_is_known(node_map.known, len(node_map.runs))


def _how_much_is_known(known: MonotoneMap, n_measured: int) -> str:
    n_known, configurations = known.n_configs - known.n_unknown, count_text(known.n_configs, "configuration")
    if known.n_unknown:
        what = f"{n_known:,} of {configurations}"
    else:
        what = "The only configuration" if known.n_configs == 1 else f"All {configurations}"
    are = "is" if 1 in (n_known, known.n_configs) else "are"
    were = "was" if n_measured == 1 else "were"
    return f"{what} of the map {are} known; {n_measured:,} {were} measured."


def _bears(node_map: NodeMap, config: Config) -> str:
    confidence = node_map.confidence(config)
    only = "" if is_sure(confidence) else "only "
    sure = "" if confidence is None else f" ({only}{confidence_text(confidence)} sure)"
    together = " together" if len(config) > 1 else ""
    load = f"{load_text(config)} requests/s{together}"
    return f"{isolated(node_map.node)} bears {load}{_latency(node_map, config)}{sure}."


def _but(node_map: NodeMap) -> str:
    """Return which OK load does not count, if there is one: an overloaded one below it contradicts it."""
    for one in node_map.known.disputes():
        if one.state != "settled":
            ok, overloaded = load_text(one.ok), load_text(one.overloaded)
            return f" that nothing contradicts: {ok} was OK, but the lower {overloaded} was overloaded"
    return ""


def _latency(node_map: NodeMap, config: Config) -> str:
    """Return the objective on the p95 latency, or without one the p95 latency that was measured."""
    rules = rules_in(node_map.context)
    limits = {rules.overload.limits_of(name).latencies_ms[_P95] for name, _ in config} if rules else {None}
    if len(limits) == 1 and None not in limits:
        return f", with p95 latency under {limits.pop():g} ms"
    if limits != {None}:
        return ", within the latency objective of each function"
    runs = node_map.runs[config_key(config)]
    per_run = ([one.p95_ms for one in run.functions if one.p95_ms is not None] for run in runs)
    highest = [max(latencies_ms) for latencies_ms in per_run if latencies_ms]
    return f", with p95 latency at {fmean(highest):.0f} ms" if highest else ""


def _breaks_first(node_map: NodeMap) -> str:
    """Say which rule fires in most of the lowest overloaded configurations, and name the lowest of them."""
    lowest, _ = node_map.known.frontier()
    fired = [(config, rule) for config in lowest for rule in _rules_of(node_map, config)]
    if not fired:
        return ""
    counts = Counter(rule for _, rule in fired)
    most = max(counts, key=lambda rule: (counts[rule], rule != MEAN_SUCCESS))  # which says less than a function
    of_it = (config for config, rule in fired if rule == most)
    example = min(of_it, key=lambda config: sum(rate for _, rate in config))
    runs = node_map.runs[config_key(example)]
    n = sum(run.verdict is Verdict.OVERLOADED for run in runs)
    return f"It breaks first by {_broken(most)}: {load_text(example)} was overloaded in {n} of {len(runs)} runs."


def _rules_of(node_map: NodeMap, config: Config) -> list[str]:
    """Return the rules that fired in most overloaded runs of a configuration."""
    key = config_key(config)
    runs = zip(node_map.runs[key], node_map.rule_margins[key], strict=True)
    overloaded = [margins for run, margins in runs if run.verdict is Verdict.OVERLOADED]
    counts = Counter(rule for margins in overloaded for rule, one in margins.items() if one.margin < 0)
    fired = [rule for rule, n in counts.items() if 2 * n > len(overloaded) and rule != WHOLE_RUN]
    if len(config) == 1:  # the mean is that of this function
        fired = [f"{SUCCESS_OF}{config[0][0]}" if rule == MEAN_SUCCESS else rule for rule in fired]
    of_functions = [rule for rule in fired if rule.startswith(SUCCESS_OF)]
    return list(dict.fromkeys(rule for rule in fired if rule != MEAN_SUCCESS or not of_functions))


def _broken(rule: str) -> str:
    for start, text in _BROKEN.items():
        if rule.startswith(start):
            return text.format(isolated(rule.removeprefix(start)))
    kind, of, function = rule.partition(" of ")
    return f"{kind}{of}{isolated(function)}"
