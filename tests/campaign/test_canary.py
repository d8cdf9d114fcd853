"""A node that turns bad in the middle of a campaign: what the canary notices, and what is measured again."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peva_env.campaign.budget import Budget
from peva_env.campaign.canary import Canary, lightest_ok
from peva_env.config import CanaryConfig, parse_config
from peva_env.contracts import EndStatus, EventKind, ExecutionEvent, Verdict
from peva_env.errors import CanaryError, ConfigError, InvalidRunError
from peva_env.inference import MonotoneMap
from peva_env.memory import verify
from peva_env.memory.clock import MemoryClock
from peva_env.space import Config, ConfigSpace
from peva_env.system import elapsed_s
from tests.support.builders import ScriptedSource, event
from tests.support.executor import REST_S, SPACE, Campaign

OK, OVERLOADED, INVALID = Verdict.OK, Verdict.OVERLOADED, Verdict.INVALID
A10 = [("a", 10)]


def until_two_canaries_failed(*from_runs: int) -> Callable[[int, Config], bool]:
    """Return a node that turns bad at these runs, and is well again after the second canary, a 10, that it failed."""
    failing: list[int] = []

    def is_bad(number: int, config: Config) -> bool:
        if number in from_runs:
            failing.append(2)
        if not failing or not failing[-1]:
            return False
        failing[-1] -= config == A10
        return True

    return is_bad


@dataclass
class Node:
    """OK below 40 rps in all while it is well; ``bad`` says which of its runs, counted from 1, find it unwell."""

    bad: Callable[[int, Config], bool] = lambda number, config: False
    verdict_when_bad: Verdict = OVERLOADED
    runs: list[Config] = field(default_factory=list)

    def __call__(self, config: Config, iteration: int) -> Verdict:
        self.runs.append(config)
        if self.bad(len(self.runs), config):
            return self.verdict_when_bad
        return OVERLOADED if sum(rate for _, rate in config) >= 40 else OK


class Source(ScriptedSource):
    """A scripted source whose runs have the times at which they are made, so that a later start has later runs."""

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:
        began = time.time()
        made = super().measure(config, iteration=iteration, rng=rng)
        return replace(made, started_at=began, ended_at=time.time())


class KilledError(BaseException):
    """Ends a test's campaign at once, as a kill does."""


def kinds(campaign: Campaign, kind: EventKind) -> list[tuple[Config, Verdict]]:
    return [(one.config_pairs, one.verdict) for one in campaign.stored if one.kind is kind]


def canaries(campaign: Campaign) -> list[Verdict]:
    return [verdict for _, verdict in kinds(campaign, EventKind.CANARY)]


def suspects(campaign: Campaign) -> list[Config]:
    return sorted(config for config, _ in kinds(campaign, EventKind.SUSPECT))


def differences(campaign: Campaign) -> list[str]:
    return [str(one) for one in verify(campaign.memory.store.database.connection) if "context" not in one.column]


def complete_map(campaign: Campaign) -> None:
    """Measure all that is unknown, in plan order, until the campaign may end as complete."""
    campaign.running.run_due(np.random.default_rng(0))
    for _ in range(5 * SPACE.n_configs):
        labels = campaign.executor.known.labels
        assert labels is not None
        unknown = (labels == 0).nonzero()[0]
        if not unknown.size:
            break
        campaign.running.execute(int(unknown[0]), np.random.default_rng(0))
    assert campaign.running.ending is EndStatus.COMPLETE


def assert_true_map(campaign: Campaign) -> None:
    known = campaign.executor.known
    for config in SPACE:
        assert known.verdict(config) is (OVERLOADED if sum(rate for _, rate in config) >= 40 else OK), config
    assert differences(campaign) == []


# When it runs


def test_without_the_option_there_is_no_canary(tmp_path: Path) -> None:
    with Campaign(tmp_path, Source(Node(bad=lambda number, config: number == 4))) as campaign:
        complete_map(campaign)
        assert not canaries(campaign)
        assert not suspects(campaign)


