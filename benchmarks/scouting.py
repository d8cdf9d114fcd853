"""From nothing to a proved map, and to one limit, on live services of this machine: the targets of scouting.

``python -m benchmarks scouting`` starts the sample functions ``fetch`` and ``checkout`` as HTTP services on 127.0.0.1
and prints two tables:

- **a map from nothing**: two addresses, no rates, rules on success and on the 95th percentile; scouting, then the agent
  ``learnt`` with runs of 5 s until the map of 12 x 12 rates is proved;
- **one limit to 5 %**: ``peva-env run --refine 5%``, a plain breakpoint test of k6, and a bisection with runs of 30 s,
  each from nothing; the error is against a reference by three runs of 30 s of each rate.

It takes about 25 minutes on an idle machine of two cores, and at most 45; ``PEVA_SCOUTING_PARTS=map`` or ``limit`` does
one of them.
"""

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from peva_agents.bisection import BisectionAgent
from peva_agents.loop import run_campaign
from peva_env.cli.services import asked_settings
from peva_env.config import DfaasConfig, parse_config
from peva_env.contracts import EventKind
from peva_env.errors import PevaError
from peva_env.make import make_live_env
from peva_env.maps import read_map
from peva_env.memory import DEFAULT_SCHEMA_VERSION, read_events, reading
from peva_env.platforms.local import LocalNode
from peva_env.sources.k6 import find_k6

_PARTS = os.environ.get("PEVA_SCOUTING_PARTS", "map,limit").split(",")
_P95_MS = 200
_MAP_LIMIT_S, _LIMIT_S = 900, 300
_HIGHEST_RPS = 1000
_RAMP_S = 300
_ROOM = 1.2
"""The reference looks for the limit from the lowest to the highest answer, and this much beyond both."""


def main() -> None:
    """Print both tables."""
    if "map" in _PARTS:
        with _services("fetch", "checkout") as urls:
            _map_from_nothing(urls)
    if "limit" in _PARTS:
        with _services("fetch") as urls:
            _one_limit(urls[0])


@contextmanager
def _services(*names: str) -> Iterator[list[str]]:
    """Serve sample functions, and yield their addresses."""
    functions = parse_config({"functions": [{"name": name} for name in names]}).functions
    with LocalNode(functions) as node:
        yield [f"{node.url(name)}{name}" for name in names]


def _map_from_nothing(urls: Sequence[str]) -> None:
    with _folder() as folder:
        memory = _configured(folder, urls)
        took_s, code = _run(folder, "--agent", "learnt", "--budget-runs", "90", limit_s=_MAP_LIMIT_S)
        print(f"map from nothing: exit code {code} after {took_s:.0f} s (target: 360 s)", flush=True)
        if not memory.exists():
            return
        steps = [event for event in _events(memory) if event.kind is EventKind.SCOUTED]
        scouted_s = sum(event.cost_s for event in steps)
        found = read_map(memory)
        n_cells = math.prod(len(rates) for rates in found.known.space.rates_rps)
        print(f"  scouting: {len(steps)} steps, {scouted_s:.0f} s of load and cooldown")
        print(f"  {n_cells} mixes of {' x '.join(str(len(rates)) for rates in found.known.space.rates_rps)} rates")
        certificate = len(found.known.certificate())
        print(f"  {len(found.events)} runs (target: 45), {found.known.n_unknown} unknown, certificate {certificate}")
        print(f"  highest OK: {found.known.frontier()[1]}", flush=True)


def _one_limit(url: str) -> None:
    rows = {
        "peva-env run --refine 5%": _refined(url),
        "k6 breakpoint ramp": _ramp(url),
        "bisection, runs of 30 s": _long_bisection(url),
    }
    answers = [limit for _, limit in rows.values() if limit]
    if not answers:
        print("no limit was found")
        return
    reference = _reference(url, min(answers) / _ROOM, max(answers) * _ROOM)
    print(f"one limit to 5 %, from nothing (target: 60 s); reference {reference:.1f} requests/s")
    for name, (took_s, limit) in rows.items():
        error = f"{limit / reference - 1:+.1%}" if limit else "none"
        print(f"  {name:26} {took_s:5.0f} s, limit {limit or math.nan:6.1f} requests/s, error {error}", flush=True)


def _refined(url: str) -> tuple[float, float | None]:
    """Return the seconds and the limit of peva-env's own way."""
    with _folder() as folder:
        memory = _configured(folder, [url])
        took_s, _ = _run(folder, "--agent", "learnt", "--refine", "5%", "--budget-runs", "40", limit_s=_LIMIT_S)
        if not memory.exists():
            return took_s, None
        overloaded, ok = read_map(memory).known.frontier()
        return took_s, (overloaded[0][0][1] + ok[0][0][1]) / 2 if overloaded and ok else None


