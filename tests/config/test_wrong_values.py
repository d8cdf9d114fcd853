"""Values that nobody meant, at every key: each of them loads, or is refused in one line.

They are written as YAML, for much of what goes wrong is what YAML makes of a word: a truth value, a date, a number.
"""

import json
import re
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from peva_env.config import DfaasConfig, Section, load_config
from peva_env.config import rates as rate_strategies
from peva_env.errors import ConfigError
from peva_env.planning import DfaasPlanBuilder

VALUES = [
    *("no", "on", "off", "yes", "null", "~", "true"),
    *("1_000", "0o17", "0777", "0x1F", "0b101", "0b_", "1:30", "190:20:30", "1e400", "1e3", "-1", "0", "3.5", "007"),
    *(
        "2024-01-01",
        "2024-13-45",
        "2024-01-01 10:00:00",
        ".nan",
        ".inf",
        "-.inf",
        "9" * 30,
        "-" + "9" * 400,
        "9" * 5000,
    ),
    *(
        '""',
        '" "',
        r'"\0"',
        r'"\ud83d\ude00"',
        r'"\ud800"',
        r'"line\nbreak"',
        "ä",
        "😀",
        '"{host.address}"',
        "~nobody-here/x",
        "x" * 300,
    ),
    *("[]", "[[]]", "[null]", "[1, x]", "{}", "{1: 2}", "{on: off}", "{null: null}", "{a: {b: c}}"),
    *("!!binary aGVsbG8=", "!!set {a, b}", "!!omap [a: 1]", "!!int abc", "!!timestamp x", "=", "<<"),
    *("&a [*a]", "&a {memory: *a}", "!!python/object:os.system x"),
]


def _places(model: type[Section], text: str) -> Iterator[str]:
    """Yield files with VALUE at each key of a section; ``text`` has the section in it as KEYS."""
    for key, field in model.model_fields.items():
        if key != "type":
            rest = [f"{name}: {value}" for name, value in (("name", "a"), ("url", "'http://h'")) if name != key]
            required = {name for name, other in model.model_fields.items() if other.is_required()}
            needed = [part for part in rest if part.partition(":")[0] in required]
            yield text.replace("KEYS", ", ".join([*needed, f"{key}: VALUE"]))
        for part in _parts(field.annotation):
            if isinstance(part, type) and issubclass(part, Section):
                listed = typing.get_origin(field.annotation) is list
                yield from _places(part, text.replace("KEYS", f"{key}: [{{KEYS}}]" if listed else f"{key}: {{KEYS}}"))


def _parts(annotation: object) -> list[object]:
    arguments = typing.get_args(annotation)
    return [part for argument in arguments for part in _parts(argument)] if arguments else [annotation]


def places() -> list[str]:
    found = [place for place in _places(DfaasConfig, "{KEYS}") if "rate_strategy: {" not in place]
    for kind in ("Linear", "Random", "Exponential", "Custom"):
        model = getattr(rate_strategies, f"{kind}Rates")
        found += _places(model, f"{{rate_strategy: {{type: {kind.lower()}, KEYS}}}}")
    inside = [
        "{rate_strategy: {type: VALUE}}", "{rate_strategy: {type: custom, rates: [VALUE]}}", "{rates: VALUE}",
        "{rates: {min_rate: VALUE}}", "{functions: [VALUE]}", "{functions: [{name: VALUE}]}",
        "{functions: [{name: a, ? VALUE : 1}]}", "{functions: [{name: a, headers: {X: VALUE}}]}",
        "{functions: [{name: a, headers: {? VALUE : x}}]}", "{cooldown: {? VALUE : 1}}", "{k6_outputs: [VALUE]}",
        "{k6_env_from: [VALUE]}", "{k6_env: {K6_CSV_X: VALUE}}", "{k6_tags: {a: VALUE}}", "{k6_tags: {? VALUE : x}}",
        "{k6_options: {userAgent: VALUE}}", "{k6_options: {? VALUE : x}}", "{function_pid_regexes: {fetch: VALUE}}",
        "{gateway_url: VALUE, k3s_host: h}", "{memory: {db_path: VALUE}}", "{? VALUE : 3}",
    ]  # fmt: skip
    # Those also in a file of PEVA-FAAS, which forgives other things.
    older = [f"{{plugins: {{peva_faas: {place}}}}}" for place in inside]
    outside = [
        "VALUE",
        "{common: VALUE}",
        "{plugins: VALUE}",
        "{plugins: {peva_faas: VALUE}}",
        "{common: {? VALUE : 3}}",
        "{common: {k3s_host: VALUE}}",
    ]
    found += [f"{{platform: http, functions: [{{name: a, url: {url}}}]}}" for url in ("VALUE", "'http://h/?VALUE'")]
    return found + inside + older + outside


def test_every_key_has_its_place() -> None:
    found = " ".join(places())
    for needle in (
        "{iterations: ",
        "overload: {ram",
        "memory: {db_path",
        "functions: [{name: a, max_rate",
        "grafana: {url",
    ):
        assert needle in found


@pytest.mark.parametrize("place", places(), ids=lambda place: place.replace("\n", " "))
def test_a_value_that_nobody_meant_loads_or_is_refused_in_one_line(place: str, tmp_path: Path) -> None:
    path = tmp_path / "peva.yml"
    for value in VALUES:
        path.unlink(missing_ok=True)  # to overwrite a file takes longer: some file systems wait until it is on disk
        path.write_text(place.replace("VALUE", value), encoding="utf-8")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                config = load_config(path)
        except ConfigError as error:
            said = str(error)
        else:
            said = "it loads"
            json.dumps(config.model_dump(mode="json"), allow_nan=False).encode()
            assert DfaasPlanBuilder(config).estimate().total_s > 0
        assert re.fullmatch(r"[^\n]{8,1500}", said), value
        assert "pattern" not in said, "a regular expression does not say what would be right"
