"""Drives an environment through a scheduler and a policy: the scheduler proposes, the policy decides."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from peva_env.contracts import CampaignView, ConfigScheduler, PolicyAlgorithm
from peva_env.errors import PolicyError
from peva_env.space import Config, config_key

_EMPTY_CHOICES = 1000
"""So many batches in a row may a policy leave empty before that counts as never choosing anything."""


class PolicyAgent:
    """Asks the scheduler for a batch of candidates, lets the policy choose, and runs what it chose, in that order.

    Args:
        policy: any ``PolicyAlgorithm``; if it has ``setup(context)``, that is called once with a ``PolicyContext``.
        scheduler: any ``ConfigScheduler``.
        batch_size: how many candidates the scheduler is asked for, and how many of them the policy may choose.
        name: what the memory records as the agent; the policy's class by default.
    """

    def __init__(
        self, policy: PolicyAlgorithm, scheduler: ConfigScheduler, *, batch_size: int = 8, name: str | None = None
    ) -> None:
        self.policy = policy
        self.name = name or type(policy).__name__
        self._scheduler = scheduler
        self._batch_size = batch_size
        self._queue: deque[Config] = deque()

    def begin(self, campaign: CampaignView) -> None:
        """Attach the policy to the campaign's memory and set it up."""
        self._campaign = campaign
        self._queue.clear()
        campaign.attach_policy(self.policy, agent=self.name)
        setup = getattr(self.policy, "setup", None)
        if setup is not None:
            self._guarded("setup", setup, campaign.policy_context())

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:  # noqa: ARG002
        """Return the action for the next configuration that the policy chose, or None when the plan has ended.

        Raises:
            PolicyError: the policy raised, chose what it was not offered, or never chooses anything.
        """
        empty_choices = 0
        while not self._queue:
            candidates = self._scheduler.propose_batch(ctx=self._campaign.run_context, desired_size=self._batch_size)
            if candidates:
                self._queue.extend(self._choose(candidates))
                empty_choices += 1
            elif getattr(self._scheduler, "exhausted", True):
                return None
            if empty_choices > _EMPTY_CHOICES:
                raise PolicyError(f"policy {self.name}: choose_batch returned nothing {_EMPTY_CHOICES} times in a row")
        return self._campaign.action(self._queue.popleft())

    def _choose(self, candidates: Sequence[Config]) -> Sequence[Config]:
        chosen: Sequence[Config] = self._guarded(
            "choose_batch", self.policy.choose_batch, candidates=candidates, desired_size=self._batch_size
        )
        offered = {config_key(config) for config in candidates}
        for config in chosen:
            key = self._guarded("choose_batch", config_key, config)
            if key not in offered:
                raise PolicyError(f"policy {self.name}: choose_batch returned {config!r}, which is no candidate (left)")
            offered.remove(key)
        return chosen

    def _guarded(self, method: str, call: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except Exception as error:
            raise PolicyError(f"policy {self.name} failed in {method}: {error!r}") from error