def test_it_is_the_lightest_ok_configuration_every_n_runs_and_before_the_end(tmp_path: Path) -> None:
    with Campaign(tmp_path, Source(Node()), every_runs=3) as campaign:
        for rate in (20, 10, 30):
            campaign.execute(b=rate)
        campaign.execute(a=30)
        assert canaries(campaign) == [], "b 10 itself was measured two runs ago"
        campaign.execute(a=20)
        campaign.execute(a=10)
        assert kinds(campaign, EventKind.CANARY) == [([("b", 10)], OK)]
        complete_map(campaign)
        assert campaign.stored[-1].kind is EventKind.CANARY
        assert_true_map(campaign)
        assert len(campaign.artifact("results.csv")) == len(kinds(campaign, EventKind.MEASURED))
        assert sum('"kind": "canary"' in line for line in campaign.artifact("events.jsonl")) == len(canaries(campaign))


def test_a_canary_costs_budget_and_counts_in_its_step(tmp_path: Path) -> None:
    with Campaign(tmp_path, Source(Node()), every_runs=1, budget=Budget(runs=4)) as campaign:
        campaign.execute(a=10)
        assert campaign.execute(a=20).n_runs == 1
        outcome = campaign.execute(a=30)
        assert (outcome.n_runs, outcome.cost_s, len(outcome.events)) == (2, 4.0, 1)
        assert campaign.running.ending is EndStatus.BUDGET


def test_a_policy_learns_nothing_from_a_canary(tmp_path: Path) -> None:
    with Campaign(tmp_path, Source(Node()), every_runs=1) as campaign:
        complete_map(campaign)
        assert canaries(campaign)
        assert {one.kind for one in campaign.policy.online} == {EventKind.MEASURED}


def test_a_campaign_whose_last_runs_the_budget_left_unconfirmed_is_not_complete(tmp_path: Path) -> None:
    with Campaign(tmp_path, Source(Node()), every_runs=1000) as campaign:
        complete_map(campaign)
        n_runs = len(kinds(campaign, EventKind.MEASURED))
    other = tmp_path / "other"
    with Campaign(other, Source(Node()), every_runs=1000, budget=Budget(runs=n_runs)) as campaign:
        with pytest.raises(AssertionError):
            complete_map(campaign)
        assert campaign.executor.known.n_unknown == 0
        assert campaign.running.ending is EndStatus.BUDGET
    with Campaign(other, Source(Node()), every_runs=1000, run_id="next") as campaign:
        complete_map(campaign)
        assert campaign.source.asked == [(A10, 1)]


def test_a_finished_campaign_stays_finished(tmp_path: Path) -> None:
    with Campaign(tmp_path, Source(Node())) as campaign:
        complete_map(campaign)
        campaign.running.end(EndStatus.COMPLETE)
    with Campaign(tmp_path, Source(Node()), every_runs=1, run_id="again") as campaign:
        complete_map(campaign)
        assert campaign.source.asked == []


def test_minutes_are_counted_from_the_first_unconfirmed_run() -> None:
    now = [1000.0]
    canary = Canary(CanaryConfig(every_minutes=2), 1, clock=lambda: now[0])
    key = event().config_key
    canary.record(event([("a", 20)], started_at=1000.0))
    now[0] = 1119.0
    assert not canary.is_due(key)
    now[0] = 1120.0
    assert canary.is_due(key)
    assert not canary.is_due(event([("a", 20)]).config_key), "its own OK run is as good as a canary"


@pytest.mark.parametrize("back_s", [0, 3600])
def test_minutes_count_though_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch, back_s: float) -> None:
    machine_s, passed_s = time.time(), elapsed_s()
    monkeypatch.setattr(time, "time", lambda: machine_s)
    monkeypatch.setattr("peva_env.memory.clock.elapsed_s", lambda: passed_s)
    clock = MemoryClock()
    clock.now()
    canary = Canary(CanaryConfig(every_minutes=10), 1, clock=clock.now)
    canary.record(clock.ordered(event([("a", 20)], started_at=machine_s - 30, ended_at=machine_s)))
    machine_s, passed_s = machine_s - back_s + 300, passed_s + 300
    assert not canary.is_due(event().config_key)
    machine_s, passed_s = machine_s + 300, passed_s + 300
    assert canary.is_due(event().config_key)


