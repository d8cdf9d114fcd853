"""What a driver does with nodes that it has not heard of, and what it tells nodes of each other, without Ray."""

import itertools
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from rich.console import Console

from peva_agents.fleet import FleetDriver, NodeState, Orders, Phase, load_fleet
from peva_agents.fleet.cluster import RayHeadLostError
from peva_agents.fleet.news import Checked, News
from peva_agents.fleet.node import MOST_PAUSES, NodeCampaign
from peva_agents.fleet.view import node_table, savings_text
from peva_agents.learnt import TransferAgent
from peva_env.campaign import Scouting
from peva_env.config import DfaasConfig, parse_config
from peva_env.contracts import EndStatus, EventKind, ExecutionEvent, Verdict
from peva_env.env import PevaEnv
from peva_env.errors import LoadGeneratorError, PevaError, PlatformError
from peva_env.maps import read_map
from peva_env.memory import DEFAULT_SCHEMA_VERSION, Session, fleet_node, reading, writing
from peva_env.space import Config
from tests.agents.fleet.test_file import write
from tests.support.builders import event
from tests.support.fleet_nodes import (
    SLEEPING,
    SleepingHost,
    SleepingSource,
    sleeping_env,
    started_runs,
    stored_runs,
)
from tests.support.in_process_ray import InProcessRay
from tests.support.processes import wait_until


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

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(gcs_address="127.0.0.1:1")

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


def driven(
    tmp_path: Path,
    campaign: Sequence[Any] = SLEEPING,
    *,
    ray: InProcessRay | None = None,
    aside_s: float = 60.0,
    tell: Callable[[FleetDriver], None] = lambda _: None,
    **keys: Any,
) -> FleetDriver:
    """Run a fleet of two nodes, of which one serves twice as much, to its end; ``tell`` is called after each step."""
    nodes = [{"name": name, "functions": [{"name": "f", "concurrency": n}]} for name, n in (("a", 2), ("b", 4))]
    path = write(tmp_path, output_dir=str(tmp_path / "out"), defaults=RATES, nodes=nodes, **keys)
    plan = load_fleet(path)
    with writing(plan.memory, DEFAULT_SCHEMA_VERSION) as store:
        driver = FleetDriver(plan, ray or InProcessRay(), store, campaign, aside_s=aside_s)
        driver.start()
        driver.run(lambda: tell(driver))
    return driver


@pytest.mark.parametrize("max_loaded", [1, 2])
def test_leave_for_the_next_run_comes_with_the_question_for_news(tmp_path: Path, max_loaded: int) -> None:
    ray = InProcessRay()
    driver = driven(tmp_path, ray=ray, agent="bisection", max_loaded=max_loaded)
    assert {state.phase for state in driver.states.values()} == {Phase.COMPLETE}
    assert driver.n_events > 2
    assert ray.n_calls["grant"] == 0


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


@pytest.mark.timeout(60)
def test_a_run_that_the_driver_has_not_heard_of_is_finished_before_the_fleet_stops(tmp_path: Path) -> None:
    plan = load_fleet(write(tmp_path, output_dir=str(tmp_path / "out"), defaults=RATES))
    ray = InProcessRay()
    with writing(plan.memory, DEFAULT_SCHEMA_VERSION) as store:
        driver = FleetDriver(plan, ray, store, SLEEPING)
        driver.start()

        def stop_at_once() -> None:
            if ray.n_calls["begin"] and not ray.n_calls["stop"]:
                assert wait_until(lambda: bool(started_runs(tmp_path / "out", "a")))
                driver.stop()

        driver.run(stop_at_once)
        stored = stored_runs(store.database.connection)
    assert driver.states["a"].phase is Phase.INTERRUPTED
    assert stored == {"a": started_runs(tmp_path / "out", "a")}


