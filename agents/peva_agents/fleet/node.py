"""A node's campaign on the machine that loads it, as a Ray actor: a thread for the campaign, and calls beside it."""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium

from peva_agents.fleet.exchange import Tables, merge, packed
from peva_agents.fleet.file import advice_of_fleet
from peva_agents.fleet.link import DriverLink, Stopped
from peva_agents.fleet.listening import Begun, ListeningAgent
from peva_agents.fleet.news import Checked, News, Phase
from peva_agents.fleet.orders import Orders, live_env, live_k6_version, require_k6
from peva_agents.fleet.savings import MAX_CONFIGS, n_measured_alone
from peva_agents.loop import run_campaign
from peva_env.campaign import Scouting, with_known_rates
from peva_env.campaign import scout as scout_node
from peva_env.config import DfaasConfig, parse_config
from peva_env.contracts import (
    Agent,
    AgentWithDominance,
    EndStatus,
    ExecutionEvent,
    SpaceBoundAgent,
    TransferringAgent,
    Verdict,
)
from peva_env.env import PevaEnv
from peva_env.errors import InvalidRunError, PevaError, PlatformError
from peva_env.memory import DuckDBMemoryStore, is_in_use, read_events, writing
from peva_env.planning import REFINING_AGENT, Bracket, DfaasPlanBuilder, Refinement, agent_factory
from peva_env.space import Config, config_text
from peva_env.system import end_with_raylet

_PAUSE_S = 0.2

MOST_PAUSES = 5
"""How often in a row, without a valid run, a node that cannot be measured now is put aside before it has failed."""

_PLAYED_AGAIN = 3
"""How often an agent plays once more without the other nodes, with other seeds: a single game has luck."""


