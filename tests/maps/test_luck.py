"""Luck is no loss: a small version of ``python -m benchmarks diff-luck``, on other nodes."""

from benchmarks.diff_luck import pairs

FIRST_SEED = 3_000


def test_two_campaigns_of_one_node_differ_by_luck_and_lose_nothing() -> None:
    found = list(pairs(FIRST_SEED, 20, iterations=1))
    assert sum(pair.would_alarm_without_margins for pair in found) >= 5
    assert sum(pair.is_alarm for pair in found) <= 1


def test_a_loss_of_slots_that_is_felt_is_found_or_left_undecided() -> None:
    felt = [pair for pair in pairs(FIRST_SEED, 20, iterations=3, slots=0.7) if pair.truly_lost > 0.15]
    assert len(felt) >= 5
    assert all(pair.would_alarm_without_margins for pair in felt)
    assert sum(pair.is_alarm for pair in felt) >= 0.9 * len(felt)
