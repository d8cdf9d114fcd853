"""One run from 1, 2 and 4 generators: the same verdicts, counts to the request, what it costs, and true percentiles.

``python -m benchmarks generators`` serves the sample function ``fetch`` on 127.0.0.1, which bears 100 requests/s, and
prints for each number of generators:

- **verdicts** of 20 rates around the capacity, five runs each; right or wrong is known, but within 5 % of it; the
  requests beyond the plan; and the **overhead**: seconds of a run beyond its load, beside those of a single k6;
- **percentiles**: those of a run against the percentiles of all samples, which each k6 writes to a file, too.

``PEVA_GENERATORS_RUNS`` sets the runs of each rate, ``PEVA_GENERATORS_RAY=HOST:PORT`` takes the generators from Ray. It
takes about 20 minutes on an idle machine of two cores.
"""

import json
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from peva_env.config import FunctionConfig, OverloadConfig
from peva_env.contracts import NodeMeasurement, Verdict
from peva_env.errors import LoadGeneratorError
from peva_env.platforms.local import LocalNode
from peva_env.rules import judge, saturation
from peva_env.sources.k6 import K6, FunctionLoad, Generators, LocalPlace, RayPlace
from peva_env.sources.k6.settings import K6Settings

_RUNS = int(os.environ.get("PEVA_GENERATORS_RUNS", "5"))
_RAY = os.environ.get("PEVA_GENERATORS_RAY")
_GENERATORS = (1, 2, 4)
_CAPACITY_RPS = 100
_RATES_RPS = [*range(50, 95, 5), 95, 98, 102, 105, *range(110, 145, 5)]
_NEAR = 0.05
_DURATION_S = 2.0
_TIMEOUT_S = 1.0
_REST_S = 0.3
_SAMPLED_RPS = 150
_SAMPLED_S = 6.0
_RULES = OverloadConfig().without_use()


def main() -> None:
    """Print the figures."""
    with LocalNode([FunctionConfig(name="fetch")]) as node:
        url = node.url("fetch")
        for n in _GENERATORS:
            _verdicts(n, url)
        _percentiles(url)


@contextmanager
def _shared(n: int, settings: K6Settings | None = None) -> Iterator[K6]:
    generators = None
    if n > 1:
        generators = Generators(RayPlace(n, _RAY) if _RAY else LocalPlace(n))
    k6 = K6(timeout_s=_TIMEOUT_S, settings=settings, generators=generators)
    try:
        yield k6
    finally:
        k6.close()


def _verdicts(n: int, url: str) -> None:
    verdicts: dict[int, Counter[str]] = {rate: Counter() for rate in _RATES_RPS}
    beyond_plan: Counter[int] = Counter()
    overheads_s, reasons = [], Counter[str]()
    with _shared(n) as k6:
        for _ in range(_RUNS):
            for rate in _RATES_RPS:
                time.sleep(_REST_S)
                began = time.monotonic()
                try:
                    result = k6.run([FunctionLoad("fetch", rate, url)], duration_s=_DURATION_S)
                except LoadGeneratorError as error:
                    verdicts[rate][Verdict.INVALID] += 1
                    reasons[str(error)] += 1
                    continue
                overheads_s.append(time.monotonic() - began - _DURATION_S)
                judged = judge(result.functions, NodeMeasurement(), _RULES)
                is_saturated = judged.verdict is Verdict.OVERLOADED and saturation(result.generator_cpu_pct)
                verdicts[rate][Verdict.INVALID if is_saturated else judged.verdict] += 1
                if judged.verdict is Verdict.INVALID:
                    reasons[judged.reasons[0]] += 1
                beyond_plan[result.functions[0].offered - round(rate * _DURATION_S)] += 1
    certain = [rate for rate in _RATES_RPS if abs(rate / _CAPACITY_RPS - 1) > _NEAR]
    right = sum(verdicts[rate][Verdict.OK if rate < _CAPACITY_RPS else Verdict.OVERLOADED] for rate in certain)
    invalid = sum(count[Verdict.INVALID] for count in verdicts.values())
    print(f"{n} generator(s): {right} of {_RUNS * len(certain)} verdicts right, {invalid} INVALID of all", flush=True)
    print("  " + "  ".join(f"{rate}: {'/'.join(f'{k} {v}' for v, k in verdicts[rate].items())}" for rate in verdicts))
    print(f"  requests beyond the plan: {dict(sorted(beyond_plan.items()))}")
    if overheads_s:
        median, worst = statistics.median(overheads_s), max(overheads_s)
        print(f"  seconds beyond the load: median {median:.2f}, highest {worst:.2f}")
    for reason, count in reasons.most_common(3):
        print(f"  {count} x {reason}")


def _percentiles(url: str) -> None:
    """Compare with the samples that each k6 writes itself; latencies near the capacity are far apart."""
    for n in _GENERATORS[1:]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with _shared(n, K6Settings(outputs=["json"], folder=folder)) as k6:
                load = FunctionLoad("fetch", _SAMPLED_RPS, url)
                (function,) = k6.run([load], duration_s=_SAMPLED_S).functions
            samples = [sample for path in folder.iterdir() for sample in _latencies(path)]
        found = [function.p50_ms, function.p90_ms, function.p95_ms, function.p99_ms]
        true = np.percentile(samples, [50, 90, 95, 99])
        errors = [100 * abs((one or 0.0) / other - 1) for one, other in zip(found, true, strict=True)]
        print(f"{n} generators, {len(samples)} samples: errors of p50, p90, p95, p99 in %: {np.round(errors, 4)}")


def _latencies(path: Path) -> Iterator[float]:
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["type"] != "Point" or entry["metric"] != "http_req_duration":
            continue
        tags = entry["data"]["tags"]
        if tags.get("scenario") == "f0" and tags["expected_response"] == "true":
            yield float(entry["data"]["value"])