class ShortLivedNode:
    """A node whose worker tells that it measures, and is lost."""

    def __init__(self, *_: object) -> None:
        self._n_calls = 0

    def checked(self, *_: object) -> Checked:
        return Checked(None)

    def begin(self, _: object) -> None:
        pass

    def news(self, *_: object) -> News:
        self._n_calls += 1
        if self._n_calls % 2:
            return News(is_begun=True, version=1, state=NodeState(Phase.MEASURING))
        raise InProcessRay.exceptions.RayError("its raylet is out of memory")


def test_a_node_whose_workers_are_lost_again_and_again_before_a_run_ends_has_failed(tmp_path: Path) -> None:
    plan = load_fleet(write(tmp_path, output_dir=str(tmp_path / "out"), defaults=RATES))
    with writing(plan.memory, DEFAULT_SCHEMA_VERSION) as store:
        driver = FleetDriver(plan, InProcessRay(ShortLivedNode), store, max_losses=2)
        driver.start()
        driver.run(lambda: None)
    state = driver.states["a"]
    assert (state.phase, state.detail) == (Phase.FAILED, "its worker was lost: its raylet is out of memory")


class RayWithoutOwnRaylet(InProcessRay):
    """A Ray that has lost the raylet of the driver's machine, and so has ended its actors."""

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": "elsewhere", "Alive": True}, {"NodeID": "here", "Alive": False}]


def test_a_driver_whose_own_raylet_is_lost_says_so_and_fails_no_node(tmp_path: Path) -> None:
    plan = load_fleet(write(tmp_path, output_dir=str(tmp_path / "out"), defaults=RATES))
    with writing(plan.memory, DEFAULT_SCHEMA_VERSION) as store:
        driver = FleetDriver(plan, RayWithoutOwnRaylet(ShortLivedNode), store)
        driver.start()
        with pytest.raises(PevaError, match=r"on this machine \(raylet\) was lost, .*; start Ray again here"):
            driver.run(lambda: None)
    assert not driver.states["a"].phase.is_end


@pytest.mark.timeout(60)
def test_a_fleet_whose_ray_has_lost_its_head_stores_what_runs_and_ends(tmp_path: Path) -> None:
    path = write(tmp_path, output_dir=str(tmp_path / "out"), defaults=RATES)
    ray = InProcessRay()

    def lose_head_in_a_run(driver: FleetDriver) -> None:
        if started_runs(tmp_path / "out", "a"):
            ray.lose_head()

    with writing(load_fleet(path).memory, DEFAULT_SCHEMA_VERSION) as store:
        driver = FleetDriver(load_fleet(path), ray, store, SLEEPING, head_lost_s=0.1)
        driver.start()
        with pytest.raises(RayHeadLostError, match=r"Ray's head at 127\.0\.0\.1:\d+ was lost, .*; start Ray again"):
            driver.run(lambda: lose_head_in_a_run(driver))
        driver.stop()
        driver.run(lambda: None)
        stored = stored_runs(store.database.connection)
    assert driver.states["a"].phase is Phase.INTERRUPTED
    assert stored["a"] == started_runs(tmp_path / "out", "a")
    assert len(stored["a"]) < 4


class NodeWithoutMachine:
    """A node whose worker is lost, and for which there is no machine then."""

    def __init__(self, *_: object) -> None:
        pass

    def checked(self, *_: object) -> Checked:
        raise InProcessRay.exceptions.ActorUnavailableError("the actor is restarting")

    def stop(self) -> None:
        pass


class RayThatLosesAMachine(InProcessRay):
    """A Ray with a machine that has the resource ``near-a`` at the start, and not for some looks after it."""

    def __init__(self, n_without: int) -> None:
        super().__init__(NodeWithoutMachine)
        self._has_it = itertools.chain([True], [False] * n_without, itertools.repeat(True))

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0, "near-b": 1.0} | ({"near-a": 1.0} if next(self._has_it) else {})


