"""Checks of the k6 settings in a configuration: outputs, their variables, tags and options.

Most settings of k6 change the measurement, or make its summary unreadable. So only settings that are known to be
harmless are passed to k6. The error for any other setting names it and says what to use instead.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from peva_env.config.sendable import require_no_placeholder

FILE_OUTPUTS = ("csv", "json")
"""Outputs that write a file; each run of k6 overwrites it."""

OWN_TAGS = ("config_id", "function", "iteration", "run_id")
"""Tags that peva-env sets: they identify the run and the function of a sample."""

ENV_PREFIXES = (
    "K6_CLOUD_", "K6_CSV_", "K6_INFLUXDB_", "K6_OTEL_", "K6_PROMETHEUS_RW_", "K6_STATSD_", "K6_WEB_DASHBOARD_",
)  # fmt: skip
"""Prefixes of variables that configure an output only."""

OPTIONS = (
    "blacklistIPs", "blockHostnames", "cloud", "dns", "hosts", "insecureSkipTLSVerify", "noConnectionReuse",
    "noVUConnectionReuse", "tlsCipherSuites", "tlsVersion", "userAgent",
)  # fmt: skip
"""Allowed k6 options, by their JSON names: they set how requests reach their target."""

GENERATOR_TAG = "generator"
"""The tag of the samples of each generator, where several share a run."""

MOST_GENERATORS = 100
"""More k6 than share a run in any known test; beyond, a wrong number is likelier."""

_SYSTEM_TAGS = ("expected_response", "kind", "scenario")
_SECRET_NAME = re.compile("token|password|secret|authorization|api[-_]?key", re.IGNORECASE)
_SECRET_HEADER = re.compile("authorization|api[-_]?key|bearer ", re.IGNORECASE)
_LOAD = "functions, rate_strategy and duration define the load"
_READ = "it would change k6's summary, from which the measurements are read"
_REFUSED_ENV = {
    **dict.fromkeys(("K6_DURATION", "K6_ITERATIONS", "K6_RPS", "K6_STAGES", "K6_VUS"), _LOAD),
    **dict.fromkeys(("K6_NO_SUMMARY", "K6_NO_THRESHOLDS", "K6_SUMMARY_TREND_STATS", "K6_SYSTEM_TAGS"), _READ),
    "K6_CSV_FILENAME": "name the file in k6_outputs, as csv=FILE",
    "K6_OUT": "name outputs in k6_outputs",
    "K6_WEB_DASHBOARD": "use k6_dashboard",
    "K6_WEB_DASHBOARD_EXPORT": "use k6_dashboard, which writes one file per run",
    "K6_WEB_DASHBOARD_RECORD": "each run would overwrite that file",
}
_REFUSED_OPTIONS = {
    **dict.fromkeys(
        ("duration", "executionSegment", "executionSegmentSequence", "iterations", "minIterationDuration", "paused",
         "rps", "scenarios", "stages", "vus"), _LOAD),
    **dict.fromkeys(
        ("noSetup", "noSummary", "noThresholds", "summaryTimeUnit", "summaryTrendStats", "systemTags", "thresholds"),
        _READ),
    **dict.fromkeys(("discardResponseBodies", "maxRedirects", "throw"), "the load script sets it"),
    "tags": "use k6_tags",
    "tlsAuth": "it would put a private key into the configuration",
}  # fmt: skip


def require_outputs(outputs: Iterable[str]) -> None:
    """Check the outputs as far as possible without k6.

    Raises:
        ValueError: an output holds a password, is a second output of its kind, or is not a file.
    """
    seen: set[str] = set()
    for i, output in enumerate(outputs):
        kind, _, argument = output.partition("=")
        _require_no_password(f"k6_outputs[{i}]", argument)
        if not kind.strip():
            raise ValueError(f"k6_outputs[{i}] = {output!r}: must name an output, for example json=samples.json")
        try:
            require_no_placeholder(output)
        except ValueError as error:
            raise ValueError(f"k6_outputs[{i}] = {output!r}: {error}") from None
        if kind not in FILE_OUTPUTS:
            continue
        if kind in seen:
            raise ValueError(f"k6_outputs[{i}] = {output!r}: there is another {kind} output; leave one of them out")
        seen.add(kind)
        if kind == "csv" and "=" in argument:
            raise ValueError(
                f"k6_outputs[{i}] = {output!r}: must be csv=FILE; set other csv settings as K6_CSV_* in k6_env"
            )
        if argument in ("-", "stdout"):
            raise ValueError(f"k6_outputs[{i}] = {output!r}: must be a file; k6's standard output is not shown")


def require_tags(tags: Iterable[str]) -> None:
    """Check that no tag is one that peva-env or k6 sets.

    Raises:
        ValueError: peva-env or k6 sets a tag of this name.
    """
    for tag in tags:
        if tag in OWN_TAGS + _SYSTEM_TAGS:
            raise ValueError(f"k6_tags.{tag}: peva-env or k6 sets this tag; choose another name")


def require_environment(values: Mapping[str, str], taken: Iterable[str]) -> None:
    """Check the variables of ``k6_env`` (``values``) and the names in ``k6_env_from`` (``taken``).

    Raises:
        ValueError: a variable does not configure an output, is in both, or ``k6_env`` holds a secret.
    """
    for name, value in values.items():
        where = f"k6_env.{name}"
        _require_output_setting(where, name)
        if _SECRET_NAME.search(name) or _SECRET_HEADER.search(value):
            raise ValueError(f"{where}: may be a secret; set it in the environment and list its name in k6_env_from")
        _require_no_password(where, value)
    for name in taken:
        _require_output_setting(f"k6_env_from: {name}", name)
        if name in values:
            raise ValueError(f"k6_env_from: {name}: is in k6_env, too; leave one of them out")


def require_options(options: Iterable[str]) -> None:
    """Check the names of k6's options; k6 checks their values.

    Raises:
        ValueError: an option is unknown, or would change the measurement.
    """
    for option in options:
        if option in OPTIONS:
            continue
        reason = _REFUSED_OPTIONS.get(option)
        if reason is None:
            nearest = get_close_matches(option, OPTIONS, n=1)
            reason = f"did you mean {nearest[0]!r}?" if nearest else f"allowed options: {', '.join(OPTIONS)}"
        raise ValueError(f"k6_options.{option}: is not passed to k6: {reason}")


def require_shareable(
    generators: int, ray: str | None, *, outputs: Iterable[str], tags: Iterable[str], dashboard: bool
) -> None:
    """Check that outputs and tags suit a run that is shared by several k6, perhaps on other machines.

    Raises:
        ValueError: one does not.
    """
    kinds = [output.partition("=")[0] for output in outputs]
    if generators > 1 and GENERATOR_TAG in tags:
        raise ValueError(
            f"k6_tags.{GENERATOR_TAG}: tells the samples of {generators} generators apart; choose another name"
        )
    if generators > 1 and "cloud" in kinds:
        raise ValueError(
            f"k6_outputs: cloud makes a test of its own of each of {generators} generators; leave it out, or set "
            "generators: 1"
        )
    if ray is None:
        return
    if not re.fullmatch(r"auto|[^/\s]+:\d{1,5}", ray):
        raise ValueError(f"ray = {ray!r}: must be auto or HOST:PORT, such as 10.0.0.5:6379")
    files = [kind for kind in kinds if kind in FILE_OUTPUTS] + (["k6_dashboard"] if dashboard else [])
    if files:
        raise ValueError(
            f"ray: {files[0]} would be written on the machines of the generators; leave it out, or use an output that "
            "sends, such as experimental-prometheus-rw"
        )


def as_text(value: Any) -> Any:
    """Return a YAML integer or boolean as the text of an environment variable; other values unchanged."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


def _require_output_setting(where: str, name: str) -> None:
    reason = _REFUSED_ENV.get(name)
    if reason is None and not name.startswith(ENV_PREFIXES):
        families = ", ".join(f"{prefix}*" for prefix in ENV_PREFIXES)
        reason = f"allowed variables: {families}"
    if reason:
        raise ValueError(f"{where}: is not passed to k6: {reason}")


def _require_no_password(where: str, address: str) -> None:
    try:
        password = urlsplit(address).password
    except ValueError:  # not an address; k6 reports it
        password = None
    if password:
        raise ValueError(
            f"{where}: holds a password; put it into an environment variable and list the variable in k6_env_from"
        )