@pytest.mark.parametrize("back_s", [0, 3600])
def test_a_clock_that_is_set_back_between_two_runs_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, back_s: float
) -> None:
    is_bad = False
    node = Node(bad=lambda number, config: is_bad)
    with Campaign(tmp_path, Source(node), every_runs=3) as campaign:
        for rate in (10, 20, 30):
            campaign.execute(a=rate)
        campaign.execute(b=10)
        campaign.execute(a=20, b=10)
        assert canaries(campaign) == [OK]
        read = time.time
        monkeypatch.setattr(time, "time", lambda: read() - back_s)
        is_bad = True
        campaign.execute(b=20)
        stored = [one for one in campaign.stored if one.kind in (EventKind.MEASURED, EventKind.CANARY)]
        assert stored[-1].config_pairs == [("b", 20)]
        assert all(one.ended_at <= other.started_at for one, other in pairwise(stored))
    node.bad = lambda number, config: config == [("a", 10)] and not suspects(campaign)
    with Campaign(tmp_path, Source(node), every_runs=3, run_id="next") as campaign:
        complete_map(campaign)
        assert_true_map(campaign)
        assert [("b", 20)] in suspects(campaign)


def test_a_configuration_without_load_is_no_canary() -> None:
    known = MonotoneMap(ConfigSpace({"a": [0, 10, 20]}))
    known.update([("a", 0)], OK)
    assert lightest_ok(known) is None
    known.update([("a", 20)], OK)
    assert lightest_ok(known) == [("a", 20)]


# When it fails


def test_what_a_bad_node_said_since_the_last_good_canary_is_suspect_and_measured_again(tmp_path: Path) -> None:
    # a 10, a 20, a 30, a 40 and a canary; then the node is bad for b 10, a 10 + b 10, and the canary before the end
    node = Node(bad=lambda number, config: 6 <= number <= 8)
    with Campaign(tmp_path, Source(node), every_runs=3) as campaign:
        complete_map(campaign)
        assert canaries(campaign)[:3] == [OK, OVERLOADED, OK]
        assert suspects(campaign) == [[("a", 10), ("b", 10)], [("b", 10)]]
        assert campaign.rests == [REST_S]
        assert_true_map(campaign)
        marks = [one for one in campaign.stored if one.kind is EventKind.SUSPECT]
        assert {one.reasons for one in marks} == {("suspect: the canary a 10 rps was OVERLOADED after this run",)}
        assert sum('"kind": "suspect"' in line for line in campaign.artifact("events.jsonl")) == len(marks)
        assert campaign.running.context is not campaign.context, "so that schedulers begin their walk anew"
    with Campaign(tmp_path, Source(Node()), every_runs=3, run_id="next") as again:
        complete_map(again)
        assert again.source.asked == []
        assert_true_map(again)


def test_a_rest_is_cooldown_of_the_canary_and_costs_budget(tmp_path: Path) -> None:
    node = Node(bad=lambda number, config: number in (2, 3))
    with Campaign(tmp_path, Source(node), every_runs=1) as campaign:
        campaign.execute(a=10)
        campaign.execute(a=20)
        outcome = campaign.execute(b=10)
        first, second = [one for one in campaign.stored if one.kind is EventKind.CANARY][:2]
        assert (first.verdict, second.verdict) == (OVERLOADED, OK)
        assert (first.cooldown_s, second.cooldown_s) == (0.0, REST_S)
        assert campaign.budget.spent_s == pytest.approx(2.0 * len(node.runs) + REST_S)
        assert (outcome.n_suspect, suspects(campaign)) == (1, [[("a", 20)]])
        assert campaign.executor.known.verdict([("a", 20)]) is None


