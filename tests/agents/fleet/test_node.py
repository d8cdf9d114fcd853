"""A node's campaign in its actor, without Ray."""

from pathlib import Path

import pytest

from peva_agents.fleet import NodeCampaign, NodeState, Orders, Phase, load_fleet
from peva_agents.fleet.exchange import Tables, merge, packed
from peva_env.contracts import ExecutionEvent
from peva_env.memory import DEFAULT_SCHEMA_VERSION, writing
from tests.agents.fleet.test_file import GRID, write
from tests.support.fleet_nodes import sleeping_env, started_runs, stored_runs
from tests.support.running_memory import held

QUICK = GRID | {"duration": "1s"}


def play(
    campaign: NodeCampaign, *, n_granted: int | None = None
) -> tuple[NodeState, list[ExecutionEvent], list[Tables]]:
    """Listen to a campaign until it ends, and stop it after some runs."""
    events: list[ExecutionEvent] = []
    tables: list[Tables] = []
    after = version = 0
    while True:
        news = campaign.news(after, version, 5.0)
        for item in news.items:
            (events if isinstance(item, ExecutionEvent) else tables).append(item)  # type: ignore[arg-type]
        after, version = news.first + len(news.items), news.version
        if n_granted is None or news.state.n_asked < n_granted:
            campaign.grant(news.state.n_asked + 1)
        elif news.state.n_asked > n_granted:
            campaign.stop()
        if news.state.phase.is_end:
            return news.state, events, tables


def orders(path: Path, known: Tables, *, run_id: str = "a.20261129T100000", k6_version: str | None = None) -> Orders:
    return Orders(load_fleet(path).nodes[0], "cartesian", run_id, known, k6_version)


def test_of_no_campaigns_nothing_is_sent(tmp_path: Path) -> None:
    with writing(tmp_path / "empty.duckdb", DEFAULT_SCHEMA_VERSION) as store:
        assert packed(store, []) == {}
        merge(store, {})


def test_what_a_node_sends_makes_its_memory_anew(tmp_path: Path) -> None:
    path = write(tmp_path, output_dir=str(tmp_path / "out"), defaults=QUICK)
    campaign = NodeCampaign(sleeping_env)
    assert not campaign.news(0, 0, 0.0).is_begun
    campaign.begin(orders(path, {}))
    state, events, tables = play(campaign)
    assert (state.phase, state.n_measured, state.n_left) == (Phase.COMPLETE, 1, 0)
    with writing(tmp_path / "fleet.duckdb", DEFAULT_SCHEMA_VERSION) as store:
        merge(store, tables[0])
        store.insert_events(events)
        for each in (*tables, *tables):
            merge(store, each)
        assert stored_runs(store.database.connection) == {"a": started_runs(tmp_path / "out", "a")}


def test_a_stopped_campaign_goes_on_from_what_the_fleet_knows_when_its_own_memory_is_gone(tmp_path: Path) -> None:
    functions = [{"name": "f", "concurrency": 9}]
    nodes = [{"name": "a", "functions": functions}]
    path = write(tmp_path, output_dir=str(tmp_path / "out"), defaults=QUICK, nodes=nodes)
    first = NodeCampaign(sleeping_env)
    first.begin(orders(path, {}))
    state, events, tables = play(first, n_granted=1)
    assert (state.phase, len(events)) == (Phase.INTERRUPTED, 1)
    load_fleet(path).memory_of("a").unlink()
    second = NodeCampaign(sleeping_env)
    second.begin(orders(path, tables[-1], run_id="a.20261129T100001"))
    state, events, _ = play(second)
    assert (state.phase, state.n_measured, len(events)) == (Phase.COMPLETE, 2, 1)
    assert len(started_runs(tmp_path / "out", "a")) == 2


def test_the_session_of_a_killed_worker_is_sent_as_crashed(tmp_path: Path) -> None:
    path = write(tmp_path, output_dir=str(tmp_path / "out"), defaults=QUICK)
    for start, run_id in enumerate(("a.20261129T100000", "a.20261129T100001")):
        campaign = NodeCampaign(sleeping_env)
        campaign.begin(orders(path, {}, run_id=run_id))
        _, _, tables = play(campaign)
        with writing(load_fleet(path).memory_of("a"), DEFAULT_SCHEMA_VERSION) as store:
            if not start:
                store.database.connection.execute("UPDATE run_sessions SET status = 'running'")
    with writing(tmp_path / "fleet.duckdb", DEFAULT_SCHEMA_VERSION) as store:
        merge(store, tables[0])
        assert store.database.connection.execute("SELECT run_id, status FROM run_sessions").fetchall() == [
            ("a.20261129T100000", "crashed")
        ]


def test_a_memory_that_another_process_has_is_told_with_what_the_user_of_a_fleet_can_choose(tmp_path: Path) -> None:
    path = write(tmp_path, output_dir=str(tmp_path / "out"), defaults=QUICK)
    campaign = NodeCampaign(sleeping_env, lost_worker_s=0.2)
    with held(load_fleet(path).memory_of("a")) as holder:
        campaign.begin(orders(path, {}))
        state, _, _ = play(campaign)
    assert state.phase is Phase.FAILED
    assert f"nodes/a/peva_faas.duckdb: in use by process {holder.pid} (" in state.detail
    assert state.detail.endswith("; wait for it, stop it, or choose another output_dir")


def test_a_machine_with_another_k6_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("functions_framework")
    campaign = NodeCampaign()
    campaign.begin(orders(write(tmp_path, output_dir=str(tmp_path / "out")), {}, k6_version="0.0.1"))
    state, events, _ = play(campaign)
    assert (state.phase, events) == (Phase.FAILED, [])
    assert "the fleet measures with k6 0.0.1, so that its runs could not be compared" in state.detail
