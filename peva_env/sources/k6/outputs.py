"""Where k6 sends its samples: the arguments, variables and files of one run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from peva_env.config import FILE_OUTPUTS

CLOUD_SYSTEM_TAGS = ("status", "method", "name", "group", "check", "error")
"""k6's cloud output does not start without these."""

PROMETHEUS_DEFAULTS = {
    "K6_PROMETHEUS_RW_PUSH_INTERVAL": "1s",
    "K6_PROMETHEUS_RW_STALE_MARKERS": "true",
    "K6_PROMETHEUS_RW_TREND_STATS": "avg,p(50),p(95),p(99)",
}
"""k6's own defaults (every 5 s, the 99th percentile alone, series that linger for five minutes) are made for tests of
many minutes; the dashboard in ``docs/grafana`` reads these figures."""

_PROMETHEUS = "experimental-prometheus-rw"
_MIN_PERIOD_S, _MAX_PERIOD_S = 0.25, 10.0
_PERIODS = 30


@dataclass(frozen=True, slots=True)
class RunOutputs:
    """What k6 is started with for one run, and the files that it will write."""

    arguments: tuple[str, ...]
    env: Mapping[str, str]
    files: tuple[Path, ...]


def run_outputs(outputs: Sequence[str], *, name: str, folder: Path, dashboard_s: float | None = None) -> RunOutputs:
    """Return the outputs of a run.

    Args:
        outputs: as the user gave them.
        name: of the run; every file gets it, so that no run begins another's file anew.
        folder: for files without a name of their own, as ``<name>.json``; ``samples.json`` becomes
            ``samples-<name>.json`` where it is.
        dashboard_s: length of the run in seconds, where k6 shall write its HTML report to ``<name>.html``.
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
            if kind == "csv":  # as an argument, k6 would take a path with '=' in it for a setting
                env["K6_CSV_FILENAME"] = str(path)
        elif kind == _PROMETHEUS:
            env |= PROMETHEUS_DEFAULTS
        arguments += ["--out", output]
    if dashboard_s is not None:
        files.append(folder / f"{name}.html")
        env |= _dashboard(files[-1], dashboard_s)
    return RunOutputs(tuple(arguments), env, tuple(files))


def _dashboard(path: Path, duration_s: float) -> dict[str, str]:
    # k6 writes no report of fewer than two periods, and its default is one of 10 s. Port -1: no server.
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
