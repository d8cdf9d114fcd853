"""A map over turns gives the same results on processes and on Ray, to the bit."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from peva_agents.arena import arena
from peva_agents.training.learnt import round_of_examples
from peva_agents.turns import ProcessTurns, RayTurns, Turns, turns
from peva_env.errors import ConfigError, PevaError, PolicyError
from tests.support.raylets import raylets
from tests.support.turns import Counter, dies, fails, power

ARENA = {"sim": "random:3", "agents": ["learnt"], "budgets": [3, 9], "max_runs": 12, "noise": 0.05}


def check_hosting(on: Turns) -> None:
    """Check that hosted objects keep their state, answer in order, and that their errors are told."""
    with on.hosting(Counter, [(0,), (10,), (20,)]) as counters:
        first, second = ([counter.ask("add", n) for counter in counters] for n in (1, 2))
        assert [answer() for answer in reversed(second)] == [(23, "1"), (13, "1"), (3, "1")]
        assert [answer() for answer in first] == [(1, "1"), (11, "1"), (21, "1")]
        with pytest.raises(PolicyError, match=r"^the counter has no idea$"):
            counters[0].ask("fail")()
        assert counters[0].ask("add", 1)() == (4, "1")
        with pytest.raises(PevaError, match=r"killed|died"):
            counters[1].ask("die")()
    with pytest.raises(KeyboardInterrupt):
        interrupt_while_a_large_answer_comes(on)
    with on.hosting(Counter, []) as nothing:
        assert nothing == []


def interrupt_while_a_large_answer_comes(on: Turns) -> None:
    with on.hosting(Counter, [(0,), (1,), (2,)]) as counters:
        answers = [counter.ask("large", 2**22) for counter in counters]
        assert len(answers[2]()) == 2**22
        counters[0].ask("large", 2**25)
        raise KeyboardInterrupt


def check_contract(on: Turns) -> None:
    assert sorted(on.map(power, [(2, n) for n in range(20)])) == [(n, (2**n, "1")) for n in range(20)]
    assert list(on.map(power, [])) == []
    with pytest.raises(PolicyError, match=r"^the policy has no idea$"):
        list(on.map(fails, [(1,), (2,)]))
    with pytest.raises(PevaError, match=r"killed|died"):
        list(on.map(dies, [(1,)]))
    first = on.map(power, [(2, n) for n in range(100)])
    next(first)
    first.close()
    check_hosting(on)


def test_processes_start_where_a_file_has_the_name_of_a_module_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pickle", "re", "signal", "types"):
        Path(f"{name}.py").write_text("raise SystemExit")
    assert list(ProcessTurns(1).map(power, [(2, 3)])) == [(0, (8, "1"))]
    with ProcessTurns(1).hosting(Counter, [(1,)]) as (counter,):
        assert counter.ask("add", 1)() == (2, "1")


def test_turns_on_processes_keep_the_contract() -> None:
    check_contract(ProcessTurns(2))


def test_processes_and_ray_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match=r"--jobs 2 is for processes of this machine"):
        turns(jobs=2, ray="auto")


@pytest.fixture(scope="module")
def address() -> Iterator[Any]:
    pytest.importorskip("ray", reason="needs the `ray` extra")
    with raylets({}, {}) as cluster:
        yield cluster.address


@pytest.mark.ray
@pytest.mark.timeout(180)
def test_turns_on_ray_keep_the_contract(address: str) -> None:
    check_contract(RayTurns(address))


@pytest.mark.ray
@pytest.mark.timeout(240)
def test_the_arena_is_the_same_on_ray_and_on_processes(address: str, tmp_path: Path) -> None:
    results = []
    for name, where in (("ray", {"ray": address}), ("processes", {"jobs": 2})):
        with Path(os.devnull).open("w") as nowhere:
            arena(ARENA, console=Console(file=nowhere), out=tmp_path / name, **where)
        records = sorted((tmp_path / name / "results.jsonl").read_text().splitlines())
        results.append((records, (tmp_path / name / "summary.json").read_text()))
    assert results[0] == results[1]
    assert len(results[0][0]) == 12


@pytest.mark.ray
@pytest.mark.timeout(240)
def test_examples_are_the_same_on_ray_and_on_processes(address: str) -> None:
    both = [
        round_of_examples(on, (), (), 2, networks=None, first_seed=7) for on in (RayTurns(address), ProcessTurns(2))
    ]
    assert len(both[0]) == len(both[1]) > 0
    for one, other in zip(*both, strict=True):
        np.testing.assert_array_equal(one.features, other.features)
        np.testing.assert_array_equal(one.overloaded, other.overloaded)
