"""What a ``World`` of offline episodes must do."""

# ruff: noqa: S101

import numpy as np

from peva_env.inference import LABELS
from peva_env.observation import measurement_of
from peva_env.sources import Outcomes, World

_PARTS = ("labels", "values", "mask", "cost_s", "mean_ms")

_SEEDS = np.array([0, 7, 2**64 - 1], np.uint64)


class WorldContract:
    """The behaviour of a ``World``: override ``make``.

    ::

        from peva_env.testing import WorldContract

        class TestMyWorld(WorldContract):
            def make(self):
                return MyWorld()

    Not checked: whether outcomes are like those of a real node, whether scenarios differ, and how fast it is. The world
    must have at most a few thousand configurations: every one of them is measured.
    """

    def make(self) -> World:
        """Return a world; two that are made alike must give the same outcomes."""
        raise NotImplementedError

    def test_all_scenarios_have_spaces_of_one_shape(self) -> None:
        world = self.make()
        assert len(set(world.scenarios)) == len(world.scenarios) > 0
        shapes = {
            (space.n_configs, tuple(len(rates) for rates in space.rates_rps))
            for space in map(world.space, range(len(world.scenarios)))
        }
        assert len(shapes) == 1

    def test_what_is_recorded_has_a_label_and_nothing_else_has(self) -> None:
        world = self.make()
        for scenario in range(len(world.scenarios)):
            (recorded,) = world.recorded(np.array([scenario]))
            assert recorded.shape == (world.space(scenario).n_configs,)
            labels = _everywhere(world, scenario, _SEEDS[1]).labels
            assert set(labels.tolist()) <= {-1, 0, 1}
            assert ((labels != 0) == recorded).all()

    def test_the_truth_is_told_of_what_is_recorded_and_of_nothing_else(self) -> None:
        world = self.make()
        for scenario in range(len(world.scenarios)):
            truth = world.truth(int(_SEEDS[1]), scenario)
            assert truth.shape == (world.space(scenario).n_configs,)
            assert set(truth.tolist()) <= {-1, 0, 1}
            assert ((truth != 0) == world.recorded(np.array([scenario]))[0]).all()

    def test_what_was_not_measured_is_0_and_nothing_is_infinite(self) -> None:
        outcomes = _everywhere(self.make(), 0, _SEEDS[0])
        assert not outcomes.values[outcomes.mask == 0].any()
        assert np.isfinite(outcomes.values).all()
        assert np.isfinite(outcomes.cost_s).all()
        assert (outcomes.cost_s >= 0).all()

    def test_the_same_seed_gives_the_same_outcomes(self) -> None:
        for seed in _SEEDS:
            _same(_everywhere(self.make(), 0, seed), _everywhere(self.make(), 0, seed))

    def test_an_outcome_depends_neither_on_the_order_nor_on_the_episodes_beside_it(self) -> None:
        world, n = self.make(), len(_SEEDS)
        together = world.begin(_SEEDS, np.zeros(n, np.int64))
        indices = np.arange(world.space(0).n_configs)[::-1][:n]
        found = together.outcomes(np.resize(indices, n), 1)
        for i, seed in enumerate(_SEEDS):
            alone = world.begin(_SEEDS[i : i + 1], np.array([0]))
            alone.outcomes(np.array([0]))
            _same(alone.outcomes(np.resize(indices, n)[i : i + 1], 1), _rows(found, slice(i, i + 1)))
            _same(
                _rows(_everywhere(world, 0, seed, 1), np.resize(indices, n)[i : i + 1]), _rows(found, slice(i, i + 1))
            )

    def test_outcomes_are_the_callers_own(self) -> None:
        world = self.make()
        episodes, indices = world.begin(_SEEDS[:1], np.array([0])), np.array([0])
        kept = episodes.outcomes(indices)
        before = _rows(kept, slice(None))
        for array in (getattr(kept, name) for name in _PARTS):
            array[:] = 0
        _same(episodes.outcomes(indices), before)

    def test_adopted_episodes_go_on_as_they_would_have(self) -> None:
        world, n = self.make(), len(_SEEDS)
        episodes, others = (world.begin(seeds, np.zeros(n, np.int64)) for seeds in (_SEEDS, _SEEDS[::-1].copy()))
        indices = np.zeros(n, np.int64)
        expected = _rows(others.outcomes(indices), slice(0, 1))
        episodes.adopt(np.array([0]), others)
        _same(_rows(episodes.outcomes(indices), slice(0, 1)), expected)

    def test_an_event_says_what_the_outcome_says_to_the_last_bit(self) -> None:
        world, rng = self.make(), np.random.default_rng(0)
        space, (recorded,) = world.space(0), world.recorded(np.array([0]))
        for iteration in (0, 1):
            outcomes, source = _everywhere(world, 0, _SEEDS[1], iteration), world.source(int(_SEEDS[1]), 0)
            for index in np.flatnonzero(recorded)[:50]:
                event = source.measure(space.config(int(index)), iteration=iteration, rng=rng)
                measurement = measurement_of(space, event)
                assert event.iteration == iteration
                assert (LABELS[event.verdict], event.cost_s) == (outcomes.labels[index], outcomes.cost_s[index])
                assert measurement.values.tolist() == outcomes.values[index].tolist()
                assert measurement.mask.tolist() == outcomes.mask[index].tolist()
                np.testing.assert_array_equal(measurement.mean_ms, outcomes.mean_ms[index])
            source.close()


def _everywhere(world: World, scenario: int, seed: np.uint64, iteration: int = 0) -> Outcomes:
    """Return the outcomes of all configurations in one episode, (N,) each."""
    episodes = world.begin(np.array([seed], np.uint64), np.array([scenario]))
    return episodes.outcomes(np.arange(world.space(scenario).n_configs), iteration)


def _rows(outcomes: Outcomes, rows: slice | np.ndarray) -> Outcomes:
    """Return copies of some rows."""
    return Outcomes(*(getattr(outcomes, name)[rows].copy() for name in _PARTS))


def _same(one: Outcomes, other: Outcomes) -> None:
    for name in _PARTS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