def test_a_node_that_stays_bad_stops_the_campaign_and_what_it_said_is_suspect(tmp_path: Path) -> None:
    node = Node(bad=lambda number, config: number > 2)
    with Campaign(tmp_path, Source(node), every_runs=2, iterations=2) as campaign:
        campaign.execute(a=10)
        campaign.execute(a=20)
        with pytest.raises(CanaryError, match=r"^canary a 10 rps: it was OK before and is OVERLOADED now, 3 time"):
            campaign.execute(b=10)
        assert campaign.rests == [REST_S, REST_S]
        assert suspects(campaign) == [[("a", 20)], [("a", 20)]]
        assert len(canaries(campaign)) == 6, "an overloaded canary is run again before the node is called bad"
        assert len(node.runs) == 2 + 2 + 6
    still_bad = Source(Node(bad=lambda number, config: True))
    with Campaign(tmp_path, still_bad, every_runs=2, iterations=2, run_id="again") as campaign:
        with pytest.raises(CanaryError):
            campaign.execute(b=10)
        assert {config for (config,) in map(tuple, [one for one, _ in still_bad.asked])} == {("a", 10)}
    with Campaign(tmp_path, Source(Node()), every_runs=2, iterations=2, run_id="well") as campaign:
        complete_map(campaign)
        assert_true_map(campaign)


def test_a_single_overloaded_canary_is_outvoted_like_any_run(tmp_path: Path) -> None:
    node = Node(bad=lambda number, config: number == 7)
    with Campaign(tmp_path, Source(node), every_runs=3, iterations=3) as campaign:
        campaign.execute(a=10)
        campaign.execute(a=20)
        campaign.execute(a=30)
        assert canaries(campaign) == [OVERLOADED, OK, OK]
        assert not suspects(campaign)
        assert not campaign.rests


def test_an_invalid_canary_is_tried_again_and_is_no_failure(tmp_path: Path) -> None:
    node = Node(bad=lambda number, config: number in (3, 4), verdict_when_bad=INVALID)
    with Campaign(tmp_path, Source(node), every_runs=1) as campaign:
        for rate in (10, 20, 30):
            campaign.execute(a=rate)
        assert canaries(campaign) == [INVALID, INVALID, OK]
        assert not suspects(campaign)
        assert not campaign.rests
    node = Node(bad=lambda number, config: number >= 3, verdict_when_bad=INVALID)
    with Campaign(tmp_path / "other", Source(node), every_runs=1) as campaign:
        campaign.execute(a=10)
        campaign.execute(a=20)
        with pytest.raises(InvalidRunError, match="a 10 rps: 3 run"):
            campaign.execute(a=30)
        assert suspects(campaign) == []


def test_observers_are_told_what_became_suspect(tmp_path: Path) -> None:
    told: list[list[Config]] = []

    class Observer:
        def starting(self, config: Config, iteration: int) -> None: ...
        def measured(self, event: ExecutionEvent) -> None: ...
        def concluded(self, config: Config, verdict: Verdict, resolved: int) -> None: ...
        def suspected(self, marks: list[ExecutionEvent]) -> None:
            told.append([mark.config_pairs for mark in marks])

    node = Node(bad=lambda number, config: number in (2, 3))
    with Campaign(tmp_path, Source(node), every_runs=1, observers=(Observer(),)) as campaign:
        campaign.execute(a=10)
        campaign.execute(a=20)
        campaign.execute(b=10)
    assert told == [[[("a", 20)]]]


# Killed


@pytest.mark.parametrize("runs_before_kill", range(1, 30, 4))
def test_a_campaign_killed_after_any_run_still_knows_what_is_suspect(tmp_path: Path, runs_before_kill: int) -> None:
    """The process ends at the start of a run, as if it was killed: nothing is closed but the file."""
    node = Node(bad=until_two_canaries_failed(6, 15))

    def kill() -> None:
        if len(node.runs) == runs_before_kill:
            raise KilledError

    source = Source(node, before_run=kill)
    with Campaign(tmp_path, source, every_runs=4, dominance="within_sets") as campaign:
        try:
            complete_map(campaign)
        except KilledError:
            source.before_run = lambda: None
    with Campaign(tmp_path, source, every_runs=4, dominance="within_sets", run_id="next") as campaign:
        complete_map(campaign)
        assert_true_map(campaign)


def test_what_was_to_be_marked_when_the_process_was_killed_is_marked_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KilledError

    node = Node(bad=lambda number, config: number in (2, 3))
    with Campaign(tmp_path, Source(node), every_runs=1) as campaign:
        campaign.execute(a=10)
        campaign.execute(a=20)
        with monkeypatch.context() as patch:
            patch.setattr(type(campaign.memory), "ingest_marks", killed)
            with pytest.raises(KilledError):
                campaign.execute(b=10)
        assert suspects(campaign) == []
    with Campaign(tmp_path, Source(node), every_runs=1, run_id="next") as campaign:
        assert suspects(campaign) == [[("a", 20)]]
        assert sum('"kind": "suspect"' in line for line in campaign.artifact("events.jsonl")) == 1
        complete_map(campaign)
        assert_true_map(campaign)