@pytest.mark.timeout(60)
def test_a_node_that_waits_for_a_machine_with_its_resource_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, output_dir=str(tmp_path / "out"), nodes=[{"name": "a", "resource": "near-a"}])
    plan = load_fleet(path)
    told: list[str] = []
    with writing(plan.memory, DEFAULT_SCHEMA_VERSION) as store:
        driver = FleetDriver(plan, RayThatLosesAMachine(2), store, max_losses=0)
        driver.start()

        def stop_when_there_again() -> None:
            if driver.states["a"].phase is Phase.RESTARTING:
                told.append(driver.states["a"].detail)
                if told[-1] == "its worker was lost" and len(set(told)) > 1:
                    driver.stop()

        driver.run(stop_when_there_again)
    assert driver.states["a"].phase is Phase.INTERRUPTED
    assert list(dict.fromkeys(told))[-1] == (
        "its worker was lost; no machine of the cluster has the resource 'near-a' (there are: near-b); start one with "
        "ray start --address ... --resources '{\"near-a\": 1}'"
    )


class ReplacedNode:
    """A node whose worker is lost after some runs; the one in its place fails before it has loaded its memory."""

    _told = (
        NodeState(Phase.MEASURING, n_measured=3, n_left=4, left_s=8.0, last="f 30 rps: OK"),
        None,
        NodeState(Phase.STARTING),
        NodeState(Phase.FAILED, detail="there is no k6"),
    )

    def __init__(self, *_: object) -> None:
        self._states = iter(self._told)

    def checked(self, *_: object) -> Checked:
        return Checked(None)

    def begin(self, _: object) -> None:
        pass

    def news(self, *_: object) -> News:
        state = next(self._states)
        if state is None:
            raise InProcessRay.exceptions.RayError("its raylet is out of memory")
        return News(is_begun=True, version=1, state=state)


def test_counts_stay_while_a_new_worker_starts(tmp_path: Path) -> None:
    plan = load_fleet(write(tmp_path, output_dir=str(tmp_path / "out"), defaults=RATES))
    states: list[NodeState] = []
    with writing(plan.memory, DEFAULT_SCHEMA_VERSION) as store:
        driver = FleetDriver(plan, InProcessRay(ReplacedNode), store)
        driver.start()
        driver.run(lambda: states.append(driver.states["a"]))
    first = next(i for i, state in enumerate(states) if state.n_measured)
    assert {(state.n_measured, state.n_left, state.left_s, state.last) for state in states[first:]} == {
        (3, 4, 8.0, "f 30 rps: OK")
    }
    assert list(dict.fromkeys(state.phase for state in states[first:])) == [
        Phase.MEASURING,
        Phase.RESTARTING,
        Phase.STARTING,
        Phase.FAILED,
    ]


def test_counts_of_an_earlier_start_stay_until_the_campaign_has_loaded_its_memory(tmp_path: Path) -> None:
    plan = load_fleet(write(tmp_path, output_dir=str(tmp_path / "out"), defaults=RATES))
    before = NodeState(Phase.COMPLETE, n_asked=9, n_measured=3, n_left=0, last="f 30 rps: OK", n_alone=4.0)
    with writing(plan.memory, DEFAULT_SCHEMA_VERSION) as store:
        driver = FleetDriver(plan, SilentRay(), store, before={"a": before, "gone": before})
    assert driver.states == {"a": NodeState(Phase.WAITING, n_measured=3, n_left=0)}


class BusyMachine:
    """The source of a node whose first runs measure nothing."""

    def __init__(self, source: SleepingSource, n_runs: int) -> None:
        self._source, self._n_runs = source, n_runs

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:
        event = self._source.measure(config, iteration=iteration, rng=rng)
        if iteration >= self._n_runs:
            return event
        return replace(event, verdict=Verdict.INVALID, reasons=("other programs had the cores",))

    def close(self) -> None:
        self._source.close()


