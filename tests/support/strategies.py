"""Hypothesis strategies for events: every column, every absence, names of any alphabet."""

from hypothesis import strategies as st

from peva_env.contracts import EventKind, ExecutionEvent, FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.memory.event_rows import BESIDE_FAILED

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
counts = st.integers(0, 2**62)
numbers = st.floats(allow_nan=False, allow_infinity=False)
maybe_number = st.none() | numbers
maybe_count = st.none() | counts
reasons = st.lists(names, max_size=3).map(tuple)

nodes = st.builds(
    NodeMeasurement,
    cpu_pct=maybe_number,
    ram_bytes=maybe_count,
    ram_pct=maybe_number,
    power_uw=maybe_number,
    idle_cpu_pct=maybe_number,
    idle_ram_bytes=maybe_count,
    idle_ram_pct=maybe_number,
    idle_power_uw=maybe_number,
)


def functions(name: str, rate_rps: int) -> st.SearchStrategy[FunctionMeasurement]:
    """Return measurements of one function at one rate."""
    return st.builds(
        FunctionMeasurement,
        name=st.just(name),
        rate_rps=st.just(rate_rps),
        offered=counts,
        sent=counts,
        dropped=counts,
        succeeded=counts,
        failed=st.dictionaries(names.filter(lambda name: name not in BESIDE_FAILED), counts, max_size=3),
        success_rate=numbers,
        mean_ms=maybe_number,
        p50_ms=maybe_number,
        p90_ms=maybe_number,
        p95_ms=maybe_number,
        p99_ms=maybe_number,
        cpu_pct=maybe_number,
        ram_bytes=maybe_count,
        power_uw=maybe_number,
        replicas=st.none() | st.integers(0, 2**31 - 1),
        backlog=st.integers(0, 2**31 - 1),
    )


@st.composite
def events(draw: st.DrawFn) -> ExecutionEvent:
    """Return any event that the memory must be able to hold."""
    rates = draw(st.dictionaries(names, st.integers(0, 2**31 - 1), min_size=1, max_size=3))
    pairs = sorted(rates.items())
    measured = draw(st.booleans())
    return ExecutionEvent(
        config_key=(tuple(name for name, _ in pairs), tuple(rate for _, rate in pairs)),
        iteration=draw(st.integers(-1, 1000)),
        verdict=draw(st.sampled_from(Verdict)),
        run_id=draw(names),
        repetition=draw(st.integers(1, 1000)),
        kind=draw(st.sampled_from(EventKind)),
        reasons=draw(reasons),
        margin=draw(maybe_number),
        functions=tuple(draw(functions(name, rate)) for name, rate in pairs) if measured else (),
        overloaded_functions=draw(reasons),
        node=draw(nodes),
        started_at=draw(numbers),
        ended_at=draw(numbers),
        duration_s=draw(numbers),
        cooldown_s=draw(numbers),
        cost_s=draw(numbers),
        generator_cpu_pct=draw(maybe_number),
        context_hash="ctx",
        raw_summary=draw(st.none() | st.dictionaries(names, counts, max_size=2)),
    )