# Contradictions


def leave_a_contradiction(folder: Path, iterations: int = 1) -> None:
    """Leave a one-sided campaign in which the node was well for a 30 and a 10, then bad for a 20."""
    node = Node(bad=lambda number, config: config == [("a", 20)])
    with Campaign(folder, Source(node), every_runs=100, iterations=iterations, run_id="first") as campaign:
        for rate in (30, 10, 20):
            campaign.execute(a=rate)


def test_the_unconfirmed_part_of_a_contradiction_is_suspect_and_measured_again_at_once(tmp_path: Path) -> None:
    leave_a_contradiction(tmp_path)
    with Campaign(tmp_path, Source(Node()), every_runs=100, dominance="two_sided", run_id="next") as campaign:
        known = campaign.executor.known
        assert suspects(campaign) == [[("a", 20)]], "a 10 was OK after a 30 was measured"
        assert [dispute.state for dispute in known.disputes()] == ["open"]
        campaign.running.run_due(np.random.default_rng(0))
        assert campaign.source.asked == [([("a", 20)], 1), ([("a", 20)], 2)], "twice, as any contradiction"
        assert known.verdict([("a", 20)]) is known.verdict([("a", 30)]) is OK
        complete_map(campaign)
        assert_true_map(campaign)


def test_the_history_that_an_agent_begins_with_has_what_was_due_and_no_suspect_label(tmp_path: Path) -> None:
    leave_a_contradiction(tmp_path)
    with Campaign(tmp_path, Source(Node()), every_runs=100, dominance="two_sided", run_id="next") as campaign:
        assert campaign.running.resume(np.random.default_rng(0)).n_runs == 2
        labels = [(run.config_pairs, run.verdict) for run in campaign.running.history if run.is_valid]
        assert labels == [([("a", 30)], OK), (A10, OK), ([("a", 20)], OK), ([("a", 20)], OK)]


def test_without_a_canary_a_contradiction_makes_nothing_suspect(tmp_path: Path) -> None:
    leave_a_contradiction(tmp_path)
    with Campaign(tmp_path, Source(Node()), dominance="two_sided", run_id="next") as campaign:
        campaign.running.run_due(np.random.default_rng(0))
        assert not campaign.source.asked
        assert not suspects(campaign)


@pytest.mark.parametrize("runs_before_kill", range(5))
def test_a_campaign_killed_in_a_contradiction_measures_it_again(tmp_path: Path, runs_before_kill: int) -> None:
    leave_a_contradiction(tmp_path, iterations=2)
    node = Node()

    def kill() -> None:
        if len(node.runs) == runs_before_kill:
            raise KilledError

    source = Source(node, before_run=kill)
    two_sided: dict[str, Any] = {"every_runs": 100, "iterations": 2, "dominance": "two_sided"}
    with Campaign(tmp_path, source, run_id="killed", **two_sided) as campaign, pytest.raises(KilledError):
        complete_map(campaign)
    source.before_run = lambda: None
    with Campaign(tmp_path, source, run_id="next", **two_sided) as campaign:
        assert suspects(campaign) == 2 * [[("a", 20)]]
        complete_map(campaign)
        assert_true_map(campaign)
        assert len([config for config in node.runs if config == [("a", 20)]]) >= 2


