"""A fleet of real nodes that scouts and refines: real k6, real functions on 127.0.0.1, without Ray."""

import textwrap
from pathlib import Path

import pytest

pytest.importorskip("functions_framework")

from peva_agents.fleet import FleetDriver, Phase, load_fleet
from peva_env.maps import read_fleet, read_map
from peva_env.memory import DEFAULT_SCHEMA_VERSION, fleet_node, reading, verify, writing
from tests.agents.fleet.test_file import write
from tests.support.campaigns import WAITS_200_MS
from tests.support.in_process_ray import InProcessRay

pytestmark = pytest.mark.live

SETTINGS = {
    "rate_strategy": {"type": "auto", "levels": 4, "step": "2s"},
    "combinations": {"min_functions": 1, "max_functions": 2},
    "duration": "1s",
    "timeout": "1s",
    "iterations": 1,
    "refine": "50%",
    "max_invalid_retries": 20,
    "cooldown": {"max_wait_seconds": 2, "sleep_step_seconds": 0.2},
}
LIMITS_RPS = {"small": 25, "large": 45}
"""The function waits 200 ms, so that each of its places serves 5 requests/s. A scouting of them takes few steps."""


def test_each_node_is_scouted_for_rates_of_its_own_and_refined(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(textwrap.dedent(WAITS_200_MS))
    function = {"name": "waits", "source": "waits.py:handle"}
    nodes = [
        {"name": name, "functions": [function | {"concurrency": limit_rps // 5, "max_rate": 2 * limit_rps}]}
        for name, limit_rps in LIMITS_RPS.items()
    ]
    keys = {"defaults": SETTINGS, "nodes": nodes, "agent": "learnt-transfer", "max_loaded": 1}
    plan = load_fleet(write(tmp_path, output_dir=str(tmp_path / "out"), **keys))
    for _ in range(2):  # the second start finds nothing to do
        with writing(plan.memory, DEFAULT_SCHEMA_VERSION) as store:
            driver = FleetDriver(plan, InProcessRay(), store)
            driver.start()
            driver.run(lambda: None)
        states = driver.states.values()
        assert {state.phase for state in states} == {Phase.COMPLETE}, [state.detail for state in states]
    assert driver.n_events == 0
    for name, limit_rps in LIMITS_RPS.items():
        rates = read_map(plan.memory, context=name, finer=False).known.space.rates_rps[0]
        assert len(rates) == 4
        assert rates[0] < limit_rps < rates[-1]
        assert len(read_map(plan.memory, context=name).known.space.rates_rps[0]) > 4
    assert list(read_fleet(plan.memory)) == ["large", "small"]
    with reading(plan.memory, DEFAULT_SCHEMA_VERSION) as connection:
        runs = connection.execute("SELECT DISTINCT run_id, kind FROM execution_events").fetchall()
        assert list(verify(connection)) == []
    assert {(fleet_node(run_id), kind) for run_id, kind in runs} >= {
        (name, kind) for name in LIMITS_RPS for kind in ("scouted", "measured")
    }
