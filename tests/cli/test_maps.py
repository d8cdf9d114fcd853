"""Questions to a memory, and the difference of two, as processes of their own."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from peva_env.config import load_config
from peva_env.contracts import EndStatus, Verdict
from peva_env.planning import DfaasPlanBuilder
from peva_env.system import command_text
from tests.support.builders import event
from tests.support.commands import complaint
from tests.support.forkserver import peva
from tests.support.maps import OVERLOADED, clear_run, not_run, pair, remember, remember_latencies, square


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
    assert first == "a 15 + b 20: OK, inferred from what was measured"
    assert follows.strip() == "follows from: a 20 + b 20 was OK in 3 of 3 runs"
    assert ok.strip() == "nearest: a 20 + b 20 was OK in 3 of 3 runs"
    assert overloaded.strip() == "nearest: a 30 + b 20 was OVERLOADED in 1 of 1 runs"
    assert "could be raised" in title
    assert a.split() == ["a", "15", "20", "20", "30", "30"]
    assert ended.stdout.splitlines()[-1] == (
        "node ctx, context ctx, repetition 1, 2 configurations measured; inferred within_sets. "
        "The campaign inferred less (one_sided) and measured the rest; --dominance one_sided answers by "
        "its rule"
    )
    assert peva("ask", "b=20", "a=20", "--dominance", "one_sided").stdout.endswith("measured; inferred one_sided\n")


def test_a_space_that_is_too_large_to_list_is_answered_without_that_explanation(tmp_path: Path) -> None:
    path = tmp_path / "peva-results" / "peva_faas.duckdb"
    names, rates = "abcdefgh", range(10, 100, 10)
    events = [event([(name, rate) for name in names]) for rate in rates]
    remember(path, [*events, event([("a", 10)], verdict=OVERLOADED)])
    ended = peva("ask", *(f"{name}=10" for name in names))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "adding a function" not in ended.stdout


def test_a_mix_that_a_further_function_makes_ok_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "peva-results" / "peva_faas.duckdb"
    remember(path, [event([("a", 20)], verdict=OVERLOADED), event(pair(20, 20))])
    explained = "fewer of these functions at no higher rates are overloaded: adding a function can make a mix OK"
    assert explained in peva("ask", "a=20", "b=20").stdout
    assert explained not in peva("ask", "a=20").stdout


def test_what_was_measured_and_what_is_predicted_say_so(memory: str) -> None:
    assert peva("ask", "a=30", "b=20").stdout.startswith(
        "a 30 + b 20: OVERLOADED, measured: 1 of 1 runs, incomplete: others have 3\n"
    )
    ended = peva("ask", "a=20", "b=21")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "predicted, not proved, overloaded with a probability of" in ended.stdout.splitlines()[0]


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
        (["a=1", "--context", "x"], "no node is called 'x' and no context hash begins with it; it has: ctx"),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused_in_one_line(memory: str, args: list[str], said: str) -> None:
    assert said in complaint(peva("ask", *args), 2)


def test_a_memory_that_is_not_there_is_named() -> None:
    assert "memory peva-results/peva_faas.duckdb: there is no such file" in complaint(peva("ask", "a=1"), 1)


@pytest.mark.parametrize("folder", ["/", "."])
@pytest.mark.parametrize(
    "args",
    [
        ["report", "--out", "map.html"],
        ["twin", "--out", "node.json"],
        ["slo", "p95_ms_max=200", "--figure", "slo.svg"],
    ],
)
def test_a_folder_in_place_of_a_memory_is_refused_in_one_line(args: list[str], folder: str) -> None:
    if "--figure" in args:
        pytest.importorskip("matplotlib", reason="needs the `report` extra")
    line = complaint(peva(*args, "--memory", folder), code=1)
    assert "is a folder; name the file in it" in line


def test_a_node_that_bears_less_ends_with_3_unless_that_is_tolerated() -> None:
    remember(Path("before.duckdb"), square(50))
    remember(Path("after.duckdb"), square(40))
    ended = peva("diff", "before.duckdb", "after.duckdb")
    assert (ended.returncode, ended.stderr) == (3, "")
    assert ended.stdout.splitlines() == [
        "before.duckdb -> after.duckdb: 9 configurations of a + b are known in both",
        "  still OK 6, still overloaded 1",
        "  lost 2 (25.0% of the configurations that were OK; the lowest):",
        *(
            f"    {config}: OK in 1 of 1 runs, margin +0.200, over 99.9% sure -> "
            "OVERLOADED in 1 of 1 runs, margin -0.200, over 99.9% sure"
            for config in ("a 20 + b 30", "a 30 + b 20")
        ),
        "  gained 0",
        "  compared: 100.0% of the 8 configurations that were OK (0 undecided, 0 unknown now)",
    ]
    assert peva("diff", "before.duckdb", "after.duckdb", "--tolerate", "25").returncode == 0
    said = complaint(peva("diff", "before.duckdb", "before.duckdb"), 2)
    assert "before.duckdb twice, and both times context ctx, repetition 1: choose two with --context" in said
    as_json = peva("diff", "after.duckdb", "before.duckdb", "--json")
    assert as_json.returncode == 0
    told = json.loads(as_json.stdout)
    assert (told["n_gained"], told["n_lost"], told["after"]["node"]) == (2, 0, "ctx")
    assert told["highest_gained"] == [[["a", 20], ["b", 30]], [["a", 30], ["b", 20]]]
    assert (told["level"], told["coverage"], told["n_undecided"], told["lost"]) == (0.95, 1.0, 0, [])
    first = told["gained"][0]
    assert first["config"] == [["a", 20], ["b", 30]]
    assert (first["before"]["verdict"], first["after"]["margin"]) == ("OVERLOADED", 0.2)


@pytest.fixture
def unsure() -> None:
    """Two maps that differ in one configuration, by so little that it may be luck; and the second's configuration."""
    remember(Path("before.duckdb"), square(60))
    luck = clear_run(pair(30, 30), OVERLOADED, margin=0.02)
    remember(Path("after.duckdb"), [*square(60)[:-1], luck])
    functions = "[{name: a, method: POST, max_rate: 30}, {name: b}]"
    Path("c.yml").write_text(
        f"functions: {functions}\nrate_strategy: {{type: auto}}\nrepeats: adaptive\nrun_id: mine\n"
    )