@pytest.mark.parametrize("seed", range(2))
def test_noise_at_the_frontier_makes_a_configuration_suspect_once_at_most(tmp_path: Path, seed: int) -> None:
    chance = np.random.default_rng(seed)

    def noise(config: Config, iteration: int) -> Verdict:
        return OVERLOADED if config != A10 and chance.random() < 0.5 else OK

    iterations = 2
    with Campaign(tmp_path, Source(noise), iterations=iterations, run_id="one-sided") as campaign:
        for index in chance.permutation(SPACE.n_configs)[:12]:
            campaign.running.execute(int(index), chance)
        campaign.execute(a=10)
    for start in range(2):
        with Campaign(
            tmp_path, Source(noise), every_runs=1000, dominance="two_sided", iterations=iterations, run_id=f"{start}"
        ) as campaign:
            known, n_steps = campaign.executor.known, 0
            campaign.running.run_due(chance)
            while campaign.running.ending is None:
                assert known.labels is not None
                unknown = (known.labels == 0).nonzero()[0]
                campaign.running.execute(int(chance.choice(unknown)), chance)
                n_steps += 1
            assert n_steps <= 2 * SPACE.n_configs
            assert all(suspects(campaign).count(config) <= 2 * iterations for config in suspects(campaign))
            assert differences(campaign) == []


# Adaptive repeats


def certain(_event: ExecutionEvent) -> bool:
    return True


def test_near_a_disagreement_adaptive_repeats_run_every_iteration(tmp_path: Path) -> None:
    def node(config: Config, iteration: int) -> Verdict:
        return (OVERLOADED, OK, OVERLOADED)[iteration] if config == [("a", 20)] else OK

    def is_certain(one: ExecutionEvent) -> bool:
        return one.config_pairs != [("a", 20)]

    with Campaign(tmp_path, Source(node), iterations=3, is_certain=is_certain) as campaign:
        assert campaign.execute(a=10).n_runs == 1
        assert campaign.execute(b=10).n_runs == 1
        outcome = campaign.execute(a=20)
        assert outcome.n_runs == 3 + 2, "a 10, its neighbour, is not final after one run any more"
        assert len(campaign.memory.ledger.verdicts((("a",), (10,)))) == 3
        assert len(campaign.memory.ledger.verdicts((("b",), (10,)))) == 1
        assert campaign.execute(a=10, b=10).n_runs == 1


def test_a_campaign_killed_near_a_disagreement_runs_the_missing_iterations_first(tmp_path: Path) -> None:
    def node(config: Config, iteration: int) -> Verdict:
        return (OVERLOADED, OK, OK)[iteration] if config == [("a", 20)] else OK

    def is_certain(one: ExecutionEvent) -> bool:
        return one.config_pairs != [("a", 20)]

    budget = Budget(runs=4)
    with Campaign(tmp_path, Source(node), iterations=3, is_certain=is_certain, budget=budget) as campaign:
        campaign.execute(a=10)
        campaign.execute(a=20)
        assert len(campaign.memory.ledger.verdicts((("a",), (10,)))) == 1
    with Campaign(tmp_path, Source(node), iterations=3, is_certain=is_certain, run_id="next") as campaign:
        assert campaign.running.run_due(np.random.default_rng(0)).n_runs == 2
        assert campaign.source.asked == [(A10, 1), (A10, 2)]


def test_a_finished_adaptive_campaign_stays_finished(tmp_path: Path) -> None:
    def node(config: Config, iteration: int) -> Verdict:
        return (OVERLOADED, OK, OK)[iteration] if config == [("a", 20)] else OK

    def is_certain(one: ExecutionEvent) -> bool:
        return one.config_pairs != [("a", 20)]

    with Campaign(tmp_path, Source(node), iterations=1) as campaign:
        campaign.execute(a=10)
    with Campaign(
        tmp_path, Source(node), iterations=3, is_certain=is_certain, run_id="older", budget=Budget(runs=3)
    ) as campaign:
        campaign.execute(a=20)
        campaign.running.end(EndStatus.COMPLETE)
    with Campaign(tmp_path, Source(node), iterations=3, is_certain=is_certain, run_id="next") as campaign:
        assert campaign.running.run_due(np.random.default_rng(0)).n_runs == 0


# The configuration


def test_its_keys_are_off_by_default_and_must_be_positive() -> None:
    assert not parse_config({}).canary.is_on
    assert parse_config({"canary": {"every_runs": 25}}).canary.is_on
    assert parse_config({"canary": {"every_minutes": 0.5}}).canary.is_on
    with pytest.raises(ConfigError, match=r"canary\.every_runs"):
        parse_config({"canary": {"every_runs": 0}})
    with pytest.raises(ConfigError, match=r"canary\.every_minutes"):
        parse_config({"canary": {"every_minutes": 0}})
