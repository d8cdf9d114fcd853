"""The four commands of a fleet: run, status, stop, merge."""

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from peva_agents.fleet.cluster import RayHeadLostError
from peva_agents.fleet.driver import NAMESPACE, FleetDriver
from peva_agents.fleet.file import FleetPlan, advice_of_fleet, load_fleet
from peva_agents.fleet.news import NodeState, Phase
from peva_agents.fleet.status import FleetStatus, read_status, write_status
from peva_agents.fleet.view import FleetView, node_table, savings_text, say_failures
from peva_env.console import duration_text, say
from peva_env.contracts import EndStatus
from peva_env.errors import ConfigError, MemoryStoreError, PevaError
from peva_env.memory import DEFAULT_SCHEMA_VERSION, DuckDBMemoryStore, writing
from peva_env.memory.parquet import merge_memories
from peva_env.planning import agent_factory
from peva_env.system import output_folder, ray_cluster

_STATUS_EVERY_S = 1.0
_POLL_S = 0.2


def run(
    file: Path,
    *,
    console: Console,
    ray: str | None = None,
    budget_seconds: float | None = None,
    campaign: Sequence[Any] = (),
) -> EndStatus:
    """Measure the nodes of a file, or go on where a fleet was stopped or killed; return how the fleet ended.

    Args:
        file: see ``peva_agents.fleet.file``.
        console: where to show the nodes.
        ray: a Ray cluster: ``auto``, ``local`` or HOST:PORT; by default one is started here.
        budget_seconds: machine time for all nodes together, in place of the file's.
        campaign: the arguments of ``NodeCampaign``; by default nodes are measured live.

    Raises:
        ConfigError: the file or the address cannot be used, a node wants a resource of a Ray that is started here, Ray
            is not installed, or the folder is another's.
        PevaError: Ray does not answer, another fleet measures one of the nodes, or the memory cannot be used.
    """
    plan, ray = load_fleet(file), "local" if ray is None else ray
    if budget_seconds is not None:
        plan = replace(plan, budget_s=budget_seconds)
    for node in plan.nodes:
        agent_factory(plan.agent)(node.settings)  # before anything is started
        if node.resource is not None and ray == "local":
            raise ConfigError(
                f"{file}: node {node.name}: resource = {node.resource!r:.60}: a Ray that is started here has none; "
                "leave it out, or choose the cluster of the node's machines with --ray"
            )
    output_folder("output_dir", plan.folder, what="fleet", mark=plan.memory.name)
    with _memory(file, plan):  # from now on it is there: one that is new to a block is removed if that raises
        pass
    with ExitStack() as resources:
        store = resources.enter_context(_memory(file, plan))
        store.mark_crashed_sessions()
        store.append_only()
        before = _tell_start(plan)
        if ray == "local":
            say(console, "starting Ray on this machine, which takes some seconds")
        cluster = resources.enter_context(ray_cluster(ray, namespace=NAMESPACE))
        driver = FleetDriver(plan, cluster, store, campaign, before=before)
        driver.start()
        with FleetView(console) as view:
            _drive(plan, driver, view, console)
    console.print(node_table(driver.states))
    say_failures(console, driver.states)
    say(console, f"{driver.n_events:,} runs, {duration_text(driver.shares.spent_s)} of machine time")
    _say_savings(console, driver.states)
    say(console, f"  {plan.memory}")
    return _ending([state.phase for state in driver.states.values()])


@contextmanager
def _memory(file: Path, plan: FleetPlan) -> Iterator[DuckDBMemoryStore]:
    """Open the fleet's memory to write it, and close it afterwards.

    Raises:
        MemoryStoreError: it cannot be used, or another process has it; if that is a fleet's driver, the error says so.
    """
    with ExitStack() as resources:
        try:
            store = resources.enter_context(writing(plan.memory, DEFAULT_SCHEMA_VERSION))
        except MemoryStoreError as error:
            pid = _other_driver(plan)
            if pid is None:
                raise type(error)(advice_of_fleet(str(error))) from error
            raise MemoryStoreError(
                f"memory {plan.memory}: process {pid} drives a fleet with it; wait for that, end it with peva-env "
                f"fleet stop {file}, or choose another output_dir"
            ) from None
        yield store


def _other_driver(plan: FleetPlan) -> int | None:
    """Return the process on this machine, other than this one, that drives a fleet with the same folder."""
    try:
        found = read_status(_status_path(plan))
    except PevaError:  # no fleet has told its status there
        return None
    return found.pid if found.driver is not None and found.pid != os.getpid() else None


