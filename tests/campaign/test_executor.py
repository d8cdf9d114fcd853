"""One configuration end to end, on a real memory: what is run, what is not, and what is left behind."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peva_env.campaign.budget import Budget
from peva_env.campaign.protocols import ConfigOutcome
from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.errors import InvalidRunError, PevaError, PolicyError
from peva_env.memory import verify
from peva_env.space import Config
from tests.support.builders import RecordingPolicy, ScriptedSource, full, small_disk
from tests.support.executor import SPACE, Campaign, measure_for_ever
from tests.support.forkserver import PROCESSES

OK, OVERLOADED, INVALID = Verdict.OK, Verdict.OVERLOADED, Verdict.INVALID


def from_30_rps(config: Config, iteration: int) -> Verdict:
    """A node that can take less than 30 rps in all."""
    return OVERLOADED if sum(rate for _, rate in config) >= 30 else OK


def scripted(*verdicts: Verdict) -> Callable[[Config, int], Verdict]:
    """Return a node whose iterations go as told."""
    return lambda config, iteration: verdicts[iteration]


def refuse_to_run() -> None:
    raise AssertionError("nothing should be run")


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Campaign]:
    with Campaign(tmp_path) as campaign:
        yield campaign


# Running


def test_iterations_run_one_after_the_other_and_all_is_written_down(tmp_path: Path) -> None:
    with Campaign(tmp_path, iterations=3) as campaign:
        outcome = campaign.execute(a=10)
        assert campaign.source.asked == [([("a", 10)], iteration) for iteration in range(3)]
        assert outcome.verdict is OK
        assert outcome.resolved == 1
        assert list(outcome.events) == campaign.stored == campaign.policy.online
        assert {(event.run_id, event.repetition, event.context_hash) for event in campaign.stored} == {
            ("run", 1, "ctx")
        }
        assert len(campaign.artifact("events.jsonl")) == len(campaign.artifact("results.csv")) == 3
        assert campaign.artifact("index.csv") == ["['a'];[10];results.csv"]


def test_the_executor_numbers_the_iterations_whatever_the_source_says(campaign: Campaign) -> None:
    @dataclass
    class ForgetfulSource(ScriptedSource):
        def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:
            return replace(super().measure(config, iteration=iteration, rng=rng), iteration=0)

    campaign.executor.source = ForgetfulSource(scripted(INVALID, OK))
    campaign.execute(a=10)
    assert [event.iteration for event in campaign.stored] == [0, 1]


@pytest.mark.parametrize(
    ("verdicts", "label"),
    [
        ((OVERLOADED, OVERLOADED, OK), OVERLOADED),
        ((OVERLOADED, OK, OK), OK),
        ((OK, OK, OK), OK),
        ((OVERLOADED, OK), OK),
        ((OVERLOADED, INVALID, OVERLOADED), OVERLOADED),
    ],
)
def test_the_majority_of_the_valid_iterations_decides_and_a_tie_is_ok(
    tmp_path: Path, verdicts: tuple[Verdict, ...], label: Verdict
) -> None:
    valid = sum(verdict is not INVALID for verdict in verdicts)
    with Campaign(tmp_path, ScriptedSource(scripted(*verdicts)), iterations=valid) as campaign:
        assert campaign.execute(a=10).verdict is label
        assert campaign.executor.known.verdict([("a", 10)]) is label


def test_adaptive_repeats_end_where_the_majority_is_decided(tmp_path: Path) -> None:
    source = ScriptedSource(lambda config, iteration: (OK, OVERLOADED, OVERLOADED, OK, OK)[iteration])
    with Campaign(tmp_path, source, iterations=5, is_certain=lambda event: event.config_pairs == [("a", 10)]) as first:
        assert (first.execute(a=10).n_runs, first.execute(b=10).n_runs) == (1, 5)
        assert len(first.artifact("index.csv")) == 2
        assert first.memory.is_seen((("a",), (10,)))
    nothing_left = ScriptedSource(before_run=refuse_to_run)
    with Campaign(tmp_path, nothing_left, iterations=5, is_certain=lambda event: True, run_id="second") as again:
        assert again.execute(a=10).skip_reason == "already measured"
        assert differences(again) == []


def test_going_on_with_all_repeats_runs_what_adaptive_ones_left_out(tmp_path: Path) -> None:
    with Campaign(tmp_path, iterations=3, is_certain=lambda event: True) as campaign:
        campaign.execute(a=10)
    with Campaign(tmp_path, iterations=3, run_id="second") as campaign:
        assert not campaign.memory.is_seen((("a",), (10,)))
        assert campaign.executor.known.verdict([("a", 10)]) is None
        assert campaign.execute(a=10).n_runs == 2
        assert campaign.source.asked == [([("a", 10)], 1), ([("a", 10)], 2)]
        assert campaign.artifact("index.csv") == ["['a'];[10];results.csv"]


def test_what_is_complete_is_not_run_again(campaign: Campaign) -> None:
    campaign.execute(a=10)
    again = campaign.execute(a=10)
    assert (again.skip_reason, again.verdict, again.events) == ("already measured", OK, ())
    assert len(campaign.source.asked) == 1
    assert campaign.artifact("skipped.csv") == []


# Dominance


def test_what_dominates_an_overloaded_configuration_is_skipped_and_said_to_be(tmp_path: Path) -> None:
    with Campaign(tmp_path, ScriptedSource(from_30_rps)) as campaign:
        assert campaign.execute(a=30).resolved == 2
        skipped = campaign.execute(a=40)
        assert skipped == ConfigOutcome(verdict=OVERLOADED, skip_reason="dominates a 30 rps, which is overloaded")
        assert campaign.execute(a=20).verdict is OK
        assert campaign.execute(b=40).verdict is OVERLOADED
        assert [config for config, _ in campaign.source.asked] == [[("a", 30)], [("a", 20)], [("b", 40)]]


def test_an_ok_configuration_says_nothing_of_others(campaign: Campaign) -> None:
    assert campaign.execute(a=40).resolved == 1
    assert campaign.execute(a=10).skip_reason is None


def skips(campaign: Campaign) -> list[tuple[Config, str]]:
    return [(event.config_pairs, event.reasons[0]) for event in campaign.stored if event.kind is EventKind.SKIPPED]


def test_skips_are_recorded_once_in_memory_and_file_across_restarts(tmp_path: Path) -> None:
    reason = "dominates a 10 rps + b 20 rps, which is overloaded"
    first_expected = [([("a", a), ("b", b)], reason) for a in (10, 20, 30, 40) for b in (20, 30, 40)][1:]
    for start in range(3):
        with Campaign(tmp_path, ScriptedSource(from_30_rps), run_id=f"run{start}") as campaign:
            campaign.execute(a=10, b=20)
            campaign.execute(a=40, b=40)
            assert sorted(skips(campaign)) == first_expected
            assert len(campaign.artifact("skipped.csv")) == len(set(campaign.artifact("skipped.csv"))) == 11


def test_dominance_and_completeness_survive_a_restart(tmp_path: Path) -> None:
    with Campaign(tmp_path, ScriptedSource(from_30_rps), run_id="first") as campaign:
        campaign.execute(a=30)
        campaign.execute(b=10)
    with Campaign(tmp_path, ScriptedSource(before_run=refuse_to_run), run_id="second") as campaign:
        assert campaign.execute(a=40).skip_reason == "dominates a 30 rps, which is overloaded"
        assert campaign.execute(b=10).skip_reason == "already measured"
        assert campaign.executor.known.n_unknown == SPACE.n_configs - 3
        assert len(campaign.artifact("index.csv")) == 2


def test_a_new_repetition_knows_nothing(tmp_path: Path) -> None:
    with Campaign(tmp_path, ScriptedSource(from_30_rps), run_id="first") as campaign:
        campaign.execute(a=30)
    with Campaign(tmp_path, ScriptedSource(from_30_rps), run_id="second", repetition=2) as campaign:
        assert campaign.execute(a=30).verdict is OVERLOADED
        assert len(campaign.artifact("results.csv")) == 2


# Two-sided inference


def not_run(campaign: Campaign, kind: EventKind) -> dict[str, str]:
    """Return why each configuration of a kind was not run."""
    return {str(event.config_pairs): event.reasons[0] for event in campaign.stored if event.kind is kind}


def labels(campaign: Campaign) -> list[int]:
    found = campaign.executor.known.labels
    assert found is not None
    return [int(label) for label in found]


def differences(campaign: Campaign) -> list[str]:
    """Return what is wrong with the memory, contexts aside, which tests make up."""
    return [str(one) for one in verify(campaign.memory.store.database.connection) if "context" not in one.column]


def test_what_is_known_ok_is_recorded_as_inferred_and_is_in_no_file_of_what_was_skipped(tmp_path: Path) -> None:
    with Campaign(tmp_path, ScriptedSource(from_30_rps), dominance="two_sided") as campaign:
        assert campaign.execute(a=10, b=10).resolved == 3
        skipped = campaign.execute(a=10)
        assert skipped == ConfigOutcome(verdict=OK, skip_reason="is dominated by a 10 rps + b 10 rps, which is OK")
        campaign.execute(b=30)
        assert campaign.executor.known.verdict([("a", 10), ("b", 40)]) is OVERLOADED
        inferred = not_run(campaign, EventKind.INFERRED)
        assert inferred == dict.fromkeys([str([("a", 10)]), str([("b", 10)])], skipped.skip_reason)
        assert {event.verdict for event in campaign.stored if event.kind is EventKind.INFERRED} == {OK}
        assert len(campaign.artifact("skipped.csv")) == len(not_run(campaign, EventKind.SKIPPED)) == 9
        assert len(campaign.source.asked) == 2
        assert differences(campaign) == []
        before = labels(campaign)
    with Campaign(tmp_path, ScriptedSource(before_run=refuse_to_run), run_id="second", dominance="two_sided") as again:
        assert labels(again) == before
        assert len(again.stored) == 2 + 2 + 9
        assert len(again.artifact("skipped.csv")) == 9


def test_under_another_dominance_what_was_measured_counts_and_the_rest_is_inferred_anew(tmp_path: Path) -> None:
    with Campaign(tmp_path, ScriptedSource(from_30_rps), dominance="two_sided") as campaign:
        campaign.execute(a=10, b=10)
        campaign.execute(b=30)
    with Campaign(tmp_path, ScriptedSource(from_30_rps), run_id="second") as campaign:
        assert campaign.executor.known.n_unknown == SPACE.n_configs - 3
        assert campaign.execute(b=40).skip_reason == "dominates b 30 rps, which is overloaded"
        assert campaign.execute(a=10).skip_reason is None
        assert differences(campaign) == []
    with Campaign(tmp_path, run_id="third", dominance="two_sided") as campaign:
        assert campaign.executor.known.verdict([("a", 40), ("b", 40)]) is OVERLOADED
        assert campaign.execute(a=10).skip_reason == "already measured"
        assert len(campaign.artifact("skipped.csv")) == 9


# Contradictions


def contradicted(folder: Path, iterations: int = 1) -> None:
    """Leave a memory in which a 20 is overloaded and a 30 is OK, as one-sided inference can."""
    with Campaign(folder, iterations=iterations, run_id="first") as campaign:
        campaign.execute(a=30)
    with Campaign(
        folder, ScriptedSource(lambda config, iteration: OVERLOADED), iterations=iterations, run_id="other"
    ) as campaign:
        campaign.execute(a=20)


def test_a_contradiction_is_measured_again_and_the_majority_of_all_runs_decides(tmp_path: Path) -> None:
    contradicted(tmp_path, iterations=3)
    with Campaign(tmp_path, iterations=3, run_id="again", dominance="two_sided") as campaign:
        known = campaign.executor.known
        assert known.verdict([("a", 20)]) is known.verdict([("a", 30)]) is None
        assert not campaign.executor.context.existing_index
        outcome = campaign.execute(a=20)
        assert campaign.source.asked == [([("a", 20)], iteration) for iteration in (3, 4, 5)]
        assert (outcome.verdict, outcome.n_runs, outcome.skip_reason) == (OK, 3, None)
        assert outcome.resolved == 3, "a 10, a 20 and a 30"
        assert [dispute.state for dispute in known.disputes()] == ["settled"]
        assert campaign.execute(a=30).skip_reason == "already measured"
        assert len(campaign.artifact("index.csv")) == 2
        before = labels(campaign)
    with Campaign(tmp_path, iterations=3, run_id="last", dominance="two_sided") as campaign:
        assert labels(campaign) == before


def test_what_is_still_contradicted_then_stands_for_itself(tmp_path: Path) -> None:
    contradicted(tmp_path)

    def as_before(config: Config, iteration: int) -> Verdict:
        return OVERLOADED if config in ([("a", 20)], [("b", 10)]) else OK

    with Campaign(tmp_path, ScriptedSource(as_before), run_id="again", dominance="two_sided") as campaign:
        known = campaign.executor.known
        first = campaign.execute(a=20)
        assert (first.verdict, first.n_runs, first.resolved) == (OVERLOADED, 1, 1)
        assert known.verdict([("a", 30)]) is None, "it was not run again yet"
        assert [dispute.state for dispute in known.disputes()] == ["open"]
        middle = labels(campaign)
    with Campaign(tmp_path, ScriptedSource(as_before), run_id="then", dominance="two_sided") as campaign:
        assert labels(campaign) == middle
        known = campaign.executor.known
        assert campaign.execute(a=30).n_runs == 1
        assert [dispute.state for dispute in known.disputes()] == ["quarantine"]
        for rate in (20, 30):
            assert campaign.execute(a=rate).skip_reason == "already measured"
        assert known.verdict([("a", 40)]) is known.verdict([("a", 10)]) is None
        before = labels(campaign)
        assert differences(campaign) == []
    with Campaign(tmp_path, run_id="last", dominance="two_sided") as campaign:
        assert labels(campaign) == before


def test_what_lies_between_a_contradiction_is_run_whatever_else_tells_of_it(tmp_path: Path) -> None:
    with Campaign(tmp_path, run_id="first") as campaign:
        campaign.execute(a=40)
        campaign.execute(a=20, b=10)
    with Campaign(tmp_path, ScriptedSource(lambda config, iteration: OVERLOADED), run_id="other") as campaign:
        campaign.execute(a=10)
    with Campaign(tmp_path, run_id="again", dominance="two_sided") as campaign:
        assert campaign.execute(a=20).skip_reason is None, "it is below an OK one, and between two that disagree"
        assert len(campaign.source.asked) == 1


@pytest.mark.parametrize("seed", range(2))
def test_every_campaign_ends_whatever_the_node_says(tmp_path: Path, seed: int) -> None:
    chance = np.random.default_rng(seed)
    iterations = 2

    def noise(config: Config, iteration: int) -> Verdict:
        return OVERLOADED if chance.random() < 0.5 else OK

    for start in range(2):
        with Campaign(tmp_path, ScriptedSource(noise), iterations=iterations, run_id=f"one-sided-{start}") as campaign:
            for index in chance.permutation(SPACE.n_configs)[:6]:
                campaign.running.execute(int(index), chance)
    with Campaign(
        tmp_path, ScriptedSource(noise), iterations=iterations, run_id="last", dominance="two_sided"
    ) as campaign:
        known = campaign.executor.known
        n_steps = 0
        while known.n_unknown:
            (unknown,) = np.nonzero(np.array(labels(campaign)) == 0)
            assert campaign.running.execute(int(chance.choice(unknown)), chance).n_runs
            n_steps += 1
        assert n_steps <= 2 * SPACE.n_configs
        before = labels(campaign)
        assert differences(campaign) == []
    with Campaign(tmp_path, iterations=iterations, run_id="again", dominance="two_sided") as campaign:
        assert labels(campaign) == before


# Going on


def test_a_configuration_cut_short_gets_its_missing_runs_only(tmp_path: Path) -> None:
    with Campaign(tmp_path, iterations=3, budget=Budget(runs=2), run_id="first") as campaign:
        assert campaign.execute(a=10).verdict is None
        assert campaign.artifact("index.csv") == []
    with Campaign(tmp_path, iterations=3, run_id="second") as campaign:
        outcome = campaign.execute(a=10)
        assert campaign.source.asked == [([("a", 10)], 2)]
        assert outcome.verdict is OK
        assert sorted(event.iteration for event in campaign.stored) == [0, 1, 2]


def test_what_the_files_lack_is_supplied_from_memory_at_the_next_start(tmp_path: Path) -> None:
    with Campaign(tmp_path, ScriptedSource(from_30_rps)) as campaign:
        campaign.execute(a=30)
        campaign.execute(b=10)
        before = {name: campaign.artifact(name) for name in ("results.csv", "skipped.csv", "index.csv", "events.jsonl")}
    out = tmp_path / "out"
    out.joinpath("results.csv").unlink()
    out.joinpath("skipped.csv").unlink()
    for name in ("index.csv", "events.jsonl"):
        text = out.joinpath(name).read_text()
        out.joinpath(name).write_text(text[:-20])
    with Campaign(tmp_path, run_id="second") as campaign:
        assert {name: campaign.artifact(name) for name in before} == before


def test_a_policy_that_raises_costs_no_row(tmp_path: Path) -> None:
    with Campaign(tmp_path, policy=RecordingPolicy(failure=ValueError("no"))) as campaign:
        with pytest.raises(PolicyError):
            campaign.execute(a=10)
        assert len(campaign.stored) == 1
    with Campaign(tmp_path, ScriptedSource(before_run=refuse_to_run), run_id="second") as campaign:
        assert campaign.execute(a=10).skip_reason == "already measured"
        assert len(campaign.artifact("results.csv")) == len(campaign.artifact("index.csv")) == 1


# Runs that measured nothing


@pytest.mark.parametrize("retries", [0, 2])
def test_a_run_that_stays_invalid_stops_with_its_cause_and_every_attempt_is_stored(
    tmp_path: Path, retries: int
) -> None:
    source = ScriptedSource(lambda config, iteration: INVALID)
    with Campaign(tmp_path, source, max_invalid_retries=retries) as campaign:
        with pytest.raises(InvalidRunError, match=rf"a 10 rps: {retries + 1} run\(s\) in a row .*: k6 said no"):
            campaign.execute(a=10)
        assert [event.verdict for event in campaign.stored] == [INVALID] * (retries + 1)
        assert len(campaign.artifact("events.jsonl")) == retries + 1
        assert campaign.artifact("results.csv") == []
        assert campaign.executor.known.verdict([("a", 10)]) is None


def test_only_invalid_runs_in_a_row_count(tmp_path: Path) -> None:
    source = ScriptedSource(scripted(INVALID, OK, INVALID, OK))
    with Campaign(tmp_path, source, iterations=2, max_invalid_retries=1) as campaign:
        assert campaign.execute(a=10).verdict is OK


def test_the_next_start_tries_again_under_new_numbers(tmp_path: Path) -> None:
    with (
        Campaign(tmp_path, ScriptedSource(scripted(INVALID)), max_invalid_retries=0) as campaign,
        pytest.raises(InvalidRunError),
    ):
        campaign.execute(a=10)
    with Campaign(tmp_path, run_id="second") as campaign:
        campaign.execute(a=10)
        assert campaign.source.asked == [([("a", 10)], 1)]


# Budget


def test_the_budget_of_runs_is_never_overspent(tmp_path: Path) -> None:
    source = ScriptedSource(scripted(OK, INVALID, OK, OK))
    with Campaign(tmp_path, source, iterations=3, budget=Budget(runs=3)) as campaign:
        assert campaign.execute(a=10).verdict is None
        assert campaign.execute(b=10) == ConfigOutcome()
        assert len(source.asked) == campaign.budget.spent_runs == 3
        assert campaign.budget.exhausted
        assert campaign.budget.left == (0.0, 1.0)


def test_the_budget_of_seconds_stops_inside_a_configuration(tmp_path: Path) -> None:
    with Campaign(tmp_path, ScriptedSource(cost_s=2), iterations=9, budget=Budget(seconds=5)) as campaign:
        assert campaign.execute(a=10).verdict is None
        assert len(campaign.source.asked) == 3, "the run that crosses the limit is the last"
        assert campaign.budget.spent_s == 6


def test_what_is_known_costs_nothing(campaign: Campaign) -> None:
    campaign.execute(a=10)
    campaign.execute(a=10)
    assert campaign.budget.spent_runs == 1


# Interruptions, full disks, dead processes


def interrupt() -> None:
    """Ctrl-C, as the terminal sends it."""
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_during_a_run_keeps_the_runs_before_it(tmp_path: Path) -> None:
    source = ScriptedSource()
    source.before_run = lambda: interrupt() if len(source.asked) == 2 else None
    with Campaign(tmp_path, source, iterations=3) as campaign:
        with pytest.raises(KeyboardInterrupt):
            campaign.execute(a=10)
        assert len(campaign.stored) == len(campaign.artifact("results.csv")) == 2
    with Campaign(tmp_path, iterations=3, run_id="second") as campaign:
        campaign.execute(a=10)
        assert campaign.source.asked == [([("a", 10)], 2)]


@pytest.mark.parametrize(
    ("owner", "method", "n_complete"),
    [
        ("memory", "ingest_event", 0),
        ("artifacts", "record_run", 0),
        ("artifacts", "record_complete", 1),
        ("memory", "ingest_skips", 1),
        ("artifacts", "record_skips", 1),
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_ctrl_c_while_something_is_written_down_waits_for_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: str, method: str, n_complete: int, when: str
) -> None:
    def interrupted(*args: Any) -> None:
        if when == "before":
            interrupt()
        original(*args)
        if when == "after":
            interrupt()

    with Campaign(tmp_path, ScriptedSource(from_30_rps)) as campaign:
        original = getattr(getattr(campaign.executor, owner), method)
        monkeypatch.setattr(getattr(campaign.executor, owner), method, interrupted)
        with pytest.raises(KeyboardInterrupt):
            campaign.execute(a=30)
        assert len(campaign.artifact("results.csv")) == len(campaign.stored) - len(skips(campaign)) == 1
        assert len(campaign.artifact("skipped.csv")) == len(skips(campaign)) == n_complete
        assert len(campaign.artifact("index.csv")) == n_complete


def test_a_disk_that_fills_up_stops_the_campaign_and_the_next_start_goes_on(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size_mib=8) as disk:
        with Campaign(disk, iterations=500) as campaign, full(disk), pytest.raises(PevaError) as caught:
            campaign.execute(a=10)
        assert "\n" not in str(caught.value)
        with Campaign(disk, iterations=500, run_id="second") as campaign:
            n_stored = len(campaign.stored)
            assert n_stored < 500
            assert len(campaign.artifact("results.csv")) == n_stored
            assert campaign.memory.ledger.next_iteration((("a",), (10,))) == n_stored


def test_after_kill_9_memory_and_files_agree_again(tmp_path: Path) -> None:
    n_finished = 0
    for attempt in range(3):
        ours, its = PROCESSES.Pipe(duplex=False)
        child = PROCESSES.Process(target=measure_for_ever, args=(tmp_path, f"run{attempt}", its))
        child.start()
        its.close()
        for _ in range(10 + attempt):
            n_of_this = ours.recv()
        child.kill()
        child.join()
        n_finished += n_of_this
    with Campaign(tmp_path, iterations=10**6, run_id="last") as campaign:
        stored = [event.event_key[1:] for event in campaign.stored]
        records = map(json.loads, campaign.artifact("events.jsonl"))
        assert sorted((one["iteration"], one["repetition"], one["run_id"]) for one in records) == sorted(stored)
        assert len(campaign.artifact("results.csv")) == len(stored) >= n_finished
        assert [iteration for iteration, _, _ in sorted(stored)] == list(range(len(stored)))
