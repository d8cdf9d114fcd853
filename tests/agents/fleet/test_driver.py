"""What a driver does with nodes that it has not heard of, and what it tells nodes of each other, without Ray."""

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from peva_agents.fleet import FleetDriver, NodeState, Phase, load_fleet
from peva_agents.fleet.view import node_table, savings_text
from peva_agents.learnt import TransferAgent
from peva_env.config import DfaasConfig
from peva_env.contracts import ExecutionEvent
from peva_env.memory import DEFAULT_SCHEMA_VERSION, fleet_node, reading, writing
from tests.agents.fleet.test_file import write
from tests.support.fleet_nodes import SLEEPING, sleeping_env, started_runs, stored_runs
from tests.support.in_process_ray import InProcessRay


class SilentActor:
    """The handle of an actor that waits for a machine: nothing that is sent to it comes back."""

    def __getattr__(self, method: str) -> Any:
        return type("Method", (), {"remote": lambda *_: object()})


class SilentRay:
    """A Ray whose actors never have a machine."""

    def remote(self, _: type) -> Any:
        return type("Class", (), {"options": lambda **_: type("Options", (), {"remote": SilentActor})})

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 1.0}

    def wait(self, waiting: list[Any], **_: Any) -> tuple[list[Any], list[Any]]:
        return [], waiting


def test_a_stop_does_not_wait_for_a_machine_that_does_not_come(tmp_path: Path) -> None:
    path = write(tmp_path, output_dir=str(tmp_path / "out"), nodes=[{"name": "a"}, {"name": "b"}], max_loaded=1)
    plan = load_fleet(path)
    with writing(plan.memory, DEFAULT_SCHEMA_VERSION) as store:
        driver = FleetDriver(plan, SilentRay(), store)
        driver.start()
        states = []

        def tell() -> None:
            states.append([state.phase for state in driver.states.values()])
            driver.stop()

        driver.run(tell)
    assert states == [[Phase.WAITING, Phase.WAITING]]
    assert {state.phase for state in driver.states.values()} == {Phase.INTERRUPTED}


RATES = {"rate_strategy": {"type": "custom", "rates": [10, 20, 30, 40, 50, 60]}, "duration": "1s", "iterations": 1}


def driven(tmp_path: Path, campaign: Sequence[Any] = SLEEPING, **keys: Any) -> FleetDriver:
    """Run a fleet of two nodes, of which one serves twice as much, to its end."""
    nodes = [{"name": name, "functions": [{"name": "f", "concurrency": n}]} for name, n in (("a", 2), ("b", 4))]
    path = write(tmp_path, output_dir=str(tmp_path / "out"), defaults=RATES, nodes=nodes, **keys)
    plan = load_fleet(path)
    with writing(plan.memory, DEFAULT_SCHEMA_VERSION) as store:
        driver = FleetDriver(plan, InProcessRay(), store, campaign)
        driver.start()
        driver.run(lambda: None)
    return driver


class InterruptedRay(InProcessRay):
    """A Ray in which Ctrl-C comes while the driver takes some news."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._left = at

    def get(self, reference: int) -> Any:
        self._left -= 1
        if not self._left:
            signal.raise_signal(signal.SIGINT)
        return super().get(reference)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("at", [1, 4, 7])
def test_an_interrupt_while_news_is_taken_loses_none(tmp_path: Path, at: int) -> None:
    plan = load_fleet(write(tmp_path, output_dir=str(tmp_path / "out"), defaults=RATES))
    with writing(plan.memory, DEFAULT_SCHEMA_VERSION) as store:
        driver = FleetDriver(plan, InterruptedRay(at), store, SLEEPING)
        driver.start()
        with pytest.raises(KeyboardInterrupt):
            driver.run(lambda: None)
        driver.stop()
        driver.run(lambda: None)
        stored = stored_runs(store.database.connection)
    assert driver.states["a"].phase is Phase.INTERRUPTED
    assert stored.get("a", []) == started_runs(tmp_path / "out", "a")


def test_of_two_machines_with_different_k6_one_measures(tmp_path: Path) -> None:
    def version(settings: DfaasConfig) -> str:
        return {2: "1.1.0", 4: "2.2.0"}[settings.functions[0].concurrency or 0]

    driver = driven(tmp_path, (sleeping_env, version), agent="bisection")
    assert [state.phase for state in driver.states.values()] == [Phase.COMPLETE, Phase.FAILED]
    assert "this machine has k6 2.2.0, and the fleet measures with k6 1.1.0, so that" in driver.states["b"].detail
    with reading(tmp_path / "out" / "fleet.duckdb", DEFAULT_SCHEMA_VERSION) as connection:
        assert stored_runs(connection).keys() == {"a"}


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return, for each time that an agent learns elsewhere, the nodes of the runs."""
    lessons: list[list[str]] = []

    def record(_: TransferAgent, events: Sequence[ExecutionEvent]) -> None:
        lessons.append([str(fleet_node(event.run_id)) for event in events])

    monkeypatch.setattr(TransferAgent, "learn_elsewhere", record)
    return lessons


def test_runs_reach_the_other_nodes_while_they_measure(tmp_path: Path, heard: list[list[str]]) -> None:
    driver = driven(tmp_path, agent="learnt-transfer")
    assert {state.phase for state in driver.states.values()} == {Phase.COMPLETE}
    assert {frozenset(nodes) for nodes in heard} == {frozenset("a"), frozenset("b")}


def test_an_agent_that_does_not_transfer_is_told_nothing(tmp_path: Path, heard: list[list[str]]) -> None:
    states = driven(tmp_path, agent="bisection").states
    assert heard == []
    assert {state.n_alone for state in states.values()} == {None}
    assert savings_text(states) == ""


def test_what_transfer_saved_is_told_of_each_node_and_of_all(tmp_path: Path) -> None:
    states = driven(tmp_path, agent="learnt-transfer").states
    for state in states.values():
        assert state.n_alone is not None
        assert 2 <= state.n_alone <= 6
        assert state.config_s == pytest.approx(0.1)
    with (tmp_path / "table.txt").open("w+") as file:
        Console(file=file, width=160).print(node_table(states))
        file.seek(0)
        assert "alone" in file.read()


@pytest.mark.parametrize(
    ("n_measured", "said"),
    [(8, "saved 2.0 of them (20%), about 1m 00s of machine time"), (11, "cost 1.0 more, about 30s of machine time")],
)
def test_savings_are_the_difference_to_the_agent_alone(n_measured: int, said: str) -> None:
    states = {"a": NodeState(n_measured=n_measured, n_alone=10.0, config_s=30.0), "b": NodeState(n_measured=3)}
    text = savings_text(states)
    assert text.startswith("alone, the agent would have measured 10.0 configurations of 1 complete node: ")
    assert text.endswith(said)