class NodeCampaign:
    """Runs the campaign of one node, and tells the driver.

    The node's own memory has each run before the driver hears of it, so neither a lost driver nor a lost worker loses a
    finished run. Calls come from several threads.

    Args:
        make_env: opens the environment of a node.
        k6_version: returns the version of this machine's k6, or None if there is none to compare.
        scout: scouts a node, as ``peva_env.campaign.scout``.
        lost_worker_s: how long a worker that was lost may need to end, before its memory counts as somebody else's.
    """

    def __init__(
        self,
        make_env: Callable[[Orders, DfaasConfig], gymnasium.Env[Any, Any]] = live_env,
        k6_version: Callable[[DfaasConfig], str | None] = live_k6_version,
        scout: Callable[..., Scouting] = scout_node,
        *,
        lost_worker_s: float = 30.0,
    ) -> None:
        end_with_raylet()
        self._lost_worker_s = lost_worker_s
        self._make_env, self._k6_version, self._scout = make_env, k6_version, scout
        self._link = DriverLink()
        self._beginning = threading.Lock()
        self._thread: threading.Thread | None = None
        self._env: PevaEnv | None = None
        self._session_known = False
        self._costs_s: list[float] = []
        self._n_valid = 0
        self._iterations = 1

    def checked(self, settings: DfaasConfig, of_fleet: str | None) -> Checked:
        """Return the version of this machine's k6.

        Raises:
            LoadGeneratorError: it is not that of the fleet, or this machine has none.
        """
        version = self._k6_version(settings)
        require_k6(version, of_fleet)
        return Checked(version)

    def begin(self, orders: Orders) -> None:
        """Begin the campaign, with leave for its first run; no-op if it has begun."""
        with self._beginning:
            if self._thread is None:
                self._link.grant(1)
                self._thread = threading.Thread(target=self._run, args=(orders,), daemon=True)
                self._thread.start()

    def news(
        self, after: int, version: int, wait_s: float, n_runs: int = 0, lessons: Sequence[ExecutionEvent] = ()
    ) -> News:
        """Grant as ``grant`` does, and return what is new, as ``DriverLink.news``."""
        if self._thread is None:
            return News(is_begun=False)
        self._link.grant(n_runs, lessons)
        return self._link.news(after, version, wait_s)

    def grant(self, n_runs: int, lessons: Sequence[ExecutionEvent] = ()) -> None:
        """Allow the first ``n_runs`` runs of this campaign; ``lessons`` are runs of other nodes since the last call."""
        self._link.grant(n_runs, lessons)

    def stop(self) -> None:
        """End the campaign before its next run."""
        self._link.stop()

    def choosing(self) -> Sequence[ExecutionEvent]:
        """Wait for leave to run, before a configuration is chosen; return what other nodes have measured meanwhile."""
        self._wait_for_leave()
        return self._link.take_lessons()

    def starting(self, config: Config, iteration: int) -> None:
        """Wait for leave to run, unless there is. Part of ``CampaignObserver``, as the three methods below."""
        self._wait_for_leave()
        self._link.use_leave(f"{config_text(config)} (run {iteration + 1})")

    def measured(self, event: ExecutionEvent) -> None:
        """Send the event of a run."""
        self._costs_s.append(event.cost_s)
        self._n_valid += event.is_valid
        self._link.tell(event, phase=Phase.WAITING)

    def concluded(self, config: Config, verdict: Verdict, resolved: int) -> None:
        """Tell a verdict."""
        last, n_resolved = f"{config_text(config)}: {verdict}", self._link.state.n_resolved + resolved
        self._link.tell(last=last, n_resolved=n_resolved, **self._counts())

    def suspected(self, marks: Sequence[ExecutionEvent]) -> None:
        """Send marks of suspect runs."""
        self._link.tell(*marks)

    def _run(self, orders: Orders) -> None:
        if "" not in sys.path:
            sys.path.append("")  # module:Class finds the user's own modules, as on the command line
        try:
            phase, detail = self._campaign(orders)
        except Stopped as stop:
            phase, detail = Phase.INTERRUPTED, str(stop)
        except PevaError as error:
            phase, detail = Phase.FAILED, advice_of_fleet(str(error))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the driver must hear of it
            phase, detail = Phase.FAILED, repr(error)
        self._link.tell(phase=phase, detail=detail, **self._counts())

    def _campaign(self, orders: Orders) -> tuple[Phase, str]:
        own = orders.node.settings
        self._iterations = own.iterations
        self._link.tell(phase=Phase.STARTING)
        self._wait_for(Path(own.memory.db_path))
        with writing(own.memory.db_path, own.memory.schema_version) as store:
            store.mark_crashed_sessions()
            mine = _run_ids(store)
            merge(store, orders.known)
            if mine:  # also what an earlier start had no time to send
                self._link.tell(packed(store, mine))
        settings = parse_config({**own.model_dump(mode="json", exclude_unset=True), "run_id": orders.run_id})
        settings = self._patiently(partial(self._with_rates, settings))
        if settings.refine_share is not None:  # before hours of campaign that nothing could refine
            Refinement(DfaasPlanBuilder(settings).build_space(), settings.refine_share)
        grid = settings.model_copy(update={"refine": None})
        agent = agent_factory(orders.agent)(grid)
        if isinstance(agent, SpaceBoundAgent):
            agent.require_space(DfaasPlanBuilder(grid).build_space())
        ended = self._patiently(lambda: self._play(orders, grid, orders.agent))
        if settings.refine and ended[0] is Phase.COMPLETE:
            ended = self._patiently(lambda: self._play(orders, settings, REFINING_AGENT))
        return ended

    def _patiently[T](self, do: Callable[[], T]) -> T:
        """Do a part of the campaign; if it fails by what may pass, do it again when the driver gives leave."""
        n_pauses = 0
        while True:
            n_valid = self._n_valid
            try:
                return do()
            except PevaError as error:
                n_pauses = 1 if self._n_valid > n_valid else n_pauses + 1
                if n_pauses > MOST_PAUSES or not self._may_pass(error):
                    raise
                self._link.put_aside(str(error))

    def _may_pass(self, error: PevaError) -> bool:
        """Whether the same may succeed later: a node that has had a valid run has a right configuration."""
        if isinstance(error, PlatformError) and self._n_valid:
            return True
        return error.is_temporary or isinstance(error, InvalidRunError)

    def _with_rates(self, settings: DfaasConfig) -> DfaasConfig:
        """Return a configuration whose rates are known; scout first if they have to be found."""

        def scout() -> Scouting:
            try:
                return self._scout(settings, _ScoutingObserver(self), run_id=f"{settings.run_id}-scout")
            finally:
                with writing(settings.memory.db_path, settings.memory.schema_version) as store:
                    self._link.tell(_own_tables(store, settings))

        return with_known_rates(settings, scout)

    def _play(self, orders: Orders, settings: DfaasConfig, agent_name: str) -> tuple[Phase, str]:
        """Let an agent run a campaign, and return how and why it ended."""
        agent: Agent = agent_factory(agent_name)(settings)
        usual = agent.dominance if isinstance(agent, AgentWithDominance) else "one_sided"
        env = self._make_env(orders, settings.model_copy(update={"dominance": settings.dominance or usual}))
        self._env = env.unwrapped  # type: ignore[assignment]
        assert isinstance(self._env, PevaEnv)  # noqa: S101 - the id is ours
        self._env.observer = self
        self._session_known = False
        listening = ListeningAgent(agent, self.choosing, usual)
        try:
            result = run_campaign(env, listening, seed=settings.seed, options={"warm_start": True})
        finally:
            self._session_known = True
            env.close()
            with writing(settings.memory.db_path, settings.memory.schema_version) as store:
                self._link.tell(_own_tables(store, settings))
        if isinstance(agent, TransferringAgent) and result.status is EndStatus.COMPLETE:
            self._compare(agent, listening.begun, settings)
        return Phase(str(result.status)), self._env.ending.removeprefix(f"{result.status}: ")

    def _compare(self, agent: TransferringAgent, begun: Begun, own: DfaasConfig) -> None:
        """Tell how many configurations the agent would have measured without the other nodes."""
        known, run_id = begun
        if known.space.n_configs > MAX_CONFIGS:
            return
        self._link.tell(phase=Phase.COMPARING, detail="computes what the other nodes' measurements saved")
        with writing(own.memory.db_path, own.memory.schema_version) as store:
            runs = _runs_of(store, run_id)
        seed = own.seed or 0
        alone = [n_measured_alone(agent.alone(seed + i), known, runs) for i in range(_PLAYED_AGAIN)]
        cost_s = sum(run.cost_s for run in runs)
        self._link.tell(n_alone=sum(alone) / len(alone), config_s=cost_s / max(1, len(known.measured)))

    def scouting(self, configs: Sequence[Config]) -> None:
        """Wait for leave to scout, for one run of k6."""
        self._session_known = True  # the tables of a scouting are sent when it ends
        self._wait_for_leave()
        self._link.use_leave(f"scouts {config_text(configs[0])} and above")

    def stepped(self, event: ExecutionEvent) -> None:
        """Send the event of a step of a scouting."""
        self._n_valid += event.is_valid
        self._link.tell(event)

    def scouted(self, bracket: Bracket) -> None:
        """Tell the bracket of a ray."""
        self._link.tell(phase=Phase.WAITING, last=f"scouted {' + '.join(bracket.names)}")

    def _wait_for_leave(self) -> None:
        if not self._session_known:
            self._send_tables()
        self._link.wait_for_leave(**self._counts())

    def _wait_for(self, memory: Path) -> None:
        """Wait for a worker that was lost, but has not yet noticed, to end: it still has the memory of the node."""
        for _ in range(round(self._lost_worker_s / _PAUSE_S)):
            if not (memory.exists() and is_in_use(memory)):
                return
            time.sleep(_PAUSE_S)

    def _send_tables(self) -> None:
        """Send the row of the campaign that has begun, whose events could not be understood without it."""
        assert self._env is not None  # noqa: S101 - its campaign is about to run
        memory: Any = self._env.host
        store: DuckDBMemoryStore = memory.memory.store
        self._link.tell(packed(store, [self._env.run_context.run_id]))
        self._session_known = True

    def _counts(self) -> dict[str, Any]:
        if self._env is None or not self._env.has_begun:
            return {}
        known, costs_s = self._env.known, self._costs_s
        mean_s = sum(costs_s) / len(costs_s) if costs_s else None
        left_s = None if mean_s is None else known.n_unknown * self._iterations * mean_s
        return {"n_measured": len(known.measured), "n_left": known.n_unknown, "left_s": left_s}