def busy_at_first(n_runs: int) -> tuple[Any, ...]:
    """Return the arguments of ``NodeCampaign`` with which the first runs of node a measure nothing."""

    def env(orders: Orders, settings: DfaasConfig) -> PevaEnv:
        host = SleepingHost(orders, settings)
        if orders.node.name == "a":
            host.source = BusyMachine(host.source, n_runs)  # type: ignore[assignment,arg-type]
        return PevaEnv(host)

    return (env, *SLEEPING[1:])


def runs_of_fleet(tmp_path: Path) -> list[tuple[str | None, str]]:
    """Return the node and the verdict of each run in the order in which they began, none before the last had ended."""
    with reading(tmp_path / "out" / "fleet.duckdb", DEFAULT_SCHEMA_VERSION) as connection:
        runs = connection.execute(
            "SELECT run_id, verdict, started_at, ended_at FROM execution_events WHERE kind = 'measured' ORDER BY 3"
        ).fetchall()
    assert all(one[3] <= other[2] for one, other in pairwise(runs))
    return [(fleet_node(run_id), verdict) for run_id, verdict, *_ in runs]


@pytest.mark.timeout(60)
def test_a_node_on_a_busy_machine_is_put_aside_while_the_others_go_on(tmp_path: Path) -> None:
    def stop_after_b(driver: FleetDriver) -> None:
        if driver.states["b"].phase is Phase.COMPLETE:
            driver.stop()

    driver = driven(tmp_path, busy_at_first(1), agent="bisection", max_loaded=1, aside_s=3600, tell=stop_after_b)
    assert [state.phase for state in driver.states.values()] == [Phase.INTERRUPTED, Phase.COMPLETE]
    first, *others = runs_of_fleet(tmp_path)
    assert first == ("a", "INVALID")
    assert {node for node, _ in others} == {"b"}


@pytest.mark.timeout(60)
def test_a_node_that_was_put_aside_goes_on_after_a_while(tmp_path: Path) -> None:
    driver = driven(tmp_path, busy_at_first(1), agent="bisection", max_loaded=1, aside_s=0.1)
    assert [state.phase for state in driver.states.values()] == [Phase.COMPLETE, Phase.COMPLETE]
    runs = runs_of_fleet(tmp_path)
    assert {node for node, verdict in runs if verdict == "INVALID"} == {"a"}
    assert ("b", "OVERLOADED") in runs


@pytest.mark.timeout(60)
def test_a_node_whose_runs_measure_nothing_time_after_time_has_failed(tmp_path: Path) -> None:
    driver = driven(tmp_path, busy_at_first(100), agent="bisection", aside_s=0.1)
    assert [state.phase for state in driver.states.values()] == [Phase.FAILED, Phase.COMPLETE]
    assert driver.states["a"].detail.endswith("measured nothing: other programs had the cores")
    assert len(started_runs(tmp_path / "out", "a")) == 1 + MOST_PAUSES


def unready(problems: Iterable[PevaError | None]) -> tuple[Any, ...]:
    """Return the arguments of ``NodeCampaign`` with which each start of node a has a problem, or None."""
    upcoming = iter(problems)

    def env(orders: Orders, settings: DfaasConfig) -> PevaEnv:
        problem = next(upcoming, None) if orders.node.name == "a" else None
        if problem is not None:
            raise problem
        return sleeping_env(orders, settings)

    return (env, *SLEEPING[1:])


NOT_READY = PlatformError("function 'f' was not ready within 15 s", is_temporary=True)


def require_patience(driver: FleetDriver, n_problems: int, problem: str) -> None:
    """Check that node a has failed if it had too many problems in a row, and that node b went on."""
    of_a, of_b = driver.states.values()
    assert of_b.phase is Phase.COMPLETE
    if n_problems > MOST_PAUSES:
        assert (of_a.phase, of_a.detail) == (Phase.FAILED, problem)
    else:
        assert of_a.phase is Phase.COMPLETE


