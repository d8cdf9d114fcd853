"""``peva-env twin`` as a process, and its file as the node of a simulated environment."""

import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import peva_env  # noqa: F401 - registers the environments
from peva_env.errors import ConfigError
from peva_env.sources.simulated import SimulatedWorld
from tests.support.campaigns import WAITS_50_MS, campaign, function, write
from tests.support.commands import complaint, files
from tests.support.forkserver import peva
from tests.support.maps import LATENCY_CONTEXT, remember_in

RATES = {"a": [20, 60, 100, 140], "b": [20, 60, 100, 140]}


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a memory of a simulated node where a campaign puts it by default, and work there."""
    monkeypatch.chdir(tmp_path)
    functions = {
        "a": {"cpu_ms": 10, "io_ms": 40, "concurrency": 8},
        "b": {"cpu_ms": 4, "io_ms": 100, "concurrency": 12},
    }
    world = SimulatedWorld(RATES, {"cores": 2, "ram_mib": 1024, "functions": functions}, noise=0.0)
    source, rng = world.source(seed=0), np.random.default_rng(0)
    runs = [source.measure(config, iteration=0, rng=rng) for config in world.space()]
    return remember_in(tmp_path / "peva-results" / "peva_faas.duckdb", LATENCY_CONTEXT, runs)


def test_a_twin_is_told_and_its_file_is_a_node_to_train_on() -> None:
    ended = peva("twin", "--out", "node.json", "--cores", "2")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "The twin of node n: 2 cores, 0 % in use without load, 24,576 MiB of RAM" in ended.stdout
    assert "same verdict as measured: 100.0% of 24 configurations" in ended.stdout
    assert "\nwith 3 cores: " in ended.stdout
    env = gymnasium.make("peva/FaasSim-v1", node="node.json", rates_rps=RATES)
    _, info = env.reset(seed=0)
    *_, info = env.step(int(np.flatnonzero(info["action_mask"])[0]))
    assert info["verdict"] == "OK"


def test_json_has_the_node_its_fit_and_the_capacities() -> None:
    data = json.loads(peva("twin", "--out", "node.json", "--json").stdout)
    assert data["node"] == json.loads(Path("node.json").read_text())
    assert data["fit"]["agreement"] == 1.0
    assert data["with_cores"].keys() == {str(data["node"]["cores"]), str(data["node"]["cores"] + 1)}


def test_an_earlier_twin_is_replaced_and_no_other_file() -> None:
    assert peva("twin", "--out", "node.json").returncode == 0
    assert peva("twin", "--out", "node.json").returncode == 0
    Path("mine.json").write_text("{}")
    assert "exists and is not a simulated node" in complaint(peva("twin", "--out", "mine.json"), 2)
    assert "is another file of this command" in complaint(peva("twin", "--out", "peva-results/peva_faas.duckdb"), 2)


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["--twin", "node.json", "--agent", "learnt"],
            "node.json has an agent of its own: leave out --agent learnt",
        ),
        (["--twin", "node.json", "--algorithm", "my:Own"], "leave out --algorithm my:Own"),
        (["--twin", "none.json"], "node = 'none.json': cannot be read: No such file or directory"),
        (["--twin", "local"], "--twin local: must be a .json file that peva-env twin has written"),
        (["--twin", "empty.json"], "empty.json: node.cores: is required (and 2 more)"),
        (["--twin", "list.json"], "list.json: node: must hold keys and values"),
        (["--twin", "deep.json"], "node = 'deep.json': cannot be read: is no JSON"),
        (["--twin", "node.json"], "the simulated node has no function 'quick'; it has a, b"),
    ],
)
def test_a_twin_that_cannot_be_a_prior_is_refused_before_anything_starts(
    arguments: list[str], problem: str, dry: list[str]
) -> None:
    assert peva("twin", "--out", "node.json").returncode == 0
    Path("empty.json").write_text("{}")
    Path("list.json").write_text("[]")
    Path("deep.json").write_text("[" * 100_000)
    write(campaign(rates=[10]))
    before = files()
    assert problem in complaint(peva("run", "--config", "peva.yml", *arguments, *dry), 2)
    assert files() == before


@pytest.mark.live
def test_a_campaign_with_a_twin_measures_the_limits_first_that_it_predicts() -> None:
    pytest.importorskip("functions_framework")
    limited = function("limited", WAITS_50_MS, concurrency=5)  # 100 requests/s
    write(campaign(limited, rates=[20, 40, 60, 180]))
    own = {"cpu_ms": 1, "io_ms": 50, "concurrency": 5}
    Path("node.json").write_text(json.dumps({"cores": 2, "ram_mib": 4096, "functions": {"limited": own}}))

    ended = peva("run", "--config", "peva.yml", "--twin", "node.json")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert "2 of 2 measured configurations prove all 4 verdicts" in ended.stdout


def test_a_node_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ConfigError, match=r"node = 'none.json': cannot be read: No such file or directory"):
        gymnasium.make("peva/FaasSim-v1", node="none.json", rates_rps=RATES)
