"""The environment: choosing the next measurement as a Gymnasium problem."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from peva_env.actions import ActionCodec, ExtraActions
from peva_env.campaign import Budget, Campaign, CampaignHost, ConfigOutcome, EpisodeSeeds
from peva_env.contracts import (
    CampaignObserver,
    DfaasRunContext,
    EndStatus,
    ExecutionEvent,
    PolicyAlgorithm,
    PolicyContext,
    PredictingAgent,
    ending_text,
)
from peva_env.errors import ConfigError
from peva_env.inference import LABELS, UNKNOWN_LABEL, MonotoneMap, filled_in
from peva_env.objectives import EpisodeRewards, FrontierObjective, Objective
from peva_env.observation import (
    Extras,
    LastRun,
    Observation,
    RunHistory,
    latency_s,
    level_shares,
    no_run_yet,
    observation_space,
    observe,
)
from peva_env.planning import Candidates, Refinement
from peva_env.space import Config, ConfigSpace

_ONLY = np.zeros(1, np.int64)
"""The rows of a single environment in arrays of environments."""

_NO_EXTRA_ACTIONS, _NO_EXTRAS = ExtraActions(), Extras()
_STOPPED = ConfigOutcome(skip_reason="the agent stops")
_NOT_IN_PLAN = ConfigOutcome(skip_reason="not in the plan: it has too few or too many functions")


_TOO_MANY = "reward: step.{} has a number for each configuration, and {:,} configurations are too many for that"


class _Load(NamedTuple):
    """A configuration as arrays, (F,) each: rate levels as shares of the functions' levels, and rates."""

    level_shares: NDArray[np.float32]
    rates_rps: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Renderer:
    """Draws a campaign in a mode of ``metadata["render_modes"]``: ``draw`` takes its map and a title of one line."""

    mode: str
    draw: Callable[[MonotoneMap, str], Any]


