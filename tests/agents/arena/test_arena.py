"""The arena: what is read of an episode, what is made of it, and that a stopped one goes on to the same end."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from peva_agents.arena.config import BASELINES, fitting_budgets, parse_arena, reading_points
from peva_agents.arena.episode import FIGURES, EpisodeRecord, arena_world, record_episode
from peva_agents.arena.folder import ArenaFolder
from peva_agents.arena.play import arena
from peva_agents.arena.summary import arena_summary
from peva_agents.arena.table import markdown, tables
from peva_agents.arena.world import ArenaWorld
from peva_env.config.offline import ArenaConfig
from peva_env.errors import ConfigError, PolicyError
from tests.support.forkserver import peva

COMMAND = shutil.which("peva-env", path=str(Path(sys.executable).parent))
ROOT = Path(__file__).parents[3]
GUESSING = "tests.support.arena_policies:Guessing"
FAILING = "tests.support.arena_policies:Failing"
LOCAL: dict[str, Any] = {"data": ["local-node-v1"], "seeds": 2, "budgets": [5, 12, 400], "agents": [GUESSING]}


def quiet() -> Console:
    return Console(file=io.StringIO(), width=160)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an arena that was played on two processes."""
    folder = tmp_path_factory.mktemp("arena") / "out"
    arena(LOCAL, console=quiet(), out=folder, jobs=2)
    return folder


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def test_the_baselines_always_play_and_each_episode_is_a_line(played: Path) -> None:
    keys = [(line["agent"], line["map"], line["seed"]) for line in lines(played)]
    assert len(keys) == len(set(keys)) == 4 * 2
    assert {agent for agent, _, _ in keys} == {*BASELINES, GUESSING}
    summary = json.loads((played / "summary.json").read_text())
    assert [row["agent"] for row in summary["totals"]] == [*BASELINES, GUESSING]
    assert [row["complete"] for row in summary["totals"]] == [1.0] * 4
    assert summary["totals"][0]["runs_share"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert summary["totals"][2]["runs_share"]["mean"] < 0.5
    assert "## Until the map is complete" in (played / "arena.md").read_text()


def test_what_comes_of_it_does_not_depend_on_the_processes_nor_on_a_stop(played: Path, tmp_path: Path) -> None:
    kept = (played / "results.jsonl").read_text().splitlines(keepends=True)[:3]
    shutil.copytree(played, tmp_path / "stopped")
    (tmp_path / "stopped" / "results.jsonl").write_text("".join(kept) + '{"agent": "unif')
    (tmp_path / "stopped" / "summary.json").unlink()
    arena(LOCAL, console=quiet(), out=tmp_path / "stopped", jobs=1)
    again = (tmp_path / "stopped" / "results.jsonl").read_text().splitlines(keepends=True)
    assert again[:3] == kept
    assert sorted(again) == sorted((played / "results.jsonl").read_text().splitlines(keepends=True))
    for name in ("summary.json", "arena.md"):
        assert (tmp_path / "stopped" / name).read_bytes() == (played / name).read_bytes()


def test_a_folder_of_another_arena_is_refused(played: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds an arena with seeds = 2, not 3; go on with that one"):
        arena(LOCAL | {"seeds": 3}, console=quiet(), out=played)
    asked = json.loads((played / "arena.json").read_text())
    assert (asked["min_recorded"], asked["noise"]) == (1, None)
    (tmp_path / "results.jsonl").write_text("{}\n")
    with pytest.raises(ConfigError, match="is not empty and holds no arena; give another folder"):
        ArenaFolder(tmp_path, parse_arena(LOCAL))
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]
    shutil.copy(played / "arena.json", tmp_path)
    for content in (b"{}\n", b"\xff\n", b"[" * 100_000 + b"\n"):
        (tmp_path / "results.jsonl").write_bytes(content)
        with pytest.raises(ConfigError, match=r"results\.jsonl, line 1: is no episode"):
            ArenaFolder(tmp_path, parse_arena(json.loads((played / "arena.json").read_text())))
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"--out .*file: is a file; give another name"):
        ArenaFolder(tmp_path / "file", parse_arena(LOCAL))


