"""What every measurement source must do.

For a source of your own, in a test file::

    from peva_env.testing import SourceContract

    class TestMySource(SourceContract):
        def make(self):
            return MySource()

        def configs(self):
            return [[("figlet", 20)], [("env", 10), ("figlet", 400)]]

Unchecked: whether what it reports was really measured, that the load is the one that was asked for, what becomes of an
interrupted run, a node that is gone, and whether verdicts follow the rules of overload.
"""

# ruff: noqa: S101

import math
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

import numpy as np

from peva_env.contracts import EventKind, ExecutionEvent, FunctionMeasurement, MeasurementSource, Verdict
from peva_env.memory import DuckDBMemoryStore
from peva_env.rules import STOPPED
from peva_env.space import Config, config_key
from peva_env.testing.examples import CONTEXT_HASH


class SourceContract:
    """The behaviour of a ``MeasurementSource``: override ``make`` and ``configs``.

    Set ``deterministic = True`` where the same seed must give the same events.
    """

    deterministic = False

    def make(self) -> MeasurementSource:
        """Return a new source."""
        raise NotImplementedError

    def configs(self) -> Sequence[Config]:
        """Return configurations that it can measure, best with some of either verdict among them."""
        raise NotImplementedError

    @contextmanager
    def _source(self) -> Iterator[MeasurementSource]:
        source = self.make()
        try:
            yield source
        finally:
            source.close()

    def _events(self, seed: int = 0) -> list[ExecutionEvent]:
        rng = np.random.default_rng(seed)
        with self._source() as source:
            return [
                source.measure(config, iteration=iteration, rng=rng)
                for config in self.configs()
                for iteration in (0, 3)
            ]

    def test_it_is_a_measurement_source(self) -> None:
        with self._source() as source:
            assert isinstance(source, MeasurementSource)

    def test_it_may_be_closed_twice(self) -> None:
        source = self.make()
        source.close()
        source.close()

    def test_an_event_is_of_the_configuration_and_iteration_that_were_asked_for(self) -> None:
        asked = [(config_key(config), iteration) for config in self.configs() for iteration in (0, 3)]
        assert [(event.config_key, event.iteration) for event in self._events()] == asked

    def test_an_event_was_measured_and_cost_time(self) -> None:
        for event in self._events():
            assert event.kind is EventKind.MEASURED
            assert event.started_at <= event.ended_at
            assert math.isfinite(event.cost_s)
            assert event.cost_s >= 0

    def test_a_valid_event_has_measured_each_function_of_its_configuration(self) -> None:
        for event in self._events():
            if event.verdict is not Verdict.INVALID:
                assert [(function.name, function.rate_rps) for function in event.functions] == event.config_pairs

    def test_counts_add_up(self) -> None:
        for event in self._events():
            for function in event.functions:
                _check_counts(function)

    def test_a_verdict_that_is_not_ok_has_reasons_and_the_margin_agrees(self) -> None:
        for event in self._events():
            is_stopped = event.reasons[:1] != () and event.reasons[0].startswith(STOPPED)
            assert bool(event.reasons) is (event.verdict is not Verdict.OK or is_stopped)
            if event.verdict is not Verdict.INVALID and event.margin:
                assert (event.margin < 0) is (event.verdict is Verdict.OVERLOADED)
            assert set(event.overloaded_functions) <= set(event.config_key[0])

    def test_a_memory_can_hold_its_events(self) -> None:
        events = [replace(event, run_id=str(i), context_hash=CONTEXT_HASH) for i, event in enumerate(self._events())]
        with closing(DuckDBMemoryStore(":memory:")) as store:
            store.startup()
            assert store.insert_events(events) == len(events)
            assert sorted(store.events(CONTEXT_HASH), key=lambda event: int(event.run_id)) == events

    def test_the_same_seed_gives_the_same_events(self) -> None:
        if self.deterministic:
            assert self._events(seed=1) == self._events(seed=1)


def _check_counts(function: FunctionMeasurement) -> None:
    counts = (function.sent, function.dropped, function.succeeded, *function.failed.values())
    assert min(counts) >= 0
    assert function.offered == function.sent + function.dropped
    assert function.succeeded + sum(function.failed.values()) == function.sent
    expected = function.succeeded / function.offered if function.offered else 1.0
    assert math.isclose(function.success_rate, expected, abs_tol=1e-9)