class PevaEnv(gymnasium.Env[Observation, Any]):
    """An environment whose step measures the picked configuration and extends the map of known verdicts.

    Actions: the index of a configuration in plan order (``Discrete``); for a space beyond ``DENSE_LIMIT`` one rate
    level per function, 0 = absent (``MultiDiscrete``). Observations: see ``peva_env.observation``. Reward: see
    ``peva_env.objectives``. An episode is a campaign: ``terminated`` when no configuration is unknown,
    ``truncated`` when the budget is spent.

    A known configuration is not run again: its action is a legal no-op, which is charged like a run, and
    ``info["skip_reason"]`` says why. ``info["action_mask"]`` and ``action_masks()`` are 0 for these actions and 1 for
    the others. Beyond ``DENSE_LIMIT`` a mask has one entry per rate level, which is 0 only if no configuration of the
    plan has this level.

    Two more actions are optional (``peva_env.actions.ExtraActions``). With *measure again* a known configuration is run
    again, and the majority of its measurements decides. *Stop*, the action after the last configuration, ends the
    episode as terminated: ``info["labels"]`` (N,) is the map with what ``predictor`` predicts for the rest, or OK
    without a predictor. Set ``predictor`` to an agent with ``predict`` to use this.

    Contradicting measurements make their configurations unknown again, and ``info["contradictions"]`` lists them; see
    ``peva_env.inference.records.Dispute``.

    ``render()`` returns the overload map: as text (``ansi``), or as pixels, (H, W, 3) uint8 (``rgb_array``).
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}  # noqa: RUF012 - gymnasium declares it so

    def __init__(
        self,
        host: CampaignHost,
        objective: Objective | None = None,
        actions: ExtraActions = _NO_EXTRA_ACTIONS,
        extras: Extras = _NO_EXTRAS,
        renderer: Renderer | None = None,
    ) -> None:
        self.host = host
        self.render_mode = renderer.mode if renderer else None
        self._renderer = renderer
        self.observer: CampaignObserver | None = None
        self.predictor: PredictingAgent | None = None
        self._extra_actions = actions
        self._objective = objective or FrontierObjective(host.space)
        self._rewards: EpisodeRewards
        self._campaign: Campaign | None = None
        self._last = no_run_yet(host.space)
        self._extras = extras
        self._runs = RunHistory(1, extras.n_runs, len(host.space.functions))
        self._episodes = EpisodeSeeds()
        self.episode_seed = 0  # 64 bits
        self.outcome = ConfigOutcome()
        self._codec = ActionCodec(host.space, actions)
        self.observation_space: gymnasium.Space[Any] = observation_space(
            host.space, with_map=self._codec.is_dense, extras=extras
        )
        self.action_space: gymnasium.Space[Any] = self._codec.action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a campaign. The host defines the options: see ``peva_env.make``.

        A resumed live campaign first runs what its last start left due.
        """
        self.host.check(options or {})
        super().reset(seed=seed)
        self.end(EndStatus.INTERRUPTED)
        self._last = no_run_yet(self.space)
        self._runs.begin(_ONLY)
        self.outcome = ConfigOutcome()
        self.episode_seed = self._episodes.next(self.np_random, begin=seed is not None)
        self._campaign = self.host.open(options or {}, self.episode_seed)
        self._campaign.measure_again = self._extra_actions.measure_again
        if self.observer is not None:
            self._campaign.observers += (self.observer,)
        with self.recording():
            due = self._campaign.resume(self.np_random)
        budget = self._campaign.budget
        self._rewards = EpisodeRewards(self._objective, 1, budget.runs, budget.seconds)
        self._rewards.begin(_ONLY, np.array([self._campaign.known.n_configs]))
        return self._observe(), {**self._campaign.info, **self._info(due, None)}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Measure the configuration of an action, unless it is known; or end the episode, if the action is *stop*.

        Raises:
            ResetNeeded: the campaign has ended.
            IndexError: the action is not in the action space; nothing changes.
            PevaError: the campaign cannot continue; it is recorded as failed.
        """
        self._running()
        if self._codec.is_stop(self.space, action):
            return self._stopped()
        return self._advance(self._codec.index(self.space, action), _NOT_IN_PLAN)

    def skip(self, reason: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Step without a run, for an action of a wrapper that names no configuration; ``reason`` says why."""
        return self._advance(None, ConfigOutcome(skip_reason=reason))

    def _advance(
        self, index: int | None, outcome: ConfigOutcome
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Measure the configuration at ``index``; without an index, nothing is run and ``outcome`` stands."""
        campaign = self._running()
        left_before = min(campaign.budget.left)
        with self.recording():
            if index is not None:
                outcome = campaign.execute(index, self.np_random)
            self.outcome = outcome
            campaign.budget.spent_steps += 1
            if outcome.measurement is not None and index is not None:
                self._last = LastRun(self._load(index).level_shares, outcome.measurement)
                if self._extras.n_runs:
                    values, mask, _ = outcome.measurement
                    self._runs.add(_ONLY, self._last.level_shares[None], values[None], mask[None])
            ending = campaign.ending
            spent = left_before - min(campaign.budget.left)
            reward = self._reward(index, outcome, spent, is_cut_short=ending is EndStatus.BUDGET)
        observation, info = self._observe(), self._info(outcome, index)
        if ending:
            self.end(ending)
        return observation, reward, ending is EndStatus.COMPLETE, ending is EndStatus.BUDGET, info

    def render(self) -> Any:
        """Return the map of the latest campaign, running or ended: a str, or new (H, W, 3) uint8; None without a mode.

        Raises:
            ResetNeeded: there is no campaign yet.
            ConfigError: matplotlib is missing, or the map is too large to draw (``rgb_array``).
        """
        if self._renderer is None:
            return None
        known, budget = self.known, self.budget
        limit = "" if budget.runs is None else f" of {budget.runs:,}"
        n_known = known.n_configs - known.n_unknown
        title = f"{n_known:,} of {known.n_configs:,} configurations known after {budget.spent_runs:,}{limit} runs"
        return self._renderer.draw(known, title)

    def close(self) -> None:
        """End a running campaign, and release the node and the memory."""
        try:
            self.end(EndStatus.INTERRUPTED)
        finally:
            self.host.close()

    def end(self, status: EndStatus, detail: str | None = None) -> None:
        """Record the end of the running campaign; no-op without a running campaign."""
        if self._campaign is not None:
            self._campaign.end(status, detail)

    def stop(self) -> float:
        """End the campaign because its agent picks no further configuration; return the reward of that.

        Does nothing and returns 0 if the campaign has ended.
        """
        campaign = self._latest()
        if campaign.status is not EndStatus.RUNNING:
            return 0.0
        reward = 0.0 if campaign.ending else self._reward(None, ConfigOutcome(), 0.0, is_cut_short=True)
        self.end(campaign.ending or EndStatus.STOPPED)
        return reward

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Run a block; an exception ends the campaign and is raised again.

        Ctrl-C and ``SystemExit`` (an observer ends the program) end it as interrupted, other exceptions as failed.
        """
        try:
            yield
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt | SystemExit)
            self.end(EndStatus.INTERRUPTED if interrupted else EndStatus.FAILED, str(error) or None)
            raise

    def action_masks(self) -> NDArray[np.bool_]:
        """Return the legal actions in sb3-contrib's form: (N,), or the levels of all functions in a row."""
        return self._codec.masks(self._running().known)

    def action(self, config: Config) -> Any:
        """Return the action for a configuration.

        Raises:
            ValueError: the configuration is not in the space.
        """
        return self._codec.encode(self.space, config)

    def config(self, action: Any) -> Config:
        """Return the configuration of an action.

        Raises:
            IndexError: the action is not in the action space, or names no configuration of the plan.
        """
        index = self._codec.index(self.space, action)
        if index is None:
            raise IndexError(f"action {action!r}: {_NOT_IN_PLAN.skip_reason}")
        return self.space.config(index)

    @property
    def space(self) -> ConfigSpace:
        """The configurations of the latest campaign."""
        return self.host.space

    @property
    def status(self) -> EndStatus:
        """The status of the latest campaign; ``COMPLETE`` before the first campaign."""
        return EndStatus.COMPLETE if self._campaign is None else self._campaign.status

    @property
    def ending(self) -> str:
        """How and why the latest campaign ended, such as "budget of runs: all 40 are spent, 3 ..."."""
        return ending_text(self.status, self._latest().end_detail)

    @property
    def has_begun(self) -> bool:
        """Whether any campaign, running or ended, has begun."""
        return self._campaign is not None

    @property
    def known(self) -> MonotoneMap:
        """The map of the latest campaign, running or ended."""
        return self._latest().known

    @property
    def budget(self) -> Budget:
        """The budget of the latest campaign, and what is spent of it."""
        return self._latest().budget

    @property
    def refinement(self) -> Refinement | None:
        """How the plan of the latest campaign grows when its map is complete; None if it does not."""
        return self._latest().refinement

    @property
    def history(self) -> tuple[ExecutionEvent, ...]:
        """The events of the latest campaign that the memory held when it began (warm start)."""
        return self._latest().history

    @property
    def n_judged_anew(self) -> int:
        """The number of configurations with earlier runs that were judged anew by changed overload rules."""
        return self._latest().n_judged_anew

    @property
    def run_context(self) -> DfaasRunContext:
        """The data of the latest campaign, running or ended, that a scheduler can read."""
        return self._latest().context

    def policy_context(self) -> PolicyContext:
        """Return the argument of a policy's ``setup``."""
        campaign = self._running()
        return PolicyContext(
            space=self.space,
            seed=self.np_random_seed,
            config=self.host.config_data(),
            history=campaign.history,
            tensors=campaign.tensors,
            dominance=self.known.dominance,
        )

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Update a policy until the campaign ends; ``agent`` is the name under which updates are recorded.

        Raises:
            ResetNeeded: no campaign is running.
        """
        self._running().attach_policy(policy, agent=agent)

    def _latest(self) -> Campaign:
        if self._campaign is None:
            raise ResetNeeded("there is no campaign yet: call reset() first")
        return self._campaign

    def _running(self) -> Campaign:
        campaign = self._latest()
        if self.status is not EndStatus.RUNNING:
            raise ResetNeeded(f"the campaign has ended ({self.status}): call reset() to begin another")
        return campaign

    def _load(self, index: int) -> _Load:
        """Return a configuration as arrays."""
        grid = self.known.grid
        if grid is not None:
            return _Load(grid.level_shares[index], grid.rates_rps[:, index])
        config = self.space.config(index)
        return _Load(level_shares(self.space, config), self.space.rates_of([config])[0])

    def _stopped(self) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Do the action *stop*."""
        with self.recording():
            reward = self._reward(None, ConfigOutcome(), 0.0, is_cut_short=True)
            observation, info = self._observe(), self._info(_STOPPED, None)
            info["labels"] = self._labels_taken()
        self.end(EndStatus.STOPPED)
        return observation, reward, True, False, info

    def _labels_taken(self) -> NDArray[np.int8]:
        """Return the map, with what ``predictor`` predicts for the configurations that are unknown, (N,)."""
        known = self._running().known
        labels = _labels(known)
        unknown = labels == UNKNOWN_LABEL
        if known.recorded is not None:
            unknown &= known.recorded
        candidates = Candidates(self.space, unknown.nonzero()[0])
        likely = self.predictor.predict(candidates) if self.predictor is not None else None
        return filled_in(labels, candidates.indices, likely)

    def _reward(self, index: int | None, outcome: ConfigOutcome, spent: float, *, is_cut_short: bool) -> float:
        """Return the reward of a step; ``is_cut_short``: the episode ends with unknown configurations."""
        campaign = self._running()
        known, ran = campaign.known, np.array([outcome.n_runs > 0])
        measurement = outcome.measurement or self._last.measurement
        rewards = self._rewards.of_step(
            _ONLY,
            spent=np.array([spent]),
            ran=ran,
            ended=np.array([is_cut_short]),
            resolved=np.array([outcome.resolved / known.n_configs]),
            labels=np.array([LABELS[outcome.verdict] if outcome.verdict and ran[0] else UNKNOWN_LABEL], np.int8),
            rates_rps=self._rates_rps(index if ran[0] else None),
            values=measurement.values[None],
            mask=measurement.mask[None],
            unknown=np.array([known.n_unknown / known.n_configs]),
            index=np.array([-1 if index is None else index]),
            cost_s=np.array([outcome.cost_s]),
            find_newly=lambda: _marked(outcome.newly, self.space),
            find_map=lambda: _labels(known)[None],
            find_truth=lambda: campaign.truth()[None],
        )
        return float(rewards[0])

    def _rates_rps(self, index: int | None) -> NDArray[np.int32]:
        """Return the rates of a configuration, (1, F); 0 for None."""
        if index is None:
            return np.zeros((1, len(self.space.functions)), np.int32)
        return self._load(index).rates_rps[None]

    def _observe(self) -> Observation:
        campaign = self._running()
        observation = observe(campaign.known, self._last, campaign.budget.left)
        if self._extras.n_runs:
            observation |= {name: part[0] for name, part in self._runs.observation().items()}
        grid = campaign.known.grid
        if self._extras.coordinates and grid is not None:
            observation["coordinates"] = grid.level_shares.copy()
        if self._extras.mean_latency:
            observation["last_mean_latency"] = latency_s(self._last.measurement.mean_ms)
        return dict(sorted(observation.items()))

    def _info(self, outcome: ConfigOutcome, index: int | None) -> dict[str, Any]:
        known = self._running().known
        info: dict[str, Any] = {
            "action_mask": self._codec.sampling_mask(self._codec.masks(known)),
            "n_unknown": known.n_unknown,
            "n_resolved": outcome.resolved,
            "n_runs": outcome.n_runs,
            "cost_s": outcome.cost_s,
        }
        disputes = known.disputes()
        if disputes:
            info["contradictions"] = [asdict(dispute) for dispute in disputes]
        if outcome.n_suspect:
            info["n_suspect"] = outcome.n_suspect
        if outcome.verdict:
            info["verdict"] = str(outcome.verdict)
        if outcome.n_runs and index is not None:
            info["config"] = self.space.config(index)
        if outcome.events:
            info["reasons"] = list(outcome.events[-1].reasons)
        if outcome.skip_reason:
            info["skip_reason"] = outcome.skip_reason
        return info


def _marked(indices: NDArray[Any], space: ConfigSpace) -> NDArray[np.bool_]:
    """Return which configurations are at ``indices`` (k,), (1, N)."""
    if not space.is_dense:
        raise ConfigError(_TOO_MANY.format("newly", space.n_configs))
    marks = np.zeros((1, space.n_configs), np.bool_)
    marks[0, indices] = True
    return marks


def _labels(known: MonotoneMap) -> NDArray[np.int8]:
    if known.labels is None:
        raise ConfigError(_TOO_MANY.format("map", known.space.n_configs))
    return known.labels.copy()
