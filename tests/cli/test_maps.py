"""Questions to a memory, and the difference of two, as processes of their own."""

import json
from pathlib import Path

import pytest

from peva_env.contracts import Verdict
from tests.support.builders import event
from tests.support.commands import complaint
from tests.support.forkserver import peva
from tests.support.maps import OVERLOADED, not_run, pair, remember, square


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def memory(tmp_path: Path) -> str:
    """Where a campaign puts its memory by default."""
    path = tmp_path / "peva-results" / "peva_faas.duckdb"
    events = [event(pair(20, 20), i) for i in range(3)] + [event(pair(30, 20), verdict=OVERLOADED)]
    return str(remember(path, events))


def test_a_question_is_answered_from_the_memory_of_this_folder(memory: str) -> None:
    ended = peva("ask", "b=20", "a=15")
    assert (ended.returncode, ended.stderr) == (0, "")
    first, follows, ok, overloaded, _, title, _, a, *_ = ended.stdout.splitlines()
    assert first == "a 15 + b 20: OK, proved by what was measured"
    assert follows.strip() == "follows from: a 20 + b 20 was OK in 3 of 3 runs"
    assert ok.strip() == "nearest: a 20 + b 20 was OK in 3 of 3 runs"
    assert overloaded.strip() == "nearest: a 30 + b 20 was OVERLOADED in 1 of 1 runs"
    assert "could be raised" in title
    assert a.split() == ["a", "15", "20", "20", "30", "30"]
    assert "context ctx, repetition 1, 2 configurations measured; inferred within_sets" in ended.stdout


def test_what_was_measured_and_what_is_predicted_say_so(memory: str) -> None:
    assert peva("ask", "a=30", "b=20").stdout.startswith("a 30 + b 20: OVERLOADED, measured: 1 of 1 runs\n")
    predicted = peva("ask", "a=20", "b=21").stdout.splitlines()[0]
    assert "not proved: predicted, overloaded with a probability of" in predicted


def test_a_rate_beyond_all_that_was_measured_is_called_a_guess(memory: str) -> None:
    assert "a guess: beyond the highest measured rate of b" in peva("ask", "a=20", "b=1000").stdout


def test_a_function_without_load_is_absent(memory: str) -> None:
    remember(Path(memory), [event([("a", 50)], verdict=OVERLOADED)])
    assert peva("ask", "a=50", "b=0").stdout.startswith("a 50: OVERLOADED, measured")


def test_names_of_strangers_are_taken_as_they_are(memory: str) -> None:
    remember(Path(memory), [event([("x[/red]\x1b[2J", 10)], started_at=2000.0)], context_hash="strange", run_id="2")
    ended = peva("ask", "x[/red]\x1b[2J=5")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "x[/red][2J 5: OK" in ended.stdout
    assert "\x1b" not in ended.stdout


def test_a_question_asks_by_the_rule_of_its_campaign(memory: str) -> None:
    remember(Path(memory), [not_run([("a", 10)], Verdict.OK)])
    assert "inferred two_sided" in peva("ask", "a=20").stdout
    assert "predicted" in peva("ask", "a=20", "--dominance", "within_sets").stdout


def test_an_answer_is_printed_as_json(memory: str) -> None:
    answer = json.loads(peva("ask", "a=30", "b=20", "--memory", memory, "--json").stdout)
    assert (answer["verdict"], answer["basis"], answer["overloaded"]) == ("OVERLOADED", "measured", 1.0)
    assert answer["because"][0]["n_runs"] == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["a"], "'a': write a function and whole requests per second, such as figlet=40"),
        (["a=1.5"], "'a=1.5': write a function and whole requests per second"),
        (["a=" + "9" * 5000], "write a function and whole requests per second"),
        (["a=٣"], "write a function and whole requests per second"),
        (["a=99999999999"], "write a function and whole requests per second"),
        (["a=1", "a=2"], "a is named twice"),
        (["c=1"], "no context has measured c; it has: a, b"),
        (["a=1", "--context", "x"], "no context hash begins with 'x'; it has: ctx"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_in_one_line(memory: str, args: list[str], said: str) -> None:
    assert said in complaint(peva("ask", *args), 2)


def test_a_memory_that_is_not_there_is_named() -> None:
    assert "memory peva-results/peva_faas.duckdb: there is no such file" in complaint(peva("ask", "a=1"), 1)


def test_a_node_that_bears_less_ends_with_3_unless_that_is_tolerated() -> None:
    remember(Path("before.duckdb"), square(50))
    remember(Path("after.duckdb"), square(40))
    ended = peva("diff", "before.duckdb", "after.duckdb")
    assert (ended.returncode, ended.stderr) == (3, "")
    assert ended.stdout.splitlines() == [
        "before.duckdb -> after.duckdb: 9 configurations of a + b are known in both",
        "  still OK 6, still overloaded 1",
        "  lost 2 (25.0% of the configurations that were OK; the lowest):",
        "    a 20 + b 30",
        "    a 30 + b 20",
        "  gained 0",
    ]
    assert peva("diff", "before.duckdb", "after.duckdb", "--tolerate", "25").returncode == 0
    said = complaint(peva("diff", "before.duckdb", "before.duckdb"), 2)
    assert "before.duckdb twice, and both times context ctx, repetition 1: choose two with --context" in said
    as_json = peva("diff", "after.duckdb", "before.duckdb", "--json")
    assert as_json.returncode == 0
    told = json.loads(as_json.stdout)
    assert (told["n_gained"], told["n_lost"], told["after"]["node"]) == (2, 0, "ctx")
    assert told["highest_gained"] == [[["a", 20], ["b", 30]], [["a", 30], ["b", 20]]]


def test_two_contexts_of_one_memory_are_compared() -> None:
    remember(Path("both.duckdb"), square(40), context_hash="old")
    remember(Path("both.duckdb"), square(50), context_hash="new", run_id="2")
    ended = peva("diff", "both.duckdb", "both.duckdb", "--context", "old", "new")
    assert ended.returncode == 0
    assert "gained 2" in ended.stdout
    assert "context: node: old -> new" in ended.stdout


def test_two_repetitions_of_one_memory_are_compared() -> None:
    remember(Path("both.duckdb"), square(50))
    remember(Path("both.duckdb"), square(40), run_id="2", repetition=2)
    assert "lost 2" in peva("diff", "both.duckdb", "both.duckdb", "--repetition", "1", "2").stdout


def test_maps_without_a_common_function_cannot_be_compared() -> None:
    remember(Path("a.duckdb"), [event([("a", 10)])])
    remember(Path("b.duckdb"), [event([("b", 10)])])
    assert "have no function in common: a; b" in complaint(peva("diff", "a.duckdb", "b.duckdb"), 2)
