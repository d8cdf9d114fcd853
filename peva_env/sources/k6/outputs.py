"""The outputs of k6's samples: the arguments, variables and files of one run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from peva_env.config import FILE_OUTPUTS

CLOUD_SYSTEM_TAGS = ("status", "method", "name", "group", "check", "error")
"""Variables without which k6's cloud output does not start."""

PROMETHEUS_DEFAULTS = {
    "K6_PROMETHEUS_RW_PUSH_INTERVAL": "1s",
    "K6_PROMETHEUS_RW_STALE_MARKERS": "true",
    "K6_PROMETHEUS_RW_TREND_STATS": "avg,p(50),p(95),p(99)",
}
"""k6's own defaults (every 5 s, only the 99th percentile, series that stay for five minutes) are made for tests of many
minutes; the dashboard in ``docs/grafana`` reads these series."""

_PROMETHEUS = "experimental-prometheus-rw"
_MIN_PERIOD_S, _MAX_PERIOD_S = 0.25, 10.0
_PERIODS = 30


@dataclass(frozen=True, slots=True)
class RunOutputs:
    """Arguments and environment variables of k6 for one run, and the files that it will write."""

    arguments: tuple[str, ...]
    env: Mapping[str, str]
    files: tuple[Path, ...]


def run_outputs(outputs: Sequence[str], *, name: str, folder: Path, dashboard_s: float | None = None) -> RunOutputs:
    """Return the outputs of a run.

    Args:
        outputs: the configuration's ``k6_outputs``.
        name: name of the run; part of every file name, so that no run overwrites another run's file.
        folder: folder of output files that the configuration does not name: ``<name>.json``. A named ``samples.json``
            becomes ``samples-<name>.json`` in its own folder.
        dashboard_s: length of the run in seconds, if k6 writes its HTML report to ``<name>.html``.
    """
    arguments: list[str] = []
    env: dict[str, str] = {}
    files: list[Path] = []
    for output in outputs:
        kind, _, argument = output.partition("=")
        if kind in FILE_OUTPUTS:
            path = _named(Path(argument), name) if argument else folder / f"{name}.{kind}"
            files.append(path)
            output = kind if kind == "csv" else f"{kind}={path}"
            if kind == "csv":  # not as an argument: k6 would parse a path that holds '=' as a setting
                env["K6_CSV_FILENAME"] = str(path)
        elif kind == _PROMETHEUS:
            env |= PROMETHEUS_DEFAULTS
        arguments += ["--out", output]
    if dashboard_s is not None:
        files.append(folder / f"{name}.html")
        env |= _dashboard(files[-1], dashboard_s)
    return RunOutputs(tuple(arguments), env, tuple(files))


def _dashboard(path: Path, duration_s: float) -> dict[str, str]:
    # k6 writes no report of fewer than two periods, and its default period is 10 s. Port -1: no server.
    period_s = min(_MAX_PERIOD_S, max(_MIN_PERIOD_S, duration_s / _PERIODS))
    return {
        "K6_WEB_DASHBOARD": "true",
        "K6_WEB_DASHBOARD_EXPORT": str(path),
        "K6_WEB_DASHBOARD_PORT": "-1",
        "K6_WEB_DASHBOARD_PERIOD": f"{round(period_s * 1000)}ms",
    }


def _named(path: Path, name: str) -> Path:
    """Return ``folder/samples-<name>.json.gz`` for ``folder/samples.json.gz``."""
    suffixes = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    stem = path.name.removesuffix(suffixes)
    return path.with_name(f"{stem}-{name}{suffixes}")