@pytest.mark.usefixtures("unsure")
def test_luck_is_no_loss_and_a_comparison_of_too_little_ends_with_5() -> None:
    ended = peva("diff", "before.duckdb", "after.duckdb")
    assert (ended.returncode, ended.stderr) == (5, "")
    assert "  lost 0\n" in ended.stdout
    assert "  undecided 1 (the verdicts differ, but one of them is less than 0.95 sure):\n" in ended.stdout
    assert "  compared: 88.9% of the 9 configurations that were OK (1 undecided, 0 unknown now)\n" in ended.stdout
    assert "to decide the rest: 6 more runs of 1 configuration; --plan writes them" in ended.stdout
    assert peva("diff", "before.duckdb", "after.duckdb", "--coverage", "80").returncode == 0
    assert peva("diff", "before.duckdb", "after.duckdb", "--level", "0.7").returncode == 3
    remember(Path("unfinished.duckdb"), square(60)[:2], status=EndStatus.BUDGET)
    assert peva("diff", "before.duckdb", "unfinished.duckdb").returncode == 5


@pytest.mark.usefixtures("unsure")
def test_the_runs_that_would_decide_are_written_as_a_configuration() -> None:
    diff = ("diff", "before.duckdb", "after.duckdb", "--plan", "decide.yml")
    ended = peva(*diff, "--config", "c.yml")
    assert f"  run: {command_text('run', '--config', 'decide.yml', '--repetition', '1')}\n" in ended.stdout
    plan = load_config("decide.yml")
    assert (plan.configurations, plan.iterations, plan.repeats) == ([{"a": 30, "b": 30}], 7, "all")
    assert plan.run_id is None
    assert (plan.functions[0].method, plan.memory.db_path) == ("POST", str(Path("after.duckdb").resolve()))
    assert list(DfaasPlanBuilder(plan).build_chosen() or ()) == [pair(30, 30)]
    told = peva("plan", "--config", "decide.yml").stdout
    assert "1 configurations of 2 to 2 functions x 7 iterations = 7 runs" in told
    assert peva(*diff, "--config", "c.yml").returncode == 5  # replaces its own plan
    assert "--plan FILE and --config FILE go together" in complaint(peva(*diff), 2)
    other = complaint(peva(*diff[:-1], "c.yml", "--config", "c.yml"), 2)
    assert "c.yml: is another file of this command" in other


@pytest.mark.parametrize("level", ["1.0", "0.5", "inf"])
def test_a_level_of_certainty_is_refused_in_one_line(level: str) -> None:
    said = complaint(peva("diff", "before.duckdb", "after.duckdb", "--level", level), 2)
    assert "must be above 0.5 and below 1, such as 0.95; no number of runs makes a verdict certain" in said


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


def test_a_question_can_change_the_rules_and_nothing_is_measured_again(tmp_path: Path) -> None:
    memory = str(remember_latencies(tmp_path / "m.duckdb"))

    usual = peva("ask", "a=20", "b=20", "--memory", memory)
    strict = peva("ask", "a=20", "b=20", "--memory", memory, "--rule", "p95_ms_max=70")

    assert usual.stdout.startswith("a 20 + b 20: OK, measured: 1 of 1 runs")
    assert strict.stdout.startswith("a 20 + b 20: OVERLOADED, measured: 1 of 1 runs")
    assert "note: judged by other rules than in the last campaign: p95_ms_max 70" in strict.stdout


