"""``peva-env limits`` as a process: text, JSON, YAML and snippets, and what is wrong with its options."""

import json
from pathlib import Path

import pytest
import yaml

from tests.support.builders import event
from tests.support.commands import complaint
from tests.support.forkserver import peva
from tests.support.maps import OVERLOADED, RATES, remember, remember_latencies, square


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a memory where a campaign puts it by default."""
    folder = tmp_path_factory.mktemp("limits")
    alone = [event([(name, rate)]) for name in "ab" for rate in RATES]
    remember(folder / "peva-results" / "peva_faas.duckdb", [*square(40), *alone])
    return folder


@pytest.fixture(autouse=True)
def _work_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def test_limits_are_told_as_text() -> None:
    ended = peva("limits", "--mix", "a=2,b=1")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = [line.strip() for line in ended.stdout.splitlines()]
    assert "a 10 + b 30     40   1 of 1  over 99.9%" in lines
    assert "a 2 + b 1: OK up to 10 times, a 20 + b 10" in lines
    assert "overloaded from 20 times" in lines
    assert "a            20               30                  30" in lines
    assert "follows from: a 20 + b 20 was OK, over 99.9% sure" in lines
    source = "node ctx, context ctx, repetition 1, 15 configurations measured; inferred within_sets"
    assert any(line.startswith(source) for line in lines)


def test_json_and_yaml_have_the_same() -> None:
    arguments = ("limits", "--mix", "a=2,b=1", "--mix", "b=1", "--weight", "a=5")
    data = json.loads(peva(*arguments, "--json").stdout)
    assert yaml.safe_load(peva(*arguments, "--yaml").stdout) == data
    assert [limit["limit_rps"] for limit in data["box"]["limits"]] == [30, 10]
    assert [mix["multiple"] for mix in data["mixes"]] == [10.0, 30.0]
    highest = data["highest"][0]
    assert highest.pop("confidence") > 0.999
    assert highest == {"rates_rps": {"a": 10, "b": 30}, "total_rps": 40, "n_runs": 1, "n_overloaded": 0}


def test_another_rule_gives_other_limits(tmp_path: Path) -> None:
    memory = str(remember_latencies(tmp_path / "m.duckdb"))
    arguments = ("limits", "--memory", memory, "--dominance", "two_sided", "--json")
    limits = [
        [one["limit_rps"] for one in json.loads(peva(*arguments, *rule).stdout)["box"]["limits"]]
        for rule in ((), ("--rule", "p95_ms_max=80"))
    ]
    assert limits == [[30, 30], [20, 20]]


def test_a_snippet_is_printed_alone() -> None:
    text = peva("limits", "--snippet", "nginx").stdout
    assert all(line.startswith(("#", "map", "limit_req", " ", "}")) for line in text.splitlines() if line)
    assert "rate=20r/s;" in text


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--mix", "a"], "--mix 'a': write each function once, with a number, as in fetch=2,checkout=1"),
        (["--mix", "a=1,a=2"], "write each function once, with a number"),
        (["--mix", "c=1"], "mix: there is no function 'c' on this map; there are: a, b"),
        (["--mix", "a=-1"], "mix: a=-1 must be a number above 0"),
        (["--weight", "a=inf"], "weight: a=inf must be a number above 0"),
        (["--json", "--snippet", "k6"], "give one of --json, --yaml and --snippet"),
        (["--snippet", "knative"], "no latency of a was measured"),
        (["--functions", "c"], "no context has measured c"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(arguments: list[str], problem: str) -> None:
    assert problem in complaint(peva("limits", *arguments), 2)


def test_a_memory_without_ok_runs_says_that_nothing_is_safe(tmp_path: Path) -> None:
    memory = remember(tmp_path / "m.duckdb", [event([("a", 10)], verdict=OVERLOADED)])
    ended = peva("limits", "--memory", str(memory))
    assert ended.returncode == 0
    assert "note: nothing is proved OK, so no load is known to be safe: measure lower rates" in ended.stdout
