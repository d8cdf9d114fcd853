"""The events that the suites work with."""

from typing import Any

from peva_env.contracts import EventKind, ExecutionEvent, FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.space import Config, config_key

CONTEXT_HASH = "contract"
RUN_ID = "contract-run"


def example_event(config: Config, iteration: int = 0, verdict: Verdict = Verdict.OK, **values: Any) -> ExecutionEvent:
    """Return a run of a configuration in context ``CONTEXT_HASH``, repetition 1 and run ``RUN_ID``.

    Args:
        config: the configuration that ran.
        iteration: which run of it.
        verdict: the verdict; half of the requests failed if it is ``OVERLOADED``.
        values: other fields of the event.
    """
    valid = verdict is not Verdict.INVALID
    plain: dict[str, Any] = {
        "run_id": RUN_ID,
        "context_hash": CONTEXT_HASH,
        "reasons": () if verdict is Verdict.OK else ("as the example wants it",),
        "margin": {Verdict.OK: 0.05, Verdict.OVERLOADED: -0.4}.get(verdict),
        "functions": tuple(_function(name, rate, verdict) for name, rate in sorted(config)) if valid else (),
        "node": NodeMeasurement(cpu_pct=12.5, ram_pct=30.0),
        "started_at": 1000.0 + iteration,
        "ended_at": 1002.0 + iteration,
        "duration_s": 2.0,
        "cost_s": 2.0,
    }
    return ExecutionEvent(config_key(config), iteration, verdict, **(plain | values))


def example_skip(config: Config) -> ExecutionEvent:
    """Return the event of a configuration that was not run because it would be overloaded."""
    return example_event(config, -1, Verdict.OVERLOADED, kind=EventKind.SKIPPED, functions=(), margin=None, cost_s=0.0)


def _function(name: str, rate_rps: int, verdict: Verdict) -> FunctionMeasurement:
    offered = 2 * rate_rps
    lost = rate_rps if verdict is Verdict.OVERLOADED else 0
    failed = {"status_503": lost} if lost else {}
    success_rate = (offered - lost) / offered if offered else 1.0
    return FunctionMeasurement(name, rate_rps, offered, offered, 0, offered - lost, failed, success_rate, p95_ms=50.0)