def test_a_file_of_rules_and_an_option_judge_together_and_the_option_goes_first(tmp_path: Path) -> None:
    memory = str(remember_latencies(tmp_path / "m.duckdb"))
    Path("rules.yml").write_text("p95_ms_max: 70\nfunctions: {b: {p95_ms_max: 90}}\n")
    options = ("--memory", memory, "--rule-file", "rules.yml")

    assert "b.p95_ms_max 90, p95_ms_max 70" in peva("ask", "a=20", "b=20", *options).stdout
    relaxed = peva("ask", "a=20", "b=20", *options, "--rule", "p95_ms_max=null")
    assert relaxed.stdout.startswith("a 20 + b 20: OK")
    assert peva("ask", "a=30", "b=20", *options, "--rule", "p95_ms_max=null").stdout.startswith(
        "a 30 + b 20: OVERLOADED"
    )


def test_the_configuration_of_a_campaign_is_a_file_of_rules(tmp_path: Path) -> None:
    memory = str(remember_latencies(tmp_path / "m.duckdb"))
    Path("c.yml").write_text("functions: [{name: a, overload: {p95_ms_max: 70}}, {name: b}]\n")

    asked = peva("ask", "a=20", "b=20", "--memory", memory, "--rule-file", "c.yml")

    assert asked.stdout.startswith("a 20 + b 20: OVERLOADED")


def test_a_difference_and_a_summary_by_other_rules(tmp_path: Path) -> None:
    before = str(remember_latencies(tmp_path / "m.duckdb"))
    after = str(remember(tmp_path / "n.duckdb", square(100)))

    same = peva("diff", before, after, "--json")
    strict = peva("diff", before, before, "--rule", "p95_ms_max=70")
    info = peva("memory", "info", before, "--rule", "p95_ms_max=70", "--json")

    assert json.loads(same.stdout)["n_lost"] == 0
    assert "choose two with --context or --repetition" in complaint(strict, 2)
    assert {count["verdict"]: count["n"] for count in json.loads(info.stdout)["events"]} == {"OK": 3, "OVERLOADED": 6}


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("p95_ms_max", "write a key of overload and a value, such as p95_ms_max=200"),
        ("p95_ms_max=", "the value must be a number, true, false, or null to switch the rule off"),
        ("p95_ms_max=1_000", "the value must be a number, true, false, or null to switch the rule off"),
        ("p95_ms_max=-1", "p95_ms_max = -1.0: input should be greater than 0"),
        ("p95_ms=200", "p95_ms: unknown key; did you mean 'p95_ms_max'?"),
        ("nobody.p95_ms_max=200", "there is no function 'nobody'; there are: a, b"),
        (".p95_ms_max=200", "write a key of overload and a value"),
    ],
)
def test_a_wrong_rule_is_refused_in_one_line(tmp_path: Path, rule: str, problem: str) -> None:
    memory = str(remember_latencies(tmp_path / "m.duckdb"))

    assert problem in complaint(peva("ask", "a=20", "--memory", memory, "--rule", rule), 2)


def test_a_rule_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    memory = str(remember_latencies(tmp_path / "m.duckdb"))
    twice = ("--rule", "p95_ms_max=1", "--rule", "p95_ms_max=2")

    assert "p95_ms_max is given twice" in complaint(peva("ask", "a=20", "--memory", memory, *twice), 2)


def remember_fleet(path: Path, *, limits: dict[str, int], last: str) -> str:
    """Write the memory of a fleet, of which one node was measured last."""
    for name, limit in limits.items():
        runs = [replace(one, started_at=2000.0 if name == last else 1000.0) for one in square(limit)]
        remember(path, runs, context_hash=f"of-{name}", run_id=f"{name}.20261129T100000")
    return path.name


def test_nodes_of_a_fleet_are_compared_by_their_names_and_never_by_chance(tmp_path: Path) -> None:
    limits = {"small": 20, "large": 60}
    before = remember_fleet(tmp_path / "before.duckdb", limits=limits, last="small")
    after = remember_fleet(tmp_path / "after.duckdb", limits=limits, last="large")
    ended = peva("diff", before, before, "--context", "small", "large")
    assert ended.stdout.startswith("before.duckdb (small) -> before.duckdb (large): 9 configurations")
    assert peva("diff", before, after, "--context", "small", "small").returncode == 0
    for command in (["diff", before, after], ["trend", before, after, before]):
        said = complaint(peva(*command), 2)
        assert "different nodes of a fleet were measured last (" in said
        assert "before.duckdb small, " in said
        assert said.endswith("after.duckdb large): choose with --context")
    listed = peva("memory", "info", before).stdout
    assert "of-small  small" in " ".join(listed.split("\n"))
