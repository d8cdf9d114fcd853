"""What every policy must do.

For a policy of your own, in a test file::

    from peva_env.testing import PolicyContract

    class TestMyPolicy(PolicyContract):
        def make(self):
            return MyPolicy()

Unchecked: how well the policy chooses and how long it takes, more than two functions, candidates as
``peva_env.planning.candidates.Candidates``, ``predict``, and whether a history in ``setup`` teaches the same as events.
"""

# ruff: noqa: S101

from collections.abc import Sequence
from itertools import chain
from numbers import Real

from peva_env.contracts import ExecutionEvent, PolicyAlgorithm, PolicyContext, PreparedPolicy, Verdict
from peva_env.memory.tensors import TensorCache
from peva_env.space import Config, ConfigSpace
from peva_env.testing.examples import example_event

_SPACE = ConfigSpace({"env": range(0, 50, 10), "figlet": range(0, 50, 10)}, max_functions=3)
_BATCHES = [(0, 3), (1, 3), (5, 3), (len(_SPACE), 8), (len(_SPACE), 10**6)]
"""How many candidates there are, and how many are asked for."""


class PolicyContract:
    """The behaviour of a ``PolicyAlgorithm``: override ``make``."""

    def make(self) -> PolicyAlgorithm:
        """Return a new policy; two of them, taught the same, must choose the same."""
        raise NotImplementedError

    def _ready(self) -> PolicyAlgorithm:
        policy = self.make()
        if isinstance(policy, PreparedPolicy):
            policy.setup(PolicyContext(_SPACE, seed=0, config={}, history=(), tensors=TensorCache()))
        return policy

    def test_it_is_a_policy(self) -> None:
        assert isinstance(self.make(), PolicyAlgorithm)

    def test_it_chooses_among_the_candidates_each_once_and_no_more_than_asked_for(self) -> None:
        policy = self._ready()
        for n_candidates, desired_size in _BATCHES:
            _check_choice(policy, list(_SPACE)[-n_candidates:] if n_candidates else [], desired_size)

    def test_it_leaves_the_candidates_as_they_are(self) -> None:
        candidates = list(_SPACE)
        self._ready().choose_batch(candidates=candidates, desired_size=8)
        assert candidates == list(_SPACE)

    def test_it_learns_online_and_goes_on_choosing(self) -> None:
        policy = self._ready()
        for event in _campaign():
            assert isinstance(policy.update_online(event), Real | None)  # type: ignore[func-returns-value]
        _check_choice(policy, list(_SPACE), 8)

    def test_it_learns_in_batches_and_goes_on_choosing(self) -> None:
        policy = self._ready()
        events = _campaign()
        for start in range(0, len(events), 8):
            batch = events[start : start + 8]
            assert isinstance(policy.update_batch(batch), Real | None)  # type: ignore[func-returns-value]
        _check_choice(policy, list(_SPACE), 8)

    def test_two_that_were_taught_the_same_choose_the_same(self) -> None:
        assert self._choices() == self._choices()

    def _choices(self) -> list[list[Config]]:
        policy = self._ready()
        choices = []
        for event in _campaign():
            choices.append(list(policy.choose_batch(candidates=list(_SPACE), desired_size=4)))
            policy.update_online(event)
        return choices


def _campaign() -> list[ExecutionEvent]:
    """Return two runs of every other configuration, on a node that 50 requests a second are too much for."""
    measured = ((config, iteration) for config in _SPACE[::2] for iteration in range(2))
    return [example_event(config, iteration, _verdict(config)) for config, iteration in measured]


def _verdict(config: Config) -> Verdict:
    return Verdict.OVERLOADED if sum(rate for _, rate in config) > 50 else Verdict.OK


def _check_choice(policy: PolicyAlgorithm, candidates: Sequence[Config], desired_size: int) -> None:
    choice = list(policy.choose_batch(candidates=candidates, desired_size=desired_size))
    assert len(choice) <= desired_size
    assert all(config in candidates for config in choice)
    assert len(set(chain(map(tuple, choice)))) == len(choice)
