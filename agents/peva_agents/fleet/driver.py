"""The driver of a fleet: starts a Ray actor for each node, stores what they send, and says which of them may run next.

- One actor has a name for each node, so a cluster never has two campaigns on one node.
- An event is in the fleet's memory before its node forgets it: the node sends it again until the driver asks for the
  next one.
- A worker that is lost is replaced by Ray; its campaign begins again with what the fleet's memory has. A driver that is
  lost takes its actors with it; the next start first gets what they had no time to send.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from peva_agents.fleet.cluster import HEAD_LOST_S, HeadWatch, lacks_text, resources
from peva_agents.fleet.exchange import merge, packed
from peva_agents.fleet.file import FleetNode, FleetPlan
from peva_agents.fleet.member import AGAIN_S, Member
from peva_agents.fleet.news import Checked, News, NodeState, Phase
from peva_agents.fleet.node import MOST_PAUSES, NodeCampaign
from peva_agents.fleet.orders import Orders, require_k6
from peva_agents.fleet.shares import LoadShares
from peva_env.contracts import EventKind, ExecutionEvent, TransferringAgent
from peva_env.errors import LoadGeneratorError, PevaError
from peva_env.memory import DuckDBMemoryStore, fleet_node, fleet_run_id
from peva_env.planning import agent_factory
from peva_env.system import is_own_raylet_lost, uninterrupted

NAMESPACE = "peva-env-fleet"

_NEWS_WAIT_S = 5.0
_TICK_S = 0.5
_GATHER_S = 0.02
"""How long the first news waits for that of other nodes: a transaction of many events costs little more than of one."""

_NAME_FREE_S = 30.0

_MAX_LOSSES = 40
"""Some 20 s if each worker ends at once."""

_ASIDE_S = 60.0

_RUNS = (EventKind.MEASURED, EventKind.CANARY, EventKind.SCOUTED)
"""The kinds of events that took machine time."""

_A_PLACE = 0.001
"""How much of a node's resource its actor takes: a resource says where a campaign may run, and not how many."""