def _tell_start(plan: FleetPlan) -> Mapping[str, NodeState]:
    """Write and return the states of a fleet that is about to start Ray: those of its last end, and no run goes on."""
    try:
        before = read_status(_status_path(plan)).nodes
    except PevaError:  # no fleet has told its status there, or the file is damaged and is replaced
        before = {}
    states = {node.name: before.get(node.name, NodeState()) for node in plan.nodes}
    states = {
        name: state if state.phase.is_end else replace(state, phase=Phase.WAITING, detail="")
        for name, state in states.items()
    }
    write_status(_status_path(plan), states, 0.0, plan.budget_s)
    return states


def _drive(plan: FleetPlan, driver: FleetDriver, view: FleetView, console: Console) -> None:
    told_at = 0.0

    def tell() -> None:
        nonlocal told_at
        view.show(driver.states)
        if time.monotonic() - told_at > _STATUS_EVERY_S:
            told_at = time.monotonic()
            write_status(_status_path(plan), driver.states, driver.shares.spent_s, plan.budget_s)

    tell()
    try:
        driver.run(tell)
    except KeyboardInterrupt:
        say(console, "stopping: runs in progress are finished first; the same command goes on from there")
        driver.stop()
        driver.run(tell)
    except RayHeadLostError as error:
        say(console, f"{error}; runs in progress are finished first, if Ray leaves the time")
        driver.stop()
        driver.run(tell)
        raise
    finally:
        write_status(_status_path(plan), driver.states, driver.shares.spent_s, plan.budget_s)
        view.show(driver.states)


def _ending(phases: Sequence[Phase]) -> EndStatus:
    """Return how a fleet ended: the worst end of its nodes."""
    worst = (Phase.FAILED, Phase.INTERRUPTED, Phase.BUDGET, Phase.STOPPED)
    return EndStatus(str(next((phase for phase in worst if phase in phases), Phase.COMPLETE)))


def status(file: Path, *, console: Console) -> None:
    """Print the nodes of a fleet that runs, or as they were when it ended.

    Raises:
        ConfigError: the file cannot be used.
        PevaError: the fleet has not run yet.
    """
    found = read_status(_status_path(load_fleet(file)))
    console.print(node_table(found.nodes))
    say_failures(console, found.nodes)
    limit = "" if found.budget_s is None else f" of {duration_text(found.budget_s)}"
    say(console, f"{duration_text(found.spent_s)}{limit} of machine time; {_driver_text(found)}")
    _say_savings(console, found.nodes)


def _say_savings(console: Console, states: Mapping[str, NodeState]) -> None:
    text = savings_text(states)
    if text:
        say(console, text)


def _driver_text(found: FleetStatus) -> str:
    if found.driver is not None:
        return f"process {found.pid} drives the fleet"
    if all(state.phase.is_end for state in found.nodes.values()):
        return "the fleet has ended"
    age_s = time.time() - found.written_at
    return f"no process drives the fleet since {duration_text(age_s)}: peva-env fleet run goes on"


def stop(file: Path, *, console: Console) -> None:
    """End a fleet in order, and wait until it has ended.

    Raises:
        ConfigError: the file cannot be used.
        PevaError: the fleet does not run on this machine.
    """
    found = read_status(_status_path(load_fleet(file)))
    driver = found.driver
    if driver is None:
        raise PevaError(
            f"{file}: no process on this machine drives this fleet (the last one: {found.pid} on {found.host})"
        )
    say(console, f"process {found.pid} stops the fleet: runs in progress are finished first")
    with suppress(psutil.NoSuchProcess):  # it has ended, perhaps between these lines
        driver.send_signal(signal.SIGTERM)
    while found.driver is not None:
        time.sleep(_POLL_S)


def merge(file: Path, memories: Sequence[Path], *, console: Console) -> None:
    """Merge memories into that of a fleet: the given ones, or those of its nodes that are on this machine.

    Raises:
        ConfigError: the file cannot be used.
        MemoryStoreError: a memory cannot be read, or conflicts; nothing is changed.
    """
    plan = load_fleet(file)
    found = list(memories) or [path for node in plan.nodes if (path := plan.memory_of(node.name)).exists()]
    if not found:
        raise PevaError(f"{plan.folder}: no node has a memory on this machine; name the memories to merge")
    with _memory(file, plan) as store:
        counts = merge_memories(store, found)
    say(console, f"{plan.memory}: {counts['execution_events'].inserted:,} new events from {len(found)} memories")


def _status_path(plan: FleetPlan) -> Path:
    return plan.folder / "status.json"
