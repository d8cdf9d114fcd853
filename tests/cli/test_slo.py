"""``peva-env slo`` as a process: objectives, a sweep, and what is wrong with either."""

import json
from pathlib import Path

import pytest

from tests.support.commands import complaint
from tests.support.forkserver import peva
from tests.support.maps import remember_latencies


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a memory where a campaign puts it by default, and work there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "peva-results").mkdir()
    return remember_latencies(tmp_path / "peva-results" / "peva_faas.duckdb")


def test_a_sweep_has_a_line_for_each_limit() -> None:
    ended = peva("slo", "--sweep", "p95_ms_max=40:120:20", "--json")

    found = json.loads(ended.stdout)["objectives"]
    assert [(one["objective"], one["total_rps"]) for one in found] == [
        ("p95_ms_max=40", 20), ("p95_ms_max=60", 30), ("p95_ms_max=80", 40), ("p95_ms_max=100", 50),
        ("p95_ms_max=120", 60),
    ]  # fmt: skip


def test_objectives_are_told_as_a_table() -> None:
    ended = peva("slo", "p95_ms_max=70", "p95_ms_max=100,a.p95_ms_max=60")

    assert (ended.returncode, ended.stderr) == (0, "")
    *_, first, second, _, _ = ended.stdout.splitlines()
    assert first.split()[:6] == ["p95_ms_max=70", "3", "6", "0", "30", "30"]
    assert second.split()[:6] == ["p95_ms_max=100,a.p95_ms_max=60", "3", "6", "0", "30", "30"]


def test_without_an_objective_it_is_that_of_the_campaign_and_a_rule_changes_it() -> None:
    assert "as in the campaign   9" in peva("slo").stdout
    assert "as in the campaign   6" in peva("slo", "--rule", "p95_ms_max=80").stdout


def test_a_figure_that_cannot_be_written_is_told_before_the_table() -> None:
    pytest.importorskip("matplotlib", reason="needs the `report` extra")
    ended = peva("slo", "--figure", "none/slo.svg")
    assert complaint(ended, 1) == "peva-env: --figure none/slo.svg: cannot be written: No such file or directory"
    assert ended.stdout == ""


def test_a_figure_is_drawn_whatever_backend_the_environment_names(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the `report` extra")
    assert peva("slo", "--figure", "slo.svg", MPLBACKEND="module://not_installed").returncode == 0
    assert (tmp_path / "slo.svg").exists()


def test_a_sweep_of_fractions_ends_where_it_should() -> None:
    ended = peva("slo", "--sweep", "success_rate_node_min=0.9:0.99:0.03", "--json")

    names = [one["objective"].partition("=")[2] for one in json.loads(ended.stdout)["objectives"]]
    assert names == ["0.9", "0.93", "0.96", "0.99"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--sweep", "p95_ms_max=40:120"], "write a rule, the first limit, the last and the step"),
        (["--sweep", "p95_ms_max=40:120:0"], "write a rule, the first limit, the last and the step"),
        (["--sweep", "p95_ms_max=120:40:10"], "write a rule, the first limit, the last and the step"),
        (["--sweep", "p95_ms_max=1:1e9:1"], "has more than 1,000 limits; give a larger step"),
        (["--sweep", "p95_ms_max=0:1e308:1e-300"], "has more than 1,000 limits; give a larger step"),
        (["--sweep", "p95_ms_max=-inf:5:1"], "write a rule, the first limit, the last and the step"),
        (["--sweep", "p95_ms=40:120:10"], "p95_ms: unknown key; did you mean 'p95_ms_max'?"),
        (["--sweep", "p95_ms_max=40:120:10", "p95_ms_max=9"], "give objectives or --sweep, not both"),
        (["p95_ms_max"], "write a key of overload and a value"),
        (["functions=5,a.p95_ms_max=9"], "rules of single functions are written as figlet.p95_ms_max=200"),
        (["functions=null,a.p95_ms_max=9"], "rules of single functions are written as figlet.p95_ms_max=200"),
        (["--figure", "slo.pdf"], "must end in .svg or .png"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(arguments: list[str], problem: str) -> None:
    assert problem in complaint(peva("slo", *arguments), 2)