def _ramp(url: str) -> tuple[float, float | None]:
    """Return the seconds and the limit of a breakpoint test: k6 raises the rate until 5 % of all requests failed."""
    script = f"""
        import http from 'k6/http';
        export const options = {{
          discardResponseBodies: true,
          scenarios: {{ ramp: {{
            executor: 'ramping-arrival-rate', startRate: 1, timeUnit: '1s', preAllocatedVUs: 200, maxVUs: 1000,
            stages: [{{ duration: '{_RAMP_S}s', target: {_HIGHEST_RPS} }}],
          }} }},
          thresholds: {{ http_req_failed: [{{ threshold: 'rate<0.05', abortOnFail: true }}] }},
        }};
        export default function () {{ http.get('{url}', {{ timeout: '2s' }}); }}
        export function handleSummary(data) {{ return {{ 'summary.json': JSON.stringify(data.state) }}; }}
    """
    with _folder() as folder:
        (folder / "ramp.js").write_text(script, encoding="utf-8")
        command = [str(find_k6()), "run", "--quiet", "--no-usage-report", "--address", "", "ramp.js"]
        began = time.monotonic()
        subprocess.run(command, cwd=folder, capture_output=True, timeout=2 * _RAMP_S, check=False)
        took_s = time.monotonic() - began
        ran_s = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["testRunDurationMs"] / 1000
        return took_s, 1 + (_HIGHEST_RPS - 1) * ran_s / _RAMP_S


def _long_bisection(url: str) -> tuple[float, float | None]:
    """Return the seconds and the limit of a bisection of rates 5 % apart with runs of 30 s, one of each."""
    rates = sorted({round(5 * 1.05**i) for i in range(200) if 5 * 1.05**i <= _HIGHEST_RPS})
    return _bisected(url, rates, iterations=1)


def _reference(url: str, low: float, high: float) -> float:
    """Return the limit by runs of 30 s, three of each rate, of rates 2 % apart."""
    rates = sorted({round(low * 1.02**i) for i in range(200) if low * 1.02**i <= high})
    _, limit = _bisected(url, rates, iterations=3)
    return limit if limit else math.nan


def _bisected(url: str, rates: Sequence[int], *, iterations: int) -> tuple[float, float | None]:
    with _folder() as folder:
        given = {"duration": "30s", "iterations": iterations, "repeats": "all", "max_invalid_retries": 5}
        settings = _settings([url], given, folder)
        data = settings.model_dump(mode="json", exclude_unset=True)
        env = make_live_env(data | {"rate_strategy": {"type": "custom", "rates": list(rates)}})
        began = time.monotonic()
        try:
            run_campaign(env, BisectionAgent(), seed=1, options={"warm_start": True})
        except PevaError as error:  # a busy machine: the other rows may be fine
            print(f"  bisection: {error}", flush=True)
        finally:
            env.close()
        overloaded, ok = env.known.frontier()
        took_s = time.monotonic() - began
        return took_s, (overloaded[0][0][1] + ok[0][0][1]) / 2 if overloaded and ok else None


def _settings(urls: Sequence[str], given: Mapping[str, Any], folder: Path) -> DfaasConfig:
    """Return the configuration that ``peva-env run --url`` makes, with a rule on the 95th percentile and other keys."""
    data = asked_settings(None, urls).model_dump(mode="json", exclude_unset=True)
    rules = {**data.get("overload", {}), "p95_ms_max": _P95_MS}
    output_dir = str(folder / "results")
    memory = {"db_path": f"{output_dir}/memory.duckdb"}
    return parse_config({**data, "overload": rules, "output_dir": output_dir, "memory": memory, **given})


def _configured(folder: Path, urls: Sequence[str]) -> Path:
    """Write the configuration of services, and return the path of its memory."""
    settings = _settings(urls, {}, folder)
    (folder / "peva.yml").write_text(yaml.safe_dump(settings.model_dump(mode="json", exclude_unset=True)))
    return Path(settings.memory.db_path)


def _run(folder: Path, *args: str, limit_s: float) -> tuple[float, int]:
    """Run ``peva-env run`` to its end, at most ``limit_s``; return its seconds and its exit code."""
    command = shutil.which("peva-env", path=str(Path(sys.executable).parent))
    assert command is not None
    log = folder / "log.txt"
    began = time.monotonic()
    with (
        log.open("w") as output,
        subprocess.Popen(
            [command, "run", "--config", "peva.yml", *args], cwd=folder, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            code = process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.terminate()  # as Ctrl-C: it stops in order
            code = process.wait()
    if code:
        print(f"  {' '.join(args)}: {log.read_text().splitlines()[-1]}", flush=True)
    return time.monotonic() - began, code


def _events(memory: Path) -> list[Any]:
    with reading(memory, DEFAULT_SCHEMA_VERSION) as connection:
        return read_events(connection, "true", [])


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="peva-scouting-") as folder:
        yield Path(folder)