@pytest.mark.timeout(60)
@pytest.mark.parametrize("n_starts", [MOST_PAUSES, 1 + MOST_PAUSES])
def test_a_node_that_is_not_ready_in_time_is_tried_again(tmp_path: Path, n_starts: int) -> None:
    driver = driven(tmp_path, unready([NOT_READY] * n_starts), agent="bisection", aside_s=0.1)
    require_patience(driver, n_starts, str(NOT_READY))


@pytest.mark.timeout(60)
def test_a_node_with_a_wrong_configuration_fails_at_once(tmp_path: Path) -> None:
    driver = driven(tmp_path, unready([PlatformError("there is no function 'f'")]), aside_s=3600)
    assert [state.phase for state in driver.states.values()] == [Phase.FAILED, Phase.COMPLETE]


@pytest.mark.timeout(60)
def test_a_node_that_has_measured_something_is_tried_again_whatever_it_lacks_then(tmp_path: Path) -> None:
    class GoneAfterARun(BusyMachine):
        """The source of a node whose second configuration measures nothing, as while its gateway starts anew."""

        n_measured = 0

        def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:
            GoneAfterARun.n_measured += 1
            self._n_runs = 99 if GoneAfterARun.n_measured == 2 else 0
            return super().measure(config, iteration=iteration, rng=rng)

    starts = iter([None, PlatformError("http://10.0.0.9:8080 refuses connections")])

    def env(orders: Orders, settings: DfaasConfig) -> PevaEnv:
        host = SleepingHost(orders, settings)
        if orders.node.name == "a":
            problem = next(starts, None)
            if problem is not None:
                raise problem
            host.source = GoneAfterARun(host.source, 0)  # type: ignore[assignment,arg-type]
        return PevaEnv(host)

    driver = driven(tmp_path, (env, *SLEEPING[1:]), agent="bisection", aside_s=0.1)
    assert [state.phase for state in driver.states.values()] == [Phase.COMPLETE, Phase.COMPLETE]
    assert next(starts, "no start is left") == "no start is left"


def slow_k6(n_checks: int) -> tuple[Any, ...]:
    """Return the arguments of ``NodeCampaign`` with which k6 of node a tells its version after as many checks."""
    left = Counter({2: n_checks})

    def version(settings: DfaasConfig) -> str:
        places = settings.functions[0].concurrency or 0
        left[places] -= 1
        if left[places] >= 0:
            raise SLOW_K6
        left[places] = n_checks if places == 2 else 0  # the next worker asks again
        return "1.1.0"

    return sleeping_env, version


SLOW_K6 = LoadGeneratorError("'k6 version' took more than 20 s", is_temporary=True)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("n_checks", [MOST_PAUSES, 1 + MOST_PAUSES])
def test_a_machine_whose_k6_does_not_answer_in_time_is_asked_again(tmp_path: Path, n_checks: int) -> None:
    require_patience(driven(tmp_path, slow_k6(n_checks), aside_s=0.1), n_checks, str(SLOW_K6))


class LostAtItsBegin(NodeCampaign):
    """A campaign whose first worker is lost when node a begins."""

    is_lost = False

    def begin(self, orders: Orders) -> None:
        if orders.node.name == "a" and not LostAtItsBegin.is_lost:
            LostAtItsBegin.is_lost = True
            raise InProcessRay.exceptions.RayError("lost")
        super().begin(orders)


@pytest.mark.timeout(60)
def test_a_machine_that_has_answered_is_asked_as_often_again_when_its_worker_was_lost(tmp_path: Path) -> None:
    LostAtItsBegin.is_lost = False
    driver = driven(tmp_path, slow_k6(MOST_PAUSES), ray=InProcessRay(LostAtItsBegin), aside_s=0.1)
    require_patience(driver, MOST_PAUSES, "")
    assert LostAtItsBegin.is_lost