def test_an_agent_that_was_changed_is_not_taken_for_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    code = "from peva_agents.uniform import UniformPolicy\n\n\nclass Changing(UniformPolicy):\n    pass\n"
    (tmp_path / "changing.py").write_text(code)
    settings = LOCAL | {"agents": ["changing:Changing"], "seeds": 1}
    arena(settings, console=quiet(), out=tmp_path / "arena", jobs=1)
    arena(settings, console=quiet(), out=tmp_path / "arena", jobs=1)
    (tmp_path / "changing.py").write_text(f"{code}    more = 1\n")
    with pytest.raises(ConfigError, match="holds episodes of changing:Changing as it was before a change"):
        arena(settings, console=quiet(), out=tmp_path / "arena", jobs=1)
    (tmp_path / "arena" / "entrants.json").write_text("[1]")
    with pytest.raises(ConfigError, match=r"entrants\.json: is not what peva-env arena wrote"):
        arena(settings, console=quiet(), out=tmp_path / "arena", jobs=1)


def test_an_agent_that_breaks_down_stops_the_arena_and_what_was_played_stays(tmp_path: Path) -> None:
    with pytest.raises(
        PolicyError, match=f"^agent {FAILING} on local-node-v1:.*, seed 0: policy .*'out of ideas'"
    ) as caught:
        arena(LOCAL | {"agents": [FAILING]}, console=quiet(), out=tmp_path, jobs=1)
    assert "\n" not in str(caught.value)
    assert {line["agent"] for line in lines(tmp_path)} == set(BASELINES)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "give either --data"),
    ({"data": ["x"], "sim": "random:3"}, "give either --data"),
    ({"sim": "random"}, "--sim 'random': must be random:K"),
    ({"sim": "random:0"}, "--sim 'random:0': must be random:K"),
    ({"sim": "local:3"}, "--sim 'local:3': must be random:K"),
    ({"sim": "random:3", "seeds": 2}, "seeds belongs to --data; leave it out"),
    ({"data": ["x"], "noise": 0.1}, "noise belongs to --sim; leave it out"),
    ({"sim": "random:3", "budgets": [0, 5]}, "budgets .0, 5.: must be numbers of runs of at least 1, ascending"),
    ({"sim": "random:3", "budgets": [5, 5]}, "budgets .5, 5.: must be numbers"),
    ({"sim": "random:3", "budgets": [10**400]}, "budgets.0. = 10.*0: input should be less than or equal"),
    (
        {"sim": "random:3", "agents": ["unifrom"]},
        "agent 'unifrom': there is no such agent; did you mean uniform",
    ),
    ({"data": ["local-node-v1"], "min_recorded": 1000}, "--min-recorded 1000: no map has so many .* has 168"),
    ({"data": ["nowhere"]}, "nowhere"),
    ({"data": ["local-node-v1"], "scenarios": ["MID"]}, "'MID' is not recorded"),
    ({"sim": "random:3", "noise": -1.0}, "noise = -1.0"),
]


