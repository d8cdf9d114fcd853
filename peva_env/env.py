"""The environment: choosing the next measurement as a Gymnasium problem."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from peva_env.contracts import (
    CampaignObserver,
    DfaasRunContext,
    EndStatus,
    ExecutionEvent,
    PolicyAlgorithm,
    PolicyContext,
    Tensors,
)
from peva_env.execution import ConfigOutcome, DfaasConfigExecutor
from peva_env.frontier import MonotoneMap, is_dense
from peva_env.objectives import ILLEGAL_REWARD, frontier_reward
from peva_env.observation import Observation, observation_space, observe
from peva_env.space import Config, ConfigSpace


@dataclass(frozen=True, slots=True)
class Campaign:
    """One episode: its executor, the events that it goes on from, and all that its memory holds."""

    executor: DfaasConfigExecutor
    history: tuple[ExecutionEvent, ...]
    tensors: Tensors


class CampaignHost(Protocol):
    """Opens and ends an environment's campaigns; it owns the node, the memory and the artifacts."""

    space: ConfigSpace

    @property
    def paths(self) -> list[Path]:
        """The files written so far."""
        ...

    def open(self, options: Mapping[str, Any]) -> Campaign:
        """Begin a campaign."""
        ...

    def end(self, status: EndStatus, detail: str | None) -> None:
        """Record how the campaign ended that was opened last."""
        ...

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Make the memory update a policy from now on."""
        ...

    def config_data(self) -> dict[str, Any]:
        """Return the configuration as plain data."""
        ...

    def close(self) -> None:
        """Release everything; may be called twice."""
        ...


class PevaEnv(gymnasium.Env[Observation, Any]):
    """An agent picks a configuration, the node is measured, and what is known of the map grows.

    Actions: the index of a configuration in plan order (``Discrete``); for a space beyond ``DENSE_LIMIT`` one rate
    level per function, 0 = absent (``MultiDiscrete``). Observations: see ``peva_env.observation``. Reward: see
    ``peva_env.objectives``. An episode is a campaign: ``terminated`` when no configuration is unknown,
    ``truncated`` when the budget is spent.

    What is already known is not run again: such an action is a legal no-op with a small negative reward, and
    ``info["skip_reason"]`` says why. ``info["action_mask"]`` and ``action_masks()`` are 1 where an action is not one.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - gymnasium declares it so

    def __init__(self, host: CampaignHost) -> None:
        self.host = host
        self.space = host.space
        self.observer: CampaignObserver | None = None
        self.status = EndStatus.COMPLETE
        self._campaign: Campaign | None = None
        self._last: ExecutionEvent | None = None
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
        """Begin a campaign. What options there are is the host's to say: see ``peva_env.live_campaigns``."""
        super().reset(seed=seed)
        self.end(EndStatus.INTERRUPTED)
        self._last = None
        self._campaign = self.host.open(options or {})
        if self.observer is not None:
            executor = self._campaign.executor
            executor.observers = (*executor.observers, self.observer)
        self.status = EndStatus.RUNNING
        return self._observe(), self._info(ConfigOutcome())

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Measure the configuration that an action asks for, unless it is known.

        Raises:
            ResetNeeded: the campaign has ended.
            IndexError: the action is not in the action space; nothing is changed.
            PevaError: the campaign cannot go on; it is recorded as failed.
        """
        executor = self._running().executor
        left_before = min(executor.budget.left)
        config = self.space.config(action) if self._dense else self.space.from_levels(action)
        with self.recording():
            outcome = self._execute(executor, config)
        if outcome.events:
            self._last = outcome.events[-1]
        terminated = executor.known.n_unknown == 0
        truncated = not terminated and executor.budget.exhausted
        if outcome.skip_reason:
            reward = ILLEGAL_REWARD
        else:
            spent_share = left_before - min(executor.budget.left)
            reward = frontier_reward(outcome.resolved, self.space.n_configs, spent_share)
        observation, info = self._observe(), self._info(outcome)
        if terminated or truncated:
            self.end(EndStatus.COMPLETE if terminated else EndStatus.BUDGET)
        return observation, reward, terminated, truncated, info

    def close(self) -> None:
        """End the campaign, if one is running, and release the node and the memory."""
        try:
            self.end(EndStatus.INTERRUPTED)
        finally:
            self.host.close()

    def end(self, status: EndStatus, detail: str | None = None) -> None:
        """Record how the running campaign ended; without one nothing happens."""
        if self._campaign is not None and self.status is EndStatus.RUNNING:
            self.status = EndStatus.FAILED  # unless the host can record the end as what it was
            self.host.end(status, detail)
            self.status = status

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
        labels = self._running().executor.known.labels
        if labels is not None:
            return np.equal(labels, 0)
        return np.ones(sum(len(rates) + 1 for rates in self.space.rates_rps), bool)

    def action(self, config: Config) -> Any:
        """Return the action that asks for a configuration.

        Raises:
            ValueError: the configuration is not in the space.
        """
        index = self.space.index(config)
        return index if self._dense else np.array(self.space.levels(config), np.int64)

    @property
    def has_begun(self) -> bool:
        """Whether there is a campaign, running or ended."""
        return self._campaign is not None

    @property
    def known(self) -> MonotoneMap:
        """What is known in the running campaign, or was in the one that ended last."""
        return self._latest().executor.known

    @property
    def history(self) -> tuple[ExecutionEvent, ...]:
        """What the memory already held of that campaign when it began."""
        return self._latest().history

    @property
    def run_context(self) -> DfaasRunContext:
        """The campaign as a scheduler sees it."""
        return self._running().executor.context

    def policy_context(self) -> PolicyContext:
        """Return what a policy's ``setup`` is given."""
        campaign = self._running()
        return PolicyContext(
            self.space, self.np_random_seed, self.host.config_data(), campaign.history, campaign.tensors
        )

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Make the memory update this policy from now on, in the name of this agent."""
        self.host.attach_policy(policy, agent=agent)

    def _latest(self) -> Campaign:
        if self._campaign is None:
            raise ResetNeeded("there is no campaign yet: call reset() first")
        return self._campaign

    def _running(self) -> Campaign:
        campaign = self._latest()
        if self.status is not EndStatus.RUNNING:
            raise ResetNeeded(f"the campaign has ended ({self.status}): call reset() to begin another")
        return campaign

    def _execute(self, executor: DfaasConfigExecutor, config: Config) -> ConfigOutcome:
        if config not in self.space:
            return ConfigOutcome(skip_reason="not in the plan: it has too few or too many functions")
        return executor.execute(config, self.np_random)

    def _observe(self) -> Observation:
        executor = self._running().executor
        return observe(executor.known, self._last, executor.budget.left)

    def _info(self, outcome: ConfigOutcome) -> dict[str, Any]:
        executor = self._running().executor
        last = outcome.events[-1] if outcome.events else None
        info: dict[str, Any] = {
            "action_mask": self._info_mask(),
            "n_unknown": executor.known.n_unknown,
            "n_resolved": outcome.resolved,
            "n_runs": len(outcome.events),
            "cost_s": sum(event.cost_s for event in outcome.events),
        }
        if outcome.verdict:
            info["verdict"] = str(outcome.verdict)
        if last:
            info["config"] = last.config_pairs
            info["reasons"] = list(last.reasons)
        if outcome.skip_reason:
            info["skip_reason"] = outcome.skip_reason
        return info

    def _info_mask(self) -> Any:
        """Return the mask in the form that the action space's ``sample`` takes."""
        mask = self.action_masks().astype(np.int8)
        if self._dense:
            return mask
        return tuple(np.split(mask, np.cumsum([len(rates) + 1 for rates in self.space.rates_rps])[:-1]))