@pytest.mark.timeout(60)
def test_a_node_that_is_put_aside_can_be_stopped(tmp_path: Path) -> None:
    plan = load_fleet(write(tmp_path, output_dir=str(tmp_path / "out"), defaults=RATES))
    with writing(plan.memory, DEFAULT_SCHEMA_VERSION) as store:
        driver = FleetDriver(plan, InProcessRay(), store, busy_at_first(1))
        driver.start()

        def stop_when_aside() -> None:
            if driver.states["a"].phase is Phase.ASIDE:
                driver.stop()

        driver.run(stop_when_aside)
    assert driver.states["a"].phase is Phase.INTERRUPTED


def test_of_two_machines_with_different_k6_one_measures(tmp_path: Path) -> None:
    def version(settings: DfaasConfig) -> str:
        return {2: "1.1.0", 4: "2.2.0"}[settings.functions[0].concurrency or 0]

    driver = driven(tmp_path, (sleeping_env, version), agent="bisection")
    assert [state.phase for state in driver.states.values()] == [Phase.COMPLETE, Phase.FAILED]
    assert "this machine has k6 2.2.0, and the fleet measures with k6 1.1.0, so that" in driver.states["b"].detail
    with reading(tmp_path / "out" / "fleet.duckdb", DEFAULT_SCHEMA_VERSION) as connection:
        assert stored_runs(connection).keys() == {"a"}


@contextmanager
def hearing() -> Iterator[list[list[str]]]:
    """Give, for each time that an agent learns elsewhere, the nodes of the runs."""
    lessons: list[list[str]] = []

    def record(_: TransferAgent, events: Sequence[ExecutionEvent]) -> None:
        lessons.append([str(fleet_node(event.run_id)) for event in events])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransferAgent, "learn_elsewhere", record)
        yield lessons


class Transferred(NamedTuple):
    """A fleet whose nodes learned from each other and refined their maps, its folder, and what the agents heard."""

    driver: FleetDriver
    folder: Path
    heard: list[list[str]]


@pytest.fixture(scope="module")
def transferred(tmp_path_factory: pytest.TempPathFactory) -> Transferred:
    folder = tmp_path_factory.mktemp("transferred")
    with hearing() as heard, refining():
        return Transferred(driven(folder, agent="learnt-transfer"), folder, heard)


@contextmanager
def refining() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RATES, "refine", "20%")
        yield


def test_runs_reach_the_other_nodes_while_they_measure(transferred: Transferred) -> None:
    assert {state.phase for state in transferred.driver.states.values()} == {Phase.COMPLETE}
    assert {frozenset(nodes) for nodes in transferred.heard} == {frozenset("a"), frozenset("b")}


def test_an_agent_that_does_not_transfer_is_told_nothing(tmp_path: Path) -> None:
    with hearing() as heard:
        states = driven(tmp_path, agent="bisection").states
    assert heard == []
    assert {state.n_alone for state in states.values()} == {None}
    assert savings_text(states) == ""


def test_what_transfer_saved_is_told_of_each_node_and_of_all(tmp_path: Path, transferred: Transferred) -> None:
    states = transferred.driver.states
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
    [
        (8, "saved 2.0 of them (20%), about 1m 00s of machine time"),
        (11, "cost 1.0 more, about 30s of machine time"),
        (10, "saved none of them"),
    ],
)
def test_savings_are_the_difference_to_the_agent_alone(n_measured: int, said: str) -> None:
    states = {"a": NodeState(n_measured=n_measured, n_alone=10.0, config_s=30.0), "b": NodeState(n_measured=3)}
    text = savings_text(states)
    assert text.startswith("alone, the agent would have measured 10.0 configurations of 1 complete node: ")
    assert text.endswith(said)


SCOUTED_RATES = {"a": [10, 20, 30], "b": [20, 40, 60]}