@pytest.mark.parametrize(("given", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_what_cannot_be_played_is_refused_before_anything_is_written(
    tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        arena(given, console=quiet(), out=tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def one(agent: str, **settings: Any) -> EpisodeRecord:
    text = parse_arena({"sim": "random:12", "noise": 0.0, "budgets": [5, 7, 50]} | settings).model_dump_json()
    return record_episode(text, agent, arena_world(text).episodes[8])


def test_without_noise_what_is_proved_is_true_and_takes_at_least_the_certificate() -> None:
    for agent in BASELINES:
        result = one(agent)
        readings = result.readings
        assert result.complete
        assert set(readings) == {"runs", "cost_s", *FIGURES}
        assert set(readings["proved_precision"]) == {1.0}
        assert readings["proved_accuracy"][-1] == readings["predicted_f1"][-1] == 1.0
        assert readings["proved_accuracy"] == sorted(readings["proved_accuracy"])
        assert readings["runs"][-1] >= result.certificate > 1
        assert {1, 2, 5, 7, 11} < set(readings["runs"])


def test_what_is_predicted_is_scored_beside_what_is_proved() -> None:
    guessing, uniform = one(GUESSING), one("uniform")
    assert (guessing.predicts, uniform.predicts) == (True, False)
    assert guessing.readings["proved_f1"] == uniform.readings["proved_f1"] == uniform.readings["predicted_f1"]
    assert guessing.readings["predicted_f1"][0] > uniform.readings["predicted_f1"][0]


def test_a_limit_of_runs_holds_for_all_but_the_reference_agent() -> None:
    assert one("uniform", max_runs=6).readings["runs"][-1] == 6
    assert not one("uniform", max_runs=6).complete
    assert one("cartesian", max_runs=6).complete


def test_agents_meet_the_same_nodes_which_no_training_learned_on() -> None:
    world = ArenaWorld(parse_arena({"sim": "random:3"}))
    assert [episode.seed % 3 for episode in world.episodes] == [2, 2, 2]
    assert [episode.map for episode in world.episodes] == ["random:0", "random:1", "random:2"]


def test_looks_are_at_the_budgets_and_after_each_tenth_more() -> None:
    points = sorted(reading_points((12, 400), 150))
    assert points[:14] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    assert points[-3:] == [136, 149, 400]


@pytest.mark.parametrize(
    ("n_configs", "budgets"),
    [(1, (1,)), (24, (1, 3, 6, 12)), (168, (3, 6, 12, 25, 50, 100)), (9_261, (12, 25, 50, 100, 200, 400))],
)
def test_budgets_that_are_not_given_suit_the_largest_map(n_configs: int, budgets: tuple[int, ...]) -> None:
    assert fitting_budgets(n_configs) == budgets


def test_no_table_is_printed_twice() -> None:
    config = parse_arena({"data": ["x"], "budgets": [12]})
    titles = [table.title for table in tables(arena_summary(config, EPISODES))]
    assert titles == [
        "Accuracy of what is proved, after so many runs",
        "Until the map is complete",
    ]  # the figures of this arena are all the same


def episode(agent: str, number: int, runs: list[float], f1: list[float], **changes: Any) -> EpisodeRecord:
    """Return an episode that was looked at twice, after some runs of ten seconds each."""
    readings = dict.fromkeys(FIGURES, f1) | {"runs": runs, "cost_s": [10 * n for n in runs]}
    played = EpisodeRecord(agent, f"map {number}", 0, 50, 0.1, 4, True, False, readings)
    return replace(played, **changes)


EPISODES = [
    *(episode("cartesian", number, [10, 40], [0.2, 0.9]) for number in range(4)),
    *(episode("uniform", number, [5, 10], [0.9, 1.0]) for number in range(3)),
    episode("uniform", 3, [5, 20], [0.4, 0.8], complete=False),
    *(episode("bisection", number, [5, 8], [0.5, 0.5]) for number in range(4)),
]


def test_budgets_read_the_last_look_before_and_totals_are_shares_of_the_reference_agents() -> None:
    config = parse_arena({"data": ["x"], "budgets": [12, 400]})
    summary = arena_summary(config, EPISODES[::-1])
    assert summary == arena_summary(config, EPISODES)
    rows = {(row["agent"], row["budget"]): row["proved_f1"] for row in summary["budgets"]}
    assert rows["cartesian", 12]["mean"] == pytest.approx(0.2)
    assert rows["cartesian", 400]["iqm"] == pytest.approx(0.9)
    assert rows["uniform", 12]["mean"] == pytest.approx((3 * 1.0 + 0.4) / 4)
    assert rows["uniform", 12]["iqm"] == 1.0
    uniform, bisection = summary["totals"][1:]
    assert uniform["runs_share"]["mean"] == uniform["cost_share"]["mean"] == 50 / 160
    assert (uniform["complete"], uniform["f1_reached"], bisection["f1_reached"]) == (0.75, 0.75, 0.0)
    assert uniform["f1_cost_share"]["mean"] == (3 * 50 + 200) / 1600
    assert bisection["runs_per_certificate"]["iqm"] == 2.0
    assert "| uniform* | 75% | 12.5 | ≥" in markdown(summary)


def test_maps_that_are_hardly_ever_overloaded_are_left_out_of_a_table_of_their_own() -> None:
    config = parse_arena({"data": ["x"], "budgets": [12]})
    rare = [replace(one, overloaded=0.01) if one.map == "map 3" else one for one in EPISODES]
    often = arena_summary(config, rare)["often_overloaded"]
    assert [(row["agent"], row["n_episodes"]) for row in often] == [(name, 3) for name in BASELINES]
    assert arena_summary(config, [replace(one, overloaded=0.0) for one in EPISODES])["often_overloaded"] == []


def test_the_curves_are_drawn_onto_given_axes(played: Path) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="needs the `report` extra")
    from peva_env.report import budget_curves

    summary = json.loads((played / "summary.json").read_text())
    figure, ax = pyplot.subplots()
    assert budget_curves(summary, ax, figure="predicted_f1") is ax
    assert [line.get_label() for line in ax.get_lines()] == [*BASELINES, GUESSING]
    assert list(ax.get_lines()[0].get_xdata()) == [5, 12, 400]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("runs", "F1 of overloaded (%), predicted")
    pyplot.close(figure)
    with pytest.raises(ConfigError, match="figure 'f1': must be one of proved_accuracy"):
        budget_curves(summary, ax, figure="f1")
    for name in ("arena.png", "arena.svg"):
        assert (played / name).stat().st_size


def test_without_matplotlib_there_are_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, played: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    shutil.copytree(played, tmp_path / "out", ignore=shutil.ignore_patterns("arena.png", "arena.svg"))
    console = quiet()
    arena(LOCAL, console=console, out=tmp_path / "out", jobs=1)
    assert "no figure: figures need matplotlib" in console.file.getvalue()  # type: ignore[attr-defined]
    assert not (tmp_path / "out" / "arena.png").exists()


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (lambda pid: os.killpg(pid, signal.SIGINT), 130, "interrupted: what was played is kept"),  # as a terminal does
        (lambda pid: os.kill(pid, signal.SIGKILL), -signal.SIGKILL, ""),
    ],
    ids=["Ctrl-C", "kill -9"],
)
def test_the_command_ends_whole_and_without_a_traceback(
    tmp_path: Path, end: Callable[[int], None], code: int, said: str
) -> None:
    assert COMMAND is not None
    command = [COMMAND, "arena", "--sim", "random:300", "--rates", "a=0:400:8", "--rates", "b=0:400:8"]
    command += ["--budgets", "3,9", "--max-runs", "9", "--jobs", "1"]
    running = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    results = tmp_path / "peva-arena" / "results.jsonl"
    while not (results.exists() and results.stat().st_size) and running.poll() is None:
        time.sleep(0.02)
    children = psutil.Process(running.pid).children(recursive=True)
    end(running.pid)
    told, complained = running.communicate(timeout=60)
    assert (running.returncode, "Traceback" in complained) == (code, False)
    assert said in told
    assert not psutil.wait_procs(children, timeout=60)[1]
    folder = ArenaFolder(
        tmp_path / "peva-arena", ArenaConfig(**json.loads((results.parent / "arena.json").read_text()))
    )
    assert 0 < len(folder.records) < len(BASELINES) * 300


def test_the_command_says_in_one_line_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = peva("arena", "--sim", "random:3", "--budgets", "5,x")
    assert done.returncode == 2
    assert done.stderr == "peva-env: --budgets '5,x': must be numbers of runs, as in 12,25,50\n"
