"""What a ``Ledger`` must do."""

# ruff: noqa: S101

from dataclasses import replace

from peva_env.contracts import EventKind, ExecutionEvent, Ledger, Verdict
from peva_env.space import Config, config_key
from peva_env.testing.examples import example_event, example_skip

_CONFIG: Config = [("a", 10), ("b", 20)]
_OTHER: Config = [("a", 10)]
_KEY, _OTHER_KEY = config_key(_CONFIG), config_key(_OTHER)


class LedgerContract:
    """The behaviour of a ``Ledger``: override ``make``.

    ::

        from peva_env.testing import LedgerContract

        class TestMyLedger(LedgerContract):
            def make(self, iterations):
                return MyLedger(iterations)

    Not checked: ledgers that ask for fewer runs where these decide the verdict (adaptive repeats), and how fast it is.
    """

    def make(self, iterations: int) -> Ledger:
        """Return a ledger of a campaign without history, which asks for this many valid runs."""
        raise NotImplementedError

    def test_it_is_a_ledger_that_knows_nothing_yet(self) -> None:
        ledger = self.make(3)
        assert isinstance(ledger, Ledger)
        assert not ledger.is_complete(_KEY)
        assert (ledger.missing_runs(_KEY), ledger.next_iteration(_KEY), ledger.verdicts(_KEY)) == (3, 0, [])

    def test_valid_runs_complete_a_configuration_and_no_other(self) -> None:
        ledger = self.make(2)
        for iteration, missing in enumerate((1, 0)):
            assert not ledger.is_complete(_KEY)
            ledger.record(example_event(_CONFIG, iteration))
            assert ledger.missing_runs(_KEY) == missing
        assert ledger.is_complete(_KEY)
        assert not ledger.is_complete(_OTHER_KEY)
        assert ledger.missing_runs(_OTHER_KEY) == 2

    def test_verdicts_are_those_of_the_valid_runs_in_order(self) -> None:
        ledger, verdicts = self.make(3), [Verdict.OVERLOADED, Verdict.INVALID, Verdict.OK]
        for iteration, verdict in enumerate(verdicts):
            ledger.record(example_event(_CONFIG, iteration, verdict))
        assert ledger.verdicts(_KEY) == [Verdict.OVERLOADED, Verdict.OK]
        assert ledger.missing_runs(_KEY) == 1

    def test_an_invalid_run_takes_a_number_but_does_not_count(self) -> None:
        ledger = self.make(1)
        ledger.record(example_event(_CONFIG, 0, Verdict.INVALID))
        assert ledger.next_iteration(_KEY) == 1
        assert ledger.missing_runs(_KEY) == 1

    def test_a_canary_takes_a_number_but_does_not_count(self) -> None:
        ledger = self.make(1)
        ledger.record(replace(example_event(_CONFIG, 0), kind=EventKind.CANARY))
        assert (ledger.missing_runs(_KEY), ledger.next_iteration(_KEY), ledger.verdicts(_KEY)) == (1, 1, [])

    def test_the_next_iteration_is_beyond_the_highest_whatever_the_order(self) -> None:
        ledger = self.make(9)
        for iteration in (4, 1):
            ledger.record(example_event(_CONFIG, iteration))
        assert ledger.next_iteration(_KEY) == 5

    def test_a_skip_is_recorded_by_its_kind_and_counts_as_no_run(self) -> None:
        ledger = self.make(1)
        ledger.record(example_skip(_CONFIG))
        assert ledger.is_recorded(_KEY, EventKind.SKIPPED)
        assert not ledger.is_recorded(_KEY, EventKind.INFERRED)
        assert not ledger.is_recorded(_OTHER_KEY, EventKind.SKIPPED)
        assert (ledger.missing_runs(_KEY), ledger.next_iteration(_KEY), ledger.is_complete(_KEY)) == (1, 0, False)

    def test_to_run_again_asks_for_twice_as_many_in_all(self) -> None:
        ledger = self.make(2)
        for iteration, missing in enumerate((3, 2, 1, 0, 0)):
            ledger.record(example_event(_CONFIG, iteration))
            assert ledger.missing_runs(_KEY, again=True) == missing

    def test_what_is_handed_out_may_be_changed(self) -> None:
        ledger = self.make(1)
        ledger.record(example_event(_CONFIG))
        ledger.verdicts(_KEY).clear()
        assert ledger.verdicts(_KEY) == [Verdict.OK]

    def test_a_campaign_goes_on_from_its_history_and_from_nothing_else(self) -> None:
        ledger = self.make(2)
        ledger.record(example_event(_OTHER, 0))
        ledger.record(example_skip(_OTHER))
        history: list[ExecutionEvent] = [example_event(_CONFIG, 0), example_event(_CONFIG, 1)]
        ledger.begin(history)
        assert ledger.is_complete(_KEY)
        assert ledger.next_iteration(_OTHER_KEY) == 0
        assert not ledger.is_recorded(_OTHER_KEY, EventKind.SKIPPED)
