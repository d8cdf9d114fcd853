"""Configuration files that PEVA-FAAS accepts, for hypothesis: its fields, types and ranges, and any key beside them.

A file is drawn together with what must come of it here: the places of values that mean nothing here (``odd``), the keys
that must be named in the warning (``ignored``), the rates, and the other values as this project reads them.
"""

import datetime
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

_UNKNOWN_KEYS = ["image", "duratoin", "x_y", "Überzahl", 7, True, None, datetime.date(2024, 1, 2)]
_LETTERS = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)
_PATHS = st.sampled_from(["results", "/srv/a b/c", "../x.duckdb", "ü/ö"])
_HOST = "10.0.0.50"


@dataclass
class PevaFaasFile:
    """The file, and what must come of it."""

    content: dict[Any, Any] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    ignored: set[str] = field(default_factory=set)
    values: dict[str, Any] = field(default_factory=dict)
    rates: list[int] | None = None


class _Drawing:
    """One file in the making. PEVA-FAAS converts text and numbers into each other; so do the values here."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.draw = draw
        self.file = PevaFaasFile()

    def seldom(self) -> bool:
        return bool(self.draw(st.integers(0, 40)) == 40)  # a file has about 30 values, and most files should load

    def often(self) -> bool:
        return bool(self.draw(st.booleans()))

    def one_of(self, *values: Any) -> Any:
        return self.draw(st.sampled_from(values))

    def usual(self, where: str, usual: st.SearchStrategy[Any], *odd: Any) -> Any:
        """Draw a value that means something here, or seldom one of those that do not."""
        if odd and self.seldom():
            self.file.odd.append(where)
            return self.one_of(*odd)
        return self.draw(usual)

    def number(self, where: str, low: int, high: int, *odd: Any) -> Any:
        value = self.usual(where, st.integers(low, high), *odd)
        if value is True or where in self.file.odd:
            return value
        self.file.values[where] = value
        return self.one_of(value, value, str(value), float(value))

    def truth(self, where: str) -> Any:
        self.file.values[where] = value = self.often()
        return self.one_of(value, str(value).lower(), "on" if value else "off", int(value))

    def text(self, where: str, usual: st.SearchStrategy[Any], *odd: Any) -> Any:
        self.file.values[where] = value = self.usual(where, usual, *odd)
        return value

    def section(self, where: str, fields: dict[str, Callable[[], Any]]) -> dict[Any, Any]:
        """Draw some of the fields, and sometimes a key that PEVA-FAAS does not know."""
        section = {key: value() for key, value in fields.items() if self.often()}
        if self.one_of(*range(10)) == 0:
            key = self.one_of(*_UNKNOWN_KEYS)
            section[key] = self.one_of(1, "x", [], {}, None)
            self.file.ignored.add(f"{where}.{key}".lstrip("."))
        return section


def _function(drawing: _Drawing, i: int, name: str, lowest: int, highest: int) -> dict[Any, Any]:
    where = f"functions[{i}]"
    too_low = [lowest - 1] if lowest > 0 else []
    rest = drawing.section(
        where,
        {
            "method": lambda: drawing.one_of("get", "POST", " put ", "Delete", "PATCH", "HEAD", "options"),
            "body": lambda: drawing.draw(st.text(max_size=8)),
            "headers": lambda: drawing.usual(
                f"{where}.headers", st.dictionaries(_LETTERS, _LETTERS, max_size=2), {"a b": "x"}, {"X": "a\nb"}
            ),
            "max_rate": lambda: drawing.usual(
                f"{where}.max_rate", st.none() | st.integers(highest, highest + 9), *too_low
            ),
        },
    )
    return {"name": name} | rest


def _strategy(drawing: _Drawing) -> tuple[dict[Any, Any], int, int]:
    """Return a strategy, its lowest rate if a function may have a lower ``max_rate``, and one not below its highest."""
    where = "rate_strategy"
    low, span = drawing.draw(st.integers(0, 40)), drawing.draw(st.integers(0, 100))
    high = low + span
    kind = drawing.one_of("linear", "random", "exponential", "custom")
    fields: dict[str, Any]
    if kind == "linear":
        step = drawing.draw(st.integers(1, 200))
        high = drawing.usual(where, st.just(high), 1_000_000)
        fields = {"min_rate": low, "max_rate": drawing.one_of(high, str(high)), "step": step}
        rates = list(range(low, high + 1, step)) if not drawing.file.odd else None
    elif kind == "random":
        count = drawing.draw(st.integers(1, 150))
        fields = {"min_rate": low, "max_rate": high, "count": count, "seed": drawing.one_of(None, 0, -5, 2**70)}
        rates = list(range(low, high + 1)) if count > span else None
    elif kind == "exponential":
        base = drawing.one_of(2, 3, 10)
        power, last = drawing.one_of(0, 1, 3), drawing.one_of(3, 8, 40, 10**9)
        too_high = [10**9] if base ** min(last, 20) > 100_000 else []
        cap = drawing.usual(where, st.sampled_from([None, 1000, 70_000]), *too_high)
        fields = {"base": base, "min_power": power, "max_power": last, "max_rate": cap}
        rates = [base**n for n in range(power, min(last, 20) + 1) if base**n <= min(cap or 100_000, 100_000)]
        high, low = 100_000, base**power
    else:
        found = drawing.usual(where, st.lists(st.integers(0, 300), min_size=1, max_size=4), [200_000], [5, True])
        fields = {"rates": found}
        rates = sorted(set(found))
        high, low = max(found), min(found)
    drawing.file.rates = rates
    lowest = low if kind in ("exponential", "custom") else 0
    return {"type": kind} | fields | drawing.section(where, {}), lowest, high


def _rates(drawing: _Drawing) -> tuple[dict[Any, Any], int]:
    """Return the older way to give rates, with its highest."""
    low, span, step = (drawing.draw(st.integers(first, 60)) for first in (0, 0, 1))
    drawing.file.rates = list(range(low, low + span + 1, step))
    return {"min_rate": low, "max_rate": low + span, "step": str(step)}, low + span


def _duration(drawing: _Drawing) -> Any:
    whole = st.builds("{}{}".format, st.integers(1, 500), st.sampled_from(["s", "m", "h"]))
    usual = whole | st.builds(" {}ms ".format, st.integers(1000, 5000))
    value = drawing.usual("duration", usual, "500ms", "1ms", "9999999h", "9" * 400 + "s")
    drawing.file.values["duration"] = value.strip()
    return value


def _url(drawing: _Drawing, key: str, host: str | None) -> Any:
    odd = ["", "10.0.0.5:8080", "http://u:p@h", "http://<k3s-ip>:31112", "http://h:port", "http://["]
    odd += [] if host else ["http://{host.address}:31112"]
    usual = [("https://gateway.lab/x/", "https://gateway.lab/x"), ("http://10.0.0.7:1", "http://10.0.0.7:1")]
    if host:
        usual += [
            (f"http://{here}:90/x", f"http://{host}:90/x") for here in ("{host.address}", "localhost", "127.0.0.1")
        ]
    value = drawing.usual(key, st.sampled_from(usual), *odd)
    if isinstance(value, str):
        return value
    drawing.file.values[key] = value[1]
    return value[0]


def _outputs(drawing: _Drawing) -> Any:
    usual = st.lists(st.sampled_from(["", "  ", " json=a.json ", "loki=http://10.0.0.9:3100/loki"]), unique=True)
    odd = (["json", "json=b"], ["csv=-"], ["x=http://u:p@h"], ["loki=http://{host.address}:3100"])
    value = drawing.usual("k6_outputs", usual, *odd)
    drawing.file.values["k6_outputs"] = [output.strip() for output in value if output.strip()]
    return value


def _tags(drawing: _Drawing) -> dict[str, str]:
    tags: dict[str, str] = drawing.draw(st.dictionaries(st.sampled_from(["lab", "Größe", ""]), _LETTERS, max_size=2))
    drawing.file.values["k6_tags"] = dict(tags)
    if drawing.seldom():
        tags["run_id"] = "always overwritten"
        drawing.file.ignored.add("k6_tags.run_id")
    if drawing.seldom():
        tags["function"] = "x"
        drawing.file.odd.append("k6_tags")
    return tags


def _regexes(drawing: _Drawing, names: list[str]) -> dict[str, str]:
    drawing.file.values["function_pid_regexes"] = {names[0]: "1|2"}
    if drawing.often():
        return {names[0]: "1|2"}
    drawing.file.ignored.add("function_pid_regexes.gone")
    return {names[0]: "1|2", "gone": ".*"}


def _cooldown(drawing: _Drawing) -> dict[Any, Any]:
    where = "cooldown"
    return drawing.section(
        where,
        {
            "max_wait_seconds": lambda: drawing.number(f"{where}.max_wait_seconds", 0, 10**6, 10**30, True),
            "sleep_step_seconds": lambda: drawing.number(f"{where}.sleep_step_seconds", 1, 100, 10**30, True),
            "idle_threshold_pct": lambda: drawing.number(f"{where}.idle_threshold_pct", 0, 100, False),
        },
    )


def _overload(drawing: _Drawing) -> dict[Any, Any]:
    where = "overload"
    tops = {
        "cpu_overload_pct_of_capacity": 100, "ram_overload_pct": 100,
        "success_rate_node_min": 1, "success_rate_function_min": 1,
    }  # fmt: skip
    fields: dict[str, Callable[[], Any]] = {
        key: lambda key=key, top=top: drawing.number(f"{where}.{key}", 0, top, True)  # type: ignore[misc]
        for key, top in tops.items()
    }
    fields["replicas_overload_threshold"] = lambda: drawing.number(
        f"{where}.replicas_overload_threshold", 1, 10**6, 10**30
    )
    return drawing.section(where, fields)


def _memory(drawing: _Drawing) -> dict[Any, Any]:
    where = "memory"
    folders = ("preload_core_parquet_dir", "export_core_parquet_dir", "export_raw_debug_parquet_dir")
    fields: dict[str, Callable[[], Any]] = {
        key: lambda key=key: drawing.text(f"{where}.{key}", st.none() | _PATHS)  # type: ignore[misc]
        for key in folders
    }
    fields |= {
        "backend": lambda: "duckdb",
        "db_path": lambda: drawing.text(f"{where}.db_path", _PATHS, "", "~nobody-here/x", "a\0b"),
        "preload_raw_debug": lambda: drawing.truth(f"{where}.preload_raw_debug"),
        "schema_version": lambda: drawing.text(f"{where}.schema_version", _LETTERS, ""),
    }
    return drawing.section(where, fields)


def _deployment(drawing: _Drawing) -> dict[str, Any]:
    """Return keys that mean nothing here."""
    keys = {
        "config_path": "other.yml", "deploy_functions": True, "grafana": {"enabled": True, "api_key": "k", "x": 1},
        "k3s_port": 22, "k3s_ssh_key": "~/.ssh/id", "k3s_user": "root", "k6_host": "{host.address}",
        "k6_log_stream": False, "k6_workspace_root": "/w", "loki": {"labels": {"a": "b"}}, "max_retries": 1,
        "openfaas_port": 1, "prometheus_port": 2, "tags": ["a"], "timeout_buffer": -3,
    }  # fmt: skip
    chosen = drawing.draw(st.sets(st.sampled_from(sorted(keys)), max_size=3))
    drawing.file.ignored |= chosen
    return {key: keys[key] for key in chosen}


@st.composite
def peva_faas_files(draw: Callable[[st.SearchStrategy[Any]], Any]) -> PevaFaasFile:
    """Draw a file that PEVA-FAAS's own validation accepts."""
    drawing = _Drawing(draw)
    file = drawing.file
    host = _HOST if drawing.often() else None
    content: dict[Any, Any] = {"k3s_host": host} if host else {}
    low, high = 0, 200
    if drawing.often():
        content["rate_strategy"], low, high = _strategy(drawing)
    elif drawing.often():
        content["rates"], high = _rates(drawing)
        if drawing.often():  # the default strategy gives way
            content["rate_strategy"] = drawing.one_of({"type": "linear"}, {"type": "linear", "max_rate": 200})
    names = draw(
        st.lists(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True), min_size=1, max_size=3, unique=True)
    )
    if drawing.seldom():
        file.odd.append(f"functions[{len(names)}].name")
        names.append(drawing.one_of("a b", "ä", "x" * 64, "a/b", "{host.address}", " "))
    functions = [_function(drawing, i, name, low, high) for i, name in enumerate(names)]
    file.values["functions"] = names
    smallest = drawing.usual("combinations", st.integers(1, len(names)), len(names) + 1, True)
    fields: dict[str, Callable[[], Any]] = {
        "combinations": lambda: {"min_functions": smallest, "max_functions": smallest + drawing.one_of(1, 2, 10**30)},
        "duration": lambda: _duration(drawing),
        "iterations": lambda: drawing.number("iterations", 1, 1000, 10**30, True),
        "selection_mode": lambda: drawing.one_of("online", "micro_batch"),
        "micro_batch_size": lambda: drawing.number("micro_batch_size", 1, 10**9, True),
        "micro_batch_window_s": lambda: drawing.number("micro_batch_window_s", 1, 10**9, True),
        "algorithm_entrypoint": lambda: drawing.usual(
            "algorithm_entrypoint", st.sampled_from([None, "", "a.b:C"]), "nowhere"
        ),
        "gateway_url": lambda: _url(drawing, "gateway_url", host),
        "prometheus_url": lambda: _url(drawing, "prometheus_url", host),
        "cooldown": lambda: _cooldown(drawing),
        "overload": lambda: _overload(drawing),
        "memory": lambda: _memory(drawing),
        "output_dir": lambda: drawing.usual("output_dir", st.none() | _PATHS, "", "a\0b"),
        "run_id": lambda: drawing.usual("run_id", st.none() | _LETTERS, "run 1", "", "a/b", "x" * 101),
        "queries_path": lambda: drawing.usual("queries_path", _PATHS, ""),
        "scaphandre_enabled": lambda: drawing.truth("scaphandre_enabled"),
        "function_pid_regexes": lambda: _regexes(drawing, names),
        "k6_outputs": lambda: _outputs(drawing),
        "k6_tags": lambda: _tags(drawing),
    }
    given_before = file.odd.count("combinations")
    content |= drawing.section("", fields)
    if given_before and "combinations" not in content:
        file.odd.remove("combinations")
    content |= {"functions": functions} | _deployment(drawing)
    in_common = {key: content.pop(key) for key in list(content) if isinstance(key, str) and drawing.seldom()}
    file.content = {"plugins": {"peva_faas": content}}
    if in_common or drawing.often():
        file.content["common"] = in_common or None
    return file
