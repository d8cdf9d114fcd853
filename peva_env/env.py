"""The environment: choosing the next measurement as a Gymnasium problem."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from operator import index as as_index
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from peva_env.campaign import Campaign, CampaignHost, ConfigOutcome, EpisodeSeeds
from peva_env.contracts import (
    CampaignObserver,
    DfaasRunContext,
    EndStatus,
    ExecutionEvent,
    PolicyAlgorithm,
    PolicyContext,
)
from peva_env.inference import LABELS, UNKNOWN_LABEL, MonotoneMap, is_dense
from peva_env.objectives import ILLEGAL_REWARD, FrontierObjective, Objective, Step, pay
from peva_env.observation import Last, Observation, level_shares, nothing_yet, observation_space, observe
from peva_env.space import Config, ConfigSpace

_NOT_IN_PLAN = ConfigOutcome(skip_reason="not in the plan: it has too few or too many functions")


class _Load(NamedTuple):
    """A configuration as arrays, (F,) each: its rates' numbers as shares of all, and its rates."""

    level_shares: NDArray[np.float32]
    rates_rps: NDArray[np.int32]


class PevaEnv(gymnasium.Env[Observation, Any]):
    """An agent picks a configuration, the node is measured, and what is known of the map grows.

    Actions: the index of a configuration in plan order (``Discrete``); for a space beyond ``DENSE_LIMIT`` one rate
    level per function, 0 = absent (``MultiDiscrete``). Observations: see ``peva_env.observation``. Reward: see
    ``peva_env.objectives``. An episode is a campaign: ``terminated`` when no configuration is unknown,
    ``truncated`` when the budget is spent.

    What is already known is not run again: such an action is a legal no-op with a small negative reward, and
    ``info["skip_reason"]`` says why. ``info["action_mask"]`` and ``action_masks()`` are 1 where an action is not one;
    beyond ``DENSE_LIMIT`` they tell of each function alone, and only what no configuration of the plan has is masked.

    Measurements that contradict each other are unknown again, and ``info["contradictions"]`` lists them; see
    ``peva_env.inference.records.Dispute``.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - gymnasium declares it so

    def __init__(self, host: CampaignHost, objective: Objective | None = None) -> None:
        self.host = host
        self.observer: CampaignObserver | None = None
        self._objective = objective or FrontierObjective(host.space)
        self._memo = np.zeros(1)
        self._campaign: Campaign | None = None
        self._last = nothing_yet(host.space)
        self._episodes = EpisodeSeeds()
        self._dense = is_dense(host.space)
        self.observation_space: gymnasium.Space[Any] = observation_space(host.space, with_map=self._dense)
        self.action_space: gymnasium.Space[Any] = (
            gymnasium.spaces.Discrete(host.space.n_configs)
            if self._dense
            else gymnasium.spaces.MultiDiscrete([len(rates) + 1 for rates in host.space.rates_rps])
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a campaign. What options there are is the host's to say: see ``peva_env.make``."""
        self.host.check(options or {})
        super().reset(seed=seed)
        self.end(EndStatus.INTERRUPTED)
        self._last = nothing_yet(self.space)
        self._memo[:] = 0
        self._campaign = self.host.open(options or {}, self._episodes.next(self.np_random, begin=seed is not None))
        if self.observer is not None:
            self._campaign.observers += (self.observer,)
        return self._observe(), {**self._campaign.info, **self._info(ConfigOutcome(), None)}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Measure the configuration that an action asks for, unless it is known.

        Raises:
            ResetNeeded: the campaign has ended.
            IndexError: the action is not in the action space; nothing is changed.
            PevaError: the campaign cannot go on; it is recorded as failed.
        """
        campaign = self._running()
        left_before = min(campaign.budget.left)
        index = self._index(action)
        with self.recording():
            outcome = campaign.execute(index, self.np_random) if index is not None else _NOT_IN_PLAN
            campaign.budget.spent_steps += 1
            if outcome.measurement is not None and index is not None:
                self._last = Last(self._load(index).level_shares, outcome.measurement)
            spent = left_before - min(campaign.budget.left)
            reward = ILLEGAL_REWARD
            if index is not None and not outcome.skip_reason:
                reward = self._reward(index, outcome, spent)
        ending = campaign.ending
        observation, info = self._observe(), self._info(outcome, index)
        if ending:
            self.end(ending)
        return observation, reward, ending is EndStatus.COMPLETE, ending is EndStatus.BUDGET, info

    def close(self) -> None:
        """End the campaign, if one is running, and release the node and the memory."""
        try:
            self.end(EndStatus.INTERRUPTED)
        finally:
            self.host.close()

    def end(self, status: EndStatus, detail: str | None = None) -> None:
        """Record how the running campaign ended; without one nothing happens."""
        if self._campaign is not None:
            self._campaign.end(status, detail)

    def stop(self) -> None:
        """End a campaign whose agent has nothing more to ask; once it has ended nothing happens."""
        self.end(self._latest().ending or EndStatus.STOPPED)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Run a block; whatever it raises ends the campaign, as interrupted or failed, and is raised again.

        Interrupted: by Ctrl-C, or by an observer that wants the program to end (``SystemExit``).
        """
        try:
            yield
        except BaseException as error:
            interrupted = isinstance(error, KeyboardInterrupt | SystemExit)
            self.end(EndStatus.INTERRUPTED if interrupted else EndStatus.FAILED, str(error) or None)
            raise

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are not known yet, in sb3-contrib's form: (N,), or all functions' levels in a row."""
        known = self._running().known
        if known.labels is not None:
            unknown: NDArray[np.bool_] = known.labels == UNKNOWN_LABEL
            return unknown if known.recorded is None else unknown & known.recorded
        absent_is_possible = self.space.min_functions < len(self.space.functions)
        return np.concatenate([[absent_is_possible, *([True] * len(rates))] for rates in self.space.rates_rps])

    def action(self, config: Config) -> Any:
        """Return the action that asks for a configuration.

        Raises:
            ValueError: the configuration is not in the space.
        """
        index = self.space.index(config)
        return index if self._dense else np.array(self.space.levels(config), np.int64)

    @property
    def space(self) -> ConfigSpace:
        """The configurations of the campaign that was opened last."""
        return self.host.space

    @property
    def status(self) -> EndStatus:
        """How the latest campaign ended; ``RUNNING`` while it has not, ``COMPLETE`` before the first."""
        return EndStatus.COMPLETE if self._campaign is None else self._campaign.status

    @property
    def has_begun(self) -> bool:
        """Whether there is a campaign, running or ended."""
        return self._campaign is not None

    @property
    def known(self) -> MonotoneMap:
        """What is known in the running campaign, or was in the one that ended last."""
        return self._latest().known

    @property
    def history(self) -> tuple[ExecutionEvent, ...]:
        """What the memory already held of that campaign when it began."""
        return self._latest().history

    @property
    def run_context(self) -> DfaasRunContext:
        """The campaign as a scheduler sees it."""
        return self._running().context

    def policy_context(self) -> PolicyContext:
        """Return what a policy's ``setup`` is given."""
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
        """Update a policy until the campaign ends, in the name of this agent.

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

    def _index(self, action: Any) -> int | None:
        """Return the index of the configuration that an action asks for, None if the plan does not have it."""
        if self._dense:
            try:
                index = as_index(action)
            except TypeError:
                raise IndexError(f"action {action!r} is no whole number") from None
            if not 0 <= index < self.space.n_configs:
                raise IndexError(f"action {index} is outside 0..{self.space.n_configs - 1}")
            return index
        levels = np.asarray(action)
        if not np.issubdtype(levels.dtype, np.integer) or not self.action_space.contains(levels):
            n_levels = [len(rates) + 1 for rates in self.space.rates_rps]
            raise IndexError(f"action {action!r} is not one of {n_levels} levels for each function")
        config = self.space.from_levels(levels.tolist())
        return self.space.index(config) if config in self.space else None

    def _load(self, index: int) -> _Load:
        """Return a configuration as arrays."""
        grid = self.known.grid
        if grid is not None:
            return _Load(grid.level_shares[index], grid.rates_rps[:, index])
        config = self.space.config(index)
        return _Load(level_shares(self.space, config), self.space.rates_of([config])[0])

    def _reward(self, index: int, outcome: ConfigOutcome, spent: float) -> float:
        measurement = outcome.measurement or self._last.measurement
        step = Step(
            resolved=np.array([outcome.resolved / self.known.n_configs]),
            spent=np.array([spent]),
            labels=np.array([LABELS[outcome.verdict] if outcome.verdict else UNKNOWN_LABEL], np.int8),
            rates_rps=self._load(index).rates_rps[None],
            values=measurement.values[None],
            mask=measurement.mask[None],
        )
        return float(pay(self._objective, step, self._memo)[0])

    def _observe(self) -> Observation:
        campaign = self._running()
        return observe(campaign.known, self._last, campaign.budget.left)

    def _info(self, outcome: ConfigOutcome, index: int | None) -> dict[str, Any]:
        known = self._running().known
        info: dict[str, Any] = {
            "action_mask": self._info_mask(),
            "n_unknown": known.n_unknown,
            "n_resolved": outcome.resolved,
            "n_runs": outcome.n_runs,
            "cost_s": outcome.cost_s,
        }
        disputes = known.disputes()
        if disputes:
            info["contradictions"] = [asdict(dispute) for dispute in disputes]
        if outcome.verdict:
            info["verdict"] = str(outcome.verdict)
        if outcome.n_runs and index is not None:
            info["config"] = self.space.config(index)
        if outcome.events:
            info["reasons"] = list(outcome.events[-1].reasons)
        if outcome.skip_reason:
            info["skip_reason"] = outcome.skip_reason
        return info

    def _info_mask(self) -> Any:
        """Return the mask in the form that the action space's ``sample`` takes."""
        mask = self.action_masks().astype(np.int8)
        if self._dense:
            return mask
        return tuple(np.split(mask, np.cumsum([len(rates) + 1 for rates in self.space.rates_rps])[:-1]))