def scout_asleep(config: DfaasConfig, observer: Any, *, run_id: str) -> Scouting:
    """Scout as on a node that sleeps: a run of k6 with two steps."""
    name = str(fleet_node(run_id))
    steps = [[("f", rate)] for rate in SCOUTED_RATES[name][:2]]
    observer.starting(steps, 1.0)
    of_scouting: dict[str, Any] = {"run_id": run_id, "repetition": 0, "context_hash": f"context of {name}"}
    events = [event(one, kind=EventKind.SCOUTED, cost_s=1.0, **of_scouting) for one in steps]
    with writing(config.memory.db_path, DEFAULT_SCHEMA_VERSION) as store:
        store.open_session(Session(run_id, 0, f"context of {name}", {"node": {"name": name}}))
        for each in events:
            observer.stepped(each)
        store.insert_events(events)
        store.close_session(run_id, EndStatus.COMPLETE)
    return Scouting(events, is_complete=True, decides=True)


def planned_asleep(config: DfaasConfig) -> DfaasConfig:
    """Return a configuration with the rates that its node was scouted for, if it was."""
    with reading(config.memory.db_path, DEFAULT_SCHEMA_VERSION) as connection:
        rows = connection.execute("SELECT run_id FROM run_sessions WHERE repetition = 0").fetchall()
    mine = [name for name in map(fleet_node, (run_id for (run_id,) in rows)) if f"/{name}/" in config.memory.db_path]
    data = config.model_dump(mode="json", exclude_unset=True)
    rates = {"type": "custom", "rates": SCOUTED_RATES[str(mine[0])]} if mine else data["rate_strategy"]
    return parse_config(data | {"rate_strategy": rates})


def test_each_node_is_scouted_once_for_rates_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("planned", "with_scouted_rates"):
        monkeypatch.setattr(f"peva_env.campaign.scouting.{name}", planned_asleep)
    monkeypatch.setitem(RATES, "rate_strategy", {"type": "auto"})
    for n_scouted in (2, 0):
        driver = driven(tmp_path, (*SLEEPING, scout_asleep), agent="learnt-transfer", max_loaded=1)
        assert {state.phase for state in driver.states.values()} == {Phase.COMPLETE}
        assert (driver.n_events > 0) == (n_scouted > 0)
    with reading(tmp_path / "out" / "fleet.duckdb", DEFAULT_SCHEMA_VERSION) as connection:
        scouted = connection.execute("SELECT run_id FROM run_sessions WHERE repetition = 0").fetchall()
        runs = stored_runs(connection)
    assert sorted(str(fleet_node(run_id)) for (run_id,) in scouted) == ["a", "b"]
    rates = {name: {int(run.split()[1]) for run in own} for name, own in runs.items()}
    assert all(rates[name] <= set(SCOUTED_RATES[name]) for name in "ab")


def test_a_scouting_that_is_cut_short_says_what_to_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_short(config: DfaasConfig, observer: Any, *, run_id: str) -> Scouting:
        return replace(scout_asleep(config, observer, run_id=run_id), is_complete=False)

    monkeypatch.setattr("peva_env.campaign.scouting.planned", lambda config: config)
    monkeypatch.setitem(RATES, "rate_strategy", {"type": "auto", "max_time": "20s"})
    states = driven(tmp_path, (*SLEEPING, cut_short), agent="bisection").states
    assert {state.detail for state in states.values()} == {
        "rate_strategy.max_time 20s: was too short for all rays; give more time"
    }


def test_a_complete_map_is_refined_and_what_transfer_saved_is_that_of_the_map(transferred: Transferred) -> None:
    with refining():
        again = driven(transferred.folder, agent="learnt-transfer")
    for driver in (transferred.driver, again):
        assert {state.phase for state in driver.states.values()} == {Phase.COMPLETE}
        assert (driver.n_events > 0) == (driver is not again)
        assert all(2 <= (state.n_alone or 0.0) <= 6 for state in driver.states.values())
    for name, capacity_rps in (("a", 20), ("b", 40)):
        known = read_map(transferred.folder / "out" / "fleet.duckdb", context=name).known
        (ok,), (overloaded,) = known.frontier()[1], known.frontier()[0]
        assert ok[0][1] <= capacity_rps < overloaded[0][1] <= max(ok[0][1] + 1, 1.2 * ok[0][1])
