"""A fleet on real raylets: each node's map is right, nothing is measured twice, and what cannot be is refused."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from peva_agents.fleet import load_fleet, merge
from peva_env.contracts import EndStatus
from peva_env.errors import MemoryStoreError, PevaError
from peva_env.memory import DEFAULT_SCHEMA_VERSION, reading, writing
from tests.support.fleet_nodes import stored_runs
from tests.support.fleets import PLACES, TWO, check_maps, run_here, write_fleet

pytest.importorskip("ray", reason="needs the `ray` extra")

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]


def test_three_nodes_are_measured_at_once_and_again_not_at_all(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path)
    ended, said = run_here(path, cluster)
    assert ended is EndStatus.COMPLETE
    check_maps(path)
    assert re.search(r"small: f \d0 rps: (OK|OVERLOADED)  \d measured", said), "news that comes together is one line"
    ended, said = run_here(path, cluster)
    assert ended is EndStatus.COMPLETE
    assert "\n0 runs, " in said
    check_maps(path)


def test_no_more_nodes_are_loaded_than_allowed(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, TWO, max_loaded=1)
    assert run_here(path, cluster)[0] is EndStatus.COMPLETE
    check_maps(path)
    with reading(load_fleet(path).memory, DEFAULT_SCHEMA_VERSION) as connection:
        times = connection.execute("SELECT started_at, ended_at FROM execution_events ORDER BY 1").fetchall()
    assert all(one[1] <= other[0] for one, other in pairwise(times))


def test_a_budget_ends_the_fleet_and_a_later_start_completes_it(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, TWO)
    ended, said = run_here(path, cluster, budget_seconds=0.5)
    assert ended is EndStatus.BUDGET
    assert "the machine time of the fleet is spent" in said
    assert run_here(path, cluster)[0] is EndStatus.COMPLETE
    check_maps(path)


def test_a_node_begins_with_what_others_measured_before(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, agent="learnt-transfer", max_loaded=1)
    assert run_here(path, cluster)[0] is EndStatus.COMPLETE
    plan = load_fleet(path)
    known = {}
    for name in PLACES:
        with reading(plan.memory_of(name), DEFAULT_SCHEMA_VERSION) as connection:
            known[name] = stored_runs(connection)
    of_others = [(name, other) for name in PLACES for other in known[name] if other != name]
    assert of_others  # whose machine is ready first begins, perhaps with nothing
    for name, other in of_others:
        assert set(known[name][other]) <= set(known[other][other])


def test_a_node_that_fails_leaves_the_others_alone(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, TWO)
    given = yaml.safe_load(path.read_text())
    given["nodes"].append({"name": "twin", "gateway_url": "http://127.0.0.1:9/", "platform": "local"})
    given["nodes"].append({"name": "other-twin", "gateway_url": "http://127.0.0.1:9/", "platform": "local"})
    path.write_text(yaml.safe_dump(given))
    ended, said = run_here(path, cluster)
    assert ended is EndStatus.FAILED
    assert "is the same target as node" in said
    with reading(load_fleet(path).memory, DEFAULT_SCHEMA_VERSION) as connection:
        assert stored_runs(connection).keys() >= set(TWO)


def test_a_resource_that_no_machine_has_is_one_line(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, nodes=[{"name": "a", "resource": "near-nobody"}])
    problem = r"node a: no machine .* 'near-nobody' \(there are: near-large, near-small\); start one with ray start"
    with pytest.raises(PevaError, match=problem):
        run_here(path, cluster)


def test_two_fleets_on_one_memory_are_refused(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path)
    with (
        writing(load_fleet(path).memory, DEFAULT_SCHEMA_VERSION),
        pytest.raises(MemoryStoreError, match=r"fleet\.duckdb: .*in use by"),
    ):
        run_here(path, cluster)


def test_memories_of_nodes_are_merged_by_hand(cluster: Any, tmp_path: Path) -> None:
    path = write_fleet(tmp_path, TWO)
    run_here(path, cluster)
    load_fleet(path).memory.unlink()
    with (tmp_path / "merged.txt").open("w") as file:
        merge(path, [], console=Console(file=file))
    check_maps(path)