class FleetDriver:
    """Runs the campaigns of a fleet.

    Args:
        plan: what is to be measured.
        ray: the module, connected to a cluster in the namespace ``NAMESPACE``.
        store: the started memory of the fleet.
        campaign: the arguments of ``NodeCampaign``; by default nodes are measured live.
        before: the states of nodes in an earlier start, whose counts are told until a campaign has loaded its memory.
        max_losses: how many workers of a node may be lost without an event between them; then the node has failed.
        aside_s: how long a node is left alone that cannot be measured now, as while other programs have its machine, in
            seconds.
        head_lost_s: how long Ray's head may not answer before it counts as lost, in seconds.
    """

    def __init__(
        self,
        plan: FleetPlan,
        ray: Any,
        store: DuckDBMemoryStore,
        campaign: Sequence[Any] = (),
        *,
        before: Mapping[str, NodeState] = MappingProxyType({}),
        max_losses: int = _MAX_LOSSES,
        aside_s: float = _ASIDE_S,
        head_lost_s: float = HEAD_LOST_S,
    ) -> None:
        self._plan, self._ray, self._store, self._campaign = plan, ray, store, campaign
        versions = store.database.connection.execute(
            "SELECT k6_version FROM run_sessions WHERE k6_version IS NOT NULL ORDER BY started_at DESC LIMIT 1"
        ).fetchone()
        self._k6_version: str | None = versions[0] if versions else None
        self._members = {node.name: Member(node, before.get(node.name, NodeState()), aside_s) for node in plan.nodes}
        self._resolved = dict.fromkeys(self._members, 0)
        self._transfers = isinstance(agent_factory(plan.agent)(plan.nodes[0].settings), TransferringAgent)
        self.shares = LoadShares(self._members, max_loaded=plan.max_loaded, budget_s=plan.budget_s)
        self._max_losses = max_losses
        self._ends_as: Phase | None = None
        self._head = HeadWatch(ray, head_lost_s)
        self.n_events = 0

    @property
    def states(self) -> Mapping[str, NodeState]:
        """The state of each node, by name, in the order of the file."""
        return {name: member.state for name, member in self._members.items()}

    def start(self, *, name_free_s: float = _NAME_FREE_S) -> None:
        """Create the actors, which wait for their turn.

        Args:
            name_free_s: how long a cluster may take to notice that an earlier driver of a node is gone, in seconds.

        Raises:
            PevaError: no machine has the resource of a node, or another fleet measures one of the nodes.
        """
        there = resources(self._ray)
        for member in self._members.values():
            lacks = lacks_text(member.node.resource, there)
            if lacks:
                raise PevaError(f"node {member.node.name}: {lacks}")
        for member in self._members.values():
            member.actor = self._actor(member.node, name_free_s)

    def run(self, tell: Callable[[], None]) -> None:
        """Run until all campaigns have ended; ``tell`` is called after each step.

        Raises:
            KeyboardInterrupt: the fleet was interrupted; call ``stop``, and this again.
            RayHeadLostError: Ray's head does not answer; call ``stop``, and this again.
            PevaError: Ray has lost the raylet of this machine.
            MemoryStoreError: the fleet's memory cannot be written.
        """
        while not all(member.state.phase.is_end for member in self._members.values()):
            if self.shares.is_spent:
                self.stop(Phase.BUDGET)
            if self._ends_as is None:
                self._head.require()
            with uninterrupted():  # else a node could be told that it may run, and not be listened to
                self._grant()
                self._check()
                self._ask()
                self._look_for_machines()
            self._listen()
            tell()

    def stop(self, why: Phase = Phase.INTERRUPTED) -> None:
        """Let no campaign begin another run; runs in progress are finished and stored.

        A node without a machine has ended then: it may be waiting for one that does not come.
        """
        if self._ends_as is None:
            self._ends_as = why
            for member in self._members.values():
                if member.is_begun:
                    member.actor.stop.remote()
                elif not member.state.phase.is_end:
                    member.end(why, "its campaign had not begun")

    def _actor(self, node: FleetNode, name_free_s: float) -> Any:
        actor = self._ray.remote(NodeCampaign).options(
            name=f"node {node.name}",
            num_cpus=0,
            resources={node.resource: _A_PLACE} if node.resource else None,
            max_restarts=-1,
            max_concurrency=8,
        )
        give_up_at = time.monotonic() + name_free_s
        while True:
            try:
                return actor.remote(*self._campaign)
            except ValueError as error:  # the name is taken
                if time.monotonic() > give_up_at:
                    raise PevaError(
                        f"node {node.name}: another fleet on this cluster measures a node of this name; wait for it, "
                        "stop it with peva-env fleet stop, or give the node another name"
                    ) from error
            time.sleep(AGAIN_S)

    def _grant(self) -> None:
        if self._ends_as is not None:
            return
        asking = [name for name, member in self._members.items() if member.asks or member.is_to_begin]
        for name in self.shares.next(asking, [name for name, member in self._members.items() if member.is_loaded]):
            member = self._members[name]
            member.n_granted = max(member.n_granted + 1, member.state.n_asked)
            lessons = member.take_lessons()
            if member.is_to_ask:  # one call for both
                self._ask_for_news(member, lessons)
            elif member.is_begun:
                member.actor.grant.remote(member.n_granted, lessons)
            else:  # the lessons so far are in the fleet's memory
                member.is_begun = True
                member.state = replace(member.state, phase=Phase.STARTING, detail="")
                member.waits_for = member.actor.begin.remote(self._orders(member.node))

    def _orders(self, node: FleetNode) -> Orders:
        rows = self._store.database.connection.execute("SELECT run_id FROM run_sessions").fetchall()
        known = [run_id for (run_id,) in rows if self._transfers or fleet_node(run_id) == node.name]
        tables = packed(self._store, known)
        return Orders(node, self._plan.agent, fleet_run_id(node.name), tables, self._k6_version)

    def _listen(self) -> None:
        """Wait for news, and store all events that have come in one transaction."""
        waiting = {member.waits_for: member for member in self._members.values() if member.waits_for is not None}
        if not waiting:
            time.sleep(AGAIN_S)
            return
        ready, _ = self._ray.wait(list(waiting), num_returns=1, timeout=_TICK_S)
        if ready:
            ready, _ = self._ray.wait(list(waiting), num_returns=len(waiting), timeout=_GATHER_S)
        with uninterrupted():  # news is told once: what is lost here, nobody would ask for again
            heard = []
            for reference in ready:
                news = self._heard(waiting[reference], reference)
                if news is not None:
                    heard.append((waiting[reference], news))
            self._store_all(heard)
            for member, news in heard:
                self._follow(member, news)

    def _check(self) -> None:
        """Let machines that are to begin check their k6, before anything of them is in a memory."""
        for member in self._members.values():
            if member.is_to_check:
                member.waits_for = member.actor.checked.remote(member.node.settings, self._k6_version)

    def _look_for_machines(self) -> None:
        """Tell which nodes lost their worker and wait for a machine with their resource."""
        lost = [member for member in self._members.values() if member.state.phase is Phase.RESTARTING]
        there = resources(self._ray) if any(member.node.resource for member in lost) else set()
        for member in lost:
            member.wait_for_machine(lacks_text(member.node.resource, there))

    def _heard(self, member: Member, reference: Any) -> News | None:
        member.waits_for = None
        errors = self._ray.exceptions
        try:
            news: News | Checked | None = self._ray.get(reference)
        except errors.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, PevaError) and cause.is_temporary and member.n_pauses < MOST_PAUSES:
                member.put_aside(str(cause))
            else:
                member.end(Phase.FAILED, str(cause))
            return None
        except errors.RayError as error:
            if is_own_raylet_lost(self._ray):
                raise PevaError(
                    "Ray's process on this machine (raylet) was lost, and Ray has ended the campaigns with it; start "
                    "Ray again here, and the same command goes on"
                ) from error
            member.lost(counts=not isinstance(error, errors.ActorUnavailableError))
            if member.n_losses > self._max_losses or self._ends_as is not None:
                ends_as = Phase.FAILED if self._ends_as is None else self._ends_as
                member.end(ends_as, f"its worker was lost: {str(error).partition(chr(10))[0]}")
            return None
        if isinstance(news, Checked):
            self._accept(member, news)
            return None
        if news is not None and not news.is_begun:  # a worker in place of a lost one
            member.lost()
            return None
        return news

    def _accept(self, member: Member, checked: Checked) -> None:
        """Let a machine begin, unless another one has answered since it was asked, and has another k6."""
        try:
            require_k6(checked.k6_version, self._k6_version)
        except LoadGeneratorError as error:
            member.end(Phase.FAILED, str(error))
            return
        self._k6_version = self._k6_version or checked.k6_version
        member.is_checked, member.n_pauses = True, 0

    def _store_all(self, heard: list[tuple[Member, News]]) -> None:
        events: list[ExecutionEvent] = []
        for member, news in heard:
            for item in news.items[max(0, member.after - news.first) :]:
                if isinstance(item, ExecutionEvent):
                    events.append(item)
                    self._teach(member, item)
                else:
                    merge(self._store, item)
        if events:
            self._store.insert_events(events)
            self.n_events += len(events)

    def _teach(self, member: Member, event: ExecutionEvent) -> None:
        """Keep a run of a node for the others until their next choice."""
        if self._transfers and event.is_valid:
            for other in self._members.values():
                if other is not member and other.is_begun and not other.state.phase.is_end:
                    other.lessons.append(replace(event, raw_summary=None))

    def _follow(self, member: Member, news: News) -> None:
        for item in news.items[max(0, member.after - news.first) :]:
            if isinstance(item, ExecutionEvent) and item.kind in _RUNS:
                name, member.n_losses = member.node.name, 0
                resolved = news.state.n_resolved - self._resolved[name]
                self._resolved[name] = news.state.n_resolved
                self.shares.charge(name, item.cost_s, max(0, resolved))
        member.after = max(member.after, news.first + len(news.items))
        member.version = news.version
        if news.state.phase.is_end and self._ends_as is not None and news.state.phase is Phase.INTERRUPTED:
            member.end(self._ends_as, _WHY.get(self._ends_as, news.state.detail))
        elif not member.state.phase.is_end:
            member.follow(news.state)
            self._require_own_target(member, news)

    def _ask(self) -> None:
        """Ask the nodes that have answered what is new."""
        for member in self._members.values():
            if member.is_to_ask:
                self._ask_for_news(member)

    def _ask_for_news(self, member: Member, lessons: Sequence[ExecutionEvent] = ()) -> None:
        if self._ends_as is not None:
            member.actor.stop.remote()  # also a campaign that began anew meanwhile
        question = (member.after, member.version, _NEWS_WAIT_S, member.n_granted, lessons)
        member.waits_for = member.actor.news.remote(*question)

    def _require_own_target(self, member: Member, news: News) -> None:
        """End a campaign whose target is that of another node: one of them would take the other's runs for its own."""
        if all(isinstance(item, ExecutionEvent) for item in news.items):
            return
        rows = self._store.database.connection.execute("SELECT run_id, context_hash FROM run_sessions").fetchall()
        own = {context for run_id, context in rows if fleet_node(run_id) == member.node.name}
        nodes = {fleet_node(run_id) or run_id for run_id, context in rows if context in own}
        others = sorted(nodes - {member.node.name})
        if others and member.state.phase is not Phase.COMPLETE:
            member.actor.stop.remote()
            member.end(Phase.FAILED, f"is the same target as node {others[0]}: leave one of them out of the file")


_WHY = {Phase.BUDGET: "the machine time of the fleet is spent"}
