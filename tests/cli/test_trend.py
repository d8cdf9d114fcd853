"""``peva-env trend`` as a process: text, JSON, a figure, exit codes, and what is wrong with the memories."""

import json
from pathlib import Path

import pytest

from tests.support.builders import event
from tests.support.commands import complaint
from tests.support.forkserver import peva
from tests.support.maps import OK, OVERLOADED, remember_in

LIMITS = (100, 100, 100, 20, 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a memory for each day, and one of another node."""
    folder = tmp_path_factory.mktemp("trend")
    for day, limit in enumerate(LIMITS):
        context = {"node": {"hostname": "n", "code": day}, "functions": {"a": {}}, "duration_s": 2.0}
        runs = [
            event([("a", rate)], verdict=OK if rate <= limit else OVERLOADED, started_at=day * 86_400.0)
            for rate in range(20, 140, 20)
        ]
        remember_in(folder / f"{day}.duckdb", context, runs)
    remember_in(folder / "other.duckdb", {"node": {"hostname": "m"}, "duration_s": 2.0}, [event([("a", 20)])])
    return folder


@pytest.fixture
def memories(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Work where the memories are."""
    monkeypatch.chdir(folder)
    return [f"{day}.duckdb" for day in range(len(LIMITS))]


def test_a_loss_is_told_and_ends_with_3(memories: list[str]) -> None:
    ended = peva("trend", *reversed(memories))

    assert (ended.returncode, ended.stderr) == (3, "")
    assert "1970-01-03 00:00:00 UTC    100  100  2.duckdb" in ended.stdout
    assert "total: 100 -> 20 requests/s (-80%) from 1970-01-04 00:00:00 UTC on, 3.duckdb (p = 0.0" in ended.stdout


def test_a_tolerated_loss_and_a_series_without_change_end_with_0(memories: list[str]) -> None:
    assert peva("trend", *memories, "--tolerate", "80").returncode == 0
    steady = peva("trend", *memories[:3])
    assert (steady.returncode, steady.stdout.splitlines()[-1]) == (0, "no change beyond chance")


def test_json_and_a_figure_have_the_change(memories: list[str]) -> None:
    pytest.importorskip("matplotlib", reason="needs the `report` extra")
    data = json.loads(peva("trend", *memories, "--json", "--figure", "trend.svg").stdout)
    (change,) = data["changes"]["total"]
    assert (change["index"], change["memory"], change["share"]) == (3, "3.duckdb", -0.8)
    assert data["lost_share"] == 0.8
    assert Path("trend.svg").read_text().startswith("<?xml")


def test_what_is_wrong_is_told_in_one_line(memories: list[str]) -> None:
    assert "a trend needs at least 3 memories" in complaint(peva("trend", *memories[:2]), 2)
    assert "2.duckdb has the same runs as 2.duckdb" in complaint(peva("trend", *memories, "2.duckdb"), 2)
    unlike = complaint(peva("trend", *memories, "other.duckdb"), 2)
    assert "is not like" in unlike
    assert "node.hostname" in unlike
