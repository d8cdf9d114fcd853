"""An agent that lets a policy choose among candidates."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peva_env.config import DfaasConfig
from peva_env.contracts import (
    CampaignView,
    ConfigScheduler,
    PatientScheduler,
    PolicyAlgorithm,
    PredictingPolicy,
    PreparedPolicy,
)
from peva_env.errors import PevaError, PolicyError
from peva_env.planning import Candidates, load_policy_algorithm
from peva_env.space import Config, ConfigKey, ConfigSpace, config_key
from peva_env.system import exception_text, raise_end

_EMPTY_CHOICES = 1000
"""Largest number of consecutive empty choices of a policy; one more is an error."""

_N_DRAWN = 2048
"""Size of the sample of candidates in a space that is too large to list all."""

_DRAWN_BITS = 62
"""Bits of a random draw; draws are integers, because a space may have more configurations than a float can number."""

_DRAWS = 10
"""Number of samples without an unknown configuration after which the agent ends the campaign."""


class PolicyAgent:
    """Lets a policy choose among candidates, and runs the chosen configurations in the policy's order.

    With a scheduler, the candidates are the configurations that it proposes. Without a scheduler, they are all unknown
    configurations that can be measured, as ``peva_env.planning.candidates.Candidates``. In a space that is too large
    for a mask, they are a random sample of the unknown configurations, drawn again for each choice.

    Args:
        policy: any ``PolicyAlgorithm``; a ``PreparedPolicy`` is set up when the campaign begins.
        scheduler: any ``ConfigScheduler``.
        batch_size: number of candidates to request from the scheduler, and upper bound of a choice. Without a scheduler
            the default is 1, so that each choice knows all earlier verdicts.
        name: name of the agent in the memory; default: the policy's class.
        seed: seed of the samples of candidates; default: 0.
    """

    dominance = "within_sets"

    def __init__(
        self,
        policy: PolicyAlgorithm,
        scheduler: ConfigScheduler | None = None,
        *,
        batch_size: int | None = None,
        name: str | None = None,
        seed: int | None = None,
    ) -> None:
        self.policy = policy
        self.name = name or type(policy).__name__
        self._scheduler = scheduler
        self._batch_size = batch_size or (8 if scheduler else 1)
        self._queue: deque[Any] = deque()
        self._rng = np.random.default_rng(seed or 0)

    def begin(self, campaign: CampaignView) -> None:
        """Attach the policy to the campaign's memory and set it up."""
        context = campaign.policy_context()
        self._campaign = campaign
        self._space: ConfigSpace = context.space
        self._queue.clear()
        self._has_chosen = False
        campaign.attach_policy(self.policy, agent=self.name)
        if isinstance(self.policy, PreparedPolicy):
            self._guarded("setup", self.policy.setup, context)

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any | None:  # noqa: ARG002
        """Return the action for the next configuration that the policy chose, or None without a further candidate.

        Raises:
            PolicyError: the policy raised an exception, chose a configuration that is not a candidate, or chose none.
        """
        empty_choices = 0
        while True:
            while self._queue:
                action = self._queue.popleft()
                if self._scheduler or self._is_open(action, info):
                    return action
            candidates = self._candidates(info)
            if candidates:
                self._queue.extend(self._choose(candidates))
                empty_choices += 1
            elif not isinstance(self._scheduler, PatientScheduler) or self._scheduler.exhausted:
                if empty_choices and not self._has_chosen:
                    raise PolicyError(f"policy {self.name}: choose_batch chose none of the candidates")
                return None
            if empty_choices > _EMPTY_CHOICES:
                raise PolicyError(f"policy {self.name}: choose_batch returned nothing {_EMPTY_CHOICES} times in a row")

    def predict(self, configs: Sequence[Config]) -> NDArray[np.float64] | None:
        """Return the policy's probability that each configuration is overloaded, 0..1; None if it does not predict.

        Raises:
            PolicyError: the policy raised an exception, or did not return one probability for each configuration.
        """
        if not isinstance(self.policy, PredictingPolicy):
            return None
        returned = self._guarded("predict", self.policy.predict, configs)
        if np.iscomplexobj(returned):  # NumPy would drop their imaginary parts
            raise PolicyError(f"policy {self.name}: predict returned complex numbers, not 0..1")
        likely: NDArray[np.float64] = self._guarded("predict", np.asarray, returned, np.float64)
        if likely.shape != (len(configs),):
            raise PolicyError(f"policy {self.name}: predict returned shape {likely.shape}, not {(len(configs),)}")
        wrong = ~((likely >= 0) & (likely <= 1))
        if wrong.any():
            first = int(wrong.argmax())
            raise PolicyError(f"policy {self.name}: predict returned {likely[first]} for {configs[first]}, not 0..1")
        return likely

    def _candidates(self, info: Mapping[str, Any]) -> Sequence[Config]:
        if self._scheduler:
            return self._scheduler.propose_batch(ctx=self._campaign.run_context, desired_size=self._batch_size)
        if self._space.is_dense:
            return Candidates(self._space, np.flatnonzero(info["action_mask"][: self._space.n_configs]))  # never *stop*
        return self._drawn()

    def _drawn(self) -> Candidates:
        for _ in range(_DRAWS):
            bits = self._rng.integers(2**_DRAWN_BITS, size=_N_DRAWN).tolist()
            draws = (number * self._space.n_configs >> _DRAWN_BITS for number in bits)
            unknown = [
                index for index in dict.fromkeys(draws) if not self._campaign.known.verdict(self._space.config(index))
            ]
            if unknown:
                return Candidates(self._space, unknown)
        return Candidates(self._space, [])

    def _is_open(self, action: Any, info: Mapping[str, Any]) -> bool:
        """Return whether a chosen configuration is still unknown: another run of its batch may have resolved it."""
        if self._space.is_dense:
            return bool(info["action_mask"][action])
        return self._campaign.known.verdict(self._space.from_levels(action)) is None

    def _choose(self, candidates: Sequence[Config]) -> list[Any]:
        chosen: list[Config] = self._guarded("choose_batch", self._chosen, candidates)
        self._has_chosen |= bool(chosen)
        return [self._campaign.action(config) for config in chosen]

    def _chosen(self, candidates: Sequence[Config]) -> list[Config]:
        chosen: dict[ConfigKey, Config] = {}
        for config in self.policy.choose_batch(candidates=candidates, desired_size=self._batch_size):  # may be endless
            key = config_key(config)
            if key in chosen or sorted(config) not in candidates:
                raise PolicyError(f"choose_batch returned {config!r}, which is not a candidate, or not any more")
            chosen[key] = config
        return list(chosen.values())

    def _guarded(self, method: str, call: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except PevaError as error:  # it says in one line what is wrong
            raise PolicyError(f"policy {self.name}: {error}") from error
        except BaseException as error:
            raise_end(error)
            raise PolicyError(f"policy {self.name} failed in {method}: {exception_text(error)}") from error


class CustomAgent(PolicyAgent):
    """A policy of the user, found at ``module:Class``, that chooses among all unknown configurations.

    Raises:
        PolicyError: the policy does not exist, or lacks a method of the contract.
    """

    def __init__(self, config: DfaasConfig | None = None, entrypoint: str | None = None) -> None:
        if entrypoint is None:
            raise PolicyError("the agent custom is a policy of your own: name it, as in --agent my_module:MyPolicy")
        seed = config.seed if config else None
        super().__init__(load_policy_algorithm(entrypoint), name=entrypoint, seed=seed)
