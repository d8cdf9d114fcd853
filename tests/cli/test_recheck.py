"""The command ``recheck``: what it refuses, and a node that bears less, as much and more than before."""

import json
from pathlib import Path
from typing import Any

import pytest

from peva_env.cli.recheck import exit_code, left_out, print_comparison, suited
from peva_env.config import parse_config
from peva_env.console import make_console
from peva_env.maps import Recheck, compare, read_map
from peva_env.space import ConfigSpace
from tests.support.campaigns import WAITS_200_MS, campaign, function, write
from tests.support.commands import complaint, files
from tests.support.forkserver import peva
from tests.support.maps import RATES, node_map_of, remember, square


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def recheck(*args: str, memory: str = "m.duckdb") -> Any:
    return peva("recheck", "--memory", memory, "--config", "peva.yml", *args)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "the earlier map has no configuration of quick alone; its functions: a, b"),
        ({"dominance": "one_sided"}, "dominance: one_sided lets an OK configuration prove only itself"),
        (
            {"rate_strategy": {"type": "auto"}},
            "rate_strategy.type auto: m.duckdb has no rates of quick; give it a rate_strategy of its own",
        ),
    ],
)
def test_a_map_that_cannot_be_rechecked_is_refused_in_one_line_before_anything_starts(
    settings: dict[str, Any], said: str
) -> None:
    remember(Path("m.duckdb"), square(40))
    write(campaign(rates=[10], **settings))
    before = files()
    assert said in complaint(recheck(), 2)
    assert files() == before


def test_a_memory_without_a_valid_run_has_no_map_to_recheck() -> None:
    write(campaign(rates=[10]))
    assert "there is no such file" in complaint(recheck(), 1)
    remember(Path("m.duckdb"), [])
    assert "it has no measured events yet" in complaint(recheck(), 2)


@pytest.mark.parametrize("others", [{"refine": "5%", "confirm": 0.95}, {"configurations": [{"a": 20}]}])
def test_keys_for_what_else_a_campaign_measures_have_no_effect_on_a_recheck(others: dict[str, Any]) -> None:
    before = read_map(remember(Path("m.duckdb"), square(40)))
    plain = campaign({"name": "a"}, {"name": "b"}, rates=[10, 20], dominance="within_sets", repeats="all")
    others |= {"iterations": 3, "repeats": "adaptive"}
    asked, usual = (parse_config(one, where="peva.yml") for one in (plain | others, plain))
    assert suited(asked, before) == usual


def test_functions_that_are_gone_are_named_and_the_result_does_not_speak_for_them() -> None:
    before = read_map(remember(Path("m.duckdb"), square(40)))
    assert left_out(before, ConfigSpace({"a": RATES})) == [
        "left out: the configurations of the earlier map with b, which the configuration no longer has"
    ]
    assert left_out(before, ConfigSpace({"a": RATES, "b": RATES, "c": RATES})) == []


def test_a_map_that_held_is_told_with_what_differs_in_how_it_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    before, after = (node_map_of(square(40), context={"duration_s": length_s}) for length_s in (5.0, 8.0))
    print_comparison(make_console(), before, after, compare(before, after), found())
    assert capsys.readouterr().out == "  context: duration_s: 5.0 -> 8.0\n"


def found(**values: Any) -> Recheck:
    counts = {"n_configs": 9, "n_certificate": 3, "n_agreed": 3, "n_unproved": 0, "n_runs": 3}
    nothing: dict[str, Any] = {"lost": (), "gained": (), "unsure": (), "lost_share": 0.0, "is_finished": True}
    return Recheck(**(counts | nothing | values))


LOST: dict[str, Any] = {"lost": ([("a", 10)],)}
GAINED: dict[str, Any] = {"gained": ([("a", 30)],)}


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (found(), 0),
        (found(unsure=([("a", 10)],), lost_share=0.1), 0),
        (found(**LOST, lost_share=0.1), 3),
        (found(**LOST, lost_share=0.1, is_finished=False), 3),
        (found(**LOST, lost_share=0.05), 0),
        (found(**LOST, lost_share=0.05, is_finished=False), 5),
        (found(**GAINED), 4),
        (found(**LOST, **GAINED, lost_share=0.05), 0),
        (found(is_finished=False), 5),
    ],
)
def test_the_exit_code_says_what_was_found_and_tolerates_a_share(result: Recheck, code: int) -> None:
    assert exit_code(result, tolerate=5.0) == code


@pytest.mark.live
def test_a_recheck_tells_a_node_that_bears_as_much_from_one_that_bears_less_or_more() -> None:
    pytest.importorskip("functions_framework")
    limited = function("limited", WAITS_200_MS, concurrency=20)  # 100 requests/s
    plan = campaign(limited, rates=[8, 60, 300], max_invalid_retries=20)
    write(plan)
    assert peva("run", "--config", "peva.yml", "--agent", "bisection").returncode == 0
    Path("peva-results").rename("baseline")

    held = recheck(memory="baseline/peva_faas.duckdb")
    assert (held.returncode, held.stderr) == (0, "")
    assert held.stdout.splitlines()[-1] == (
        "held: 2 of the 2 configurations of the certificate agree: all 3 verdicts of the earlier map are proved "
        "again; 2 runs, as few as any sound method needs"
    )

    limited["concurrency"] = 4
    write(plan)
    lost = recheck("--json", memory="baseline/peva_faas.duckdb")
    assert lost.returncode == 3, lost.stderr
    told = json.loads(lost.stdout)
    assert (told["lowest_lost"], told["n_unknown"], told["n_gained"]) == ([[["limited", 60]]], 0, 0)
    assert told["recheck"]["lost"] == [[["limited", 60]]]

    limited["concurrency"] = 100
    write(plan)
    gained = recheck(memory="baseline/peva_faas.duckdb")
    assert gained.returncode == 4, gained.stdout
    assert "  gained for certain: limited 300" in gained.stdout.splitlines()
