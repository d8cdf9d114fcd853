"""Fifty campaigns killed at random moments: one goes on where the last was cut off, and nothing is lost or done twice.

The node is scripted, so that a run takes milliseconds and the kills fall on everything in between. ``test_crash.py``
does the like to the store alone, ``test_faults.py`` to campaigns with a real k6 and a real node.
"""

import csv
import json
import random
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import duckdb
import pytest

from peva_agents.cartesian import CartesianAgent
from peva_agents.loop import CampaignResult, run_campaign
from peva_env.config import parse_config
from peva_env.contracts import EndStatus, ExecutionEvent
from peva_env.env import PevaEnv
from peva_env.space import Config, ConfigSpace
from tests.support.forkserver import PROCESSES
from tests.support.scripted import ScriptedHost

FOLDERS, KILLS_A_FOLDER = 3, 10
ITERATIONS = 2
RUN_S = 0.005
LONGEST_LIFE_S = 0.25
RATES = list(range(10, 110, 10))
CAPACITY_RPS = {"a": 80, "b": 60}


class Told:
    """Tells of each run when the campaign says that it is stored."""

    def __init__(self, told: Connection) -> None:
        self._told = told

    def starting(self, config: Config, iteration: int) -> None: ...

    def measured(self, event: ExecutionEvent) -> None:
        self._told.send(event.event_key[:2])

    def concluded(self, config: Config, verdict: Any, resolved: int) -> None: ...


def campaign(folder: str, told: Connection | None = None) -> CampaignResult:
    space = ConfigSpace({"a": RATES, "b": RATES}, min_functions=1, max_functions=3)
    host = ScriptedHost(space, CAPACITY_RPS, Path(folder), iterations=ITERATIONS)
    measure = host.source.measure

    def measure_for_a_while(*args: Any, **options: Any) -> ExecutionEvent:
        time.sleep(RUN_S)
        return measure(*args, **options)

    env = PevaEnv(host)
    if told:
        host.source.measure = measure_for_a_while  # type: ignore[method-assign]
        env.observer = Told(told)
        told.send("begun")
    try:
        return run_campaign(env, CartesianAgent(parse_config({})), seed=1, options={"warm_start": True})
    finally:
        env.close()


def live_and_die(folder: Path, chance: random.Random) -> list[tuple[str, int]]:
    """Let a campaign go on for a random while, kill it for real, and return the runs that it told of."""
    ours, its = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=campaign, args=(str(folder), its))
    process.start()
    its.close()
    assert ours.recv() == "begun"
    if chance.random() < 0.7:  # the others are killed as they open the memory, or catch up with what was cut off
        ours.poll(60)
    time.sleep(chance.uniform(0, LONGEST_LIFE_S))
    process.kill()
    process.join()
    told = []
    try:
        while True:
            told.append(ours.recv())
    except EOFError:
        return told


def rows(folder: Path, name: str, delimiter: str = ",") -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


@pytest.mark.parametrize("seed", range(FOLDERS))
def test_a_campaign_that_is_killed_again_and_again_measures_everything_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    told: list[tuple[str, int]] = []
    for _ in range(KILLS_A_FOLDER):
        told += live_and_die(tmp_path, chance)
    assert told, "no campaign lived long enough to measure anything"
    assert campaign(str(tmp_path)).status is EndStatus.COMPLETE

    with duckdb.connect(str(tmp_path / "m.duckdb")) as memory:
        ask = memory.execute
        measured = ask("SELECT config_id, iteration FROM execution_events WHERE kind = 'measured'").fetchall()
        skipped = ask("SELECT config_id FROM execution_events WHERE kind = 'skipped'").fetchall()
        assert ask("SELECT DISTINCT status FROM run_sessions").fetchall() == [("complete",)]
    assert len(set(told)) == len(told), "a run that was told of was done again"
    assert set(told) <= set(measured)
    assert set(Counter(config_id for config_id, _ in measured).values()) == {ITERATIONS}
    n_configs = len(measured) // ITERATIONS
    assert n_configs + len(set(skipped)) == 2 * len(RATES) + len(RATES) ** 2
    assert len(set(skipped)) == len(skipped)

    assert len(rows(tmp_path, "results.csv")) == len(measured)
    assert len(rows(tmp_path, "skipped.csv")) == len(skipped)
    assert len(rows(tmp_path, "index.csv", ";")) == n_configs
    assert len(list(map(json.loads, (tmp_path / "events.jsonl").read_text().splitlines()))) == len(measured)