class _ScoutingObserver:
    """Tells the campaign of a node of its scouting."""

    def __init__(self, campaign: NodeCampaign) -> None:
        self._campaign = campaign

    def starting(self, configs: Sequence[Config], step_s: float) -> None:  # noqa: ARG002
        self._campaign.scouting(configs)

    def stepped(self, event: ExecutionEvent) -> None:
        self._campaign.stepped(event)

    def concluded(self, bracket: Bracket) -> None:
        self._campaign.scouted(bracket)


def _runs_of(store: DuckDBMemoryStore, run_id: str) -> list[ExecutionEvent]:
    """Return the valid runs of the context and repetition of a campaign."""
    of_campaign = "(context_hash, repetition) IN (SELECT (context_hash, repetition) FROM run_sessions WHERE run_id = ?)"
    events = read_events(store.database.connection, f"{of_campaign} AND kind = 'measured'", [run_id])
    return [event for event in events if event.is_valid]


def _own_tables(store: DuckDBMemoryStore, settings: DfaasConfig) -> Tables:
    """Return the tables of this start of a campaign, of its scouting and of its refinement."""
    return packed(store, [run_id for run_id in _run_ids(store) if run_id.startswith(str(settings.run_id))])


def _run_ids(store: DuckDBMemoryStore) -> list[str]:
    return [run_id for (run_id,) in store.database.connection.execute("SELECT run_id FROM run_sessions").fetchall()]
