"""The components that come with the package meet the suites that third parties are given."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from peva_agents.bandit import BanditPolicy
from peva_agents.bisection import BisectionPolicy
from peva_agents.level_set import LevelSetPolicy
from peva_agents.staircase import StaircasePolicy
from peva_agents.uniform import UniformPolicy
from peva_env import datasets
from peva_env.campaign import SomeScenarios
from peva_env.contracts import ExecutionEvent, MeasurementSource, MemoryEngine, PolicyAlgorithm
from peva_env.memory import DuckDBMemoryStore, InProcessMemoryEngine, RunLedger
from peva_env.planning import NoOpPolicy
from peva_env.sources import RepeatedWorld
from peva_env.sources.replay import ReplayWorld
from peva_env.sources.simulated import SimulatedWorld
from peva_env.space import Config
from peva_env.testing import LedgerContract, MemoryContract, PolicyContract, SourceContract, WorldContract
from tests.support.builders import session
from tests.support.engines import make_engine
from tests.support.extras import needs_sklearn
from tests.support.scripted import ScriptedSource


class TestMemoryInAFile(MemoryContract):
    def make(self, folder: Path, policy: PolicyAlgorithm, **settings: Any) -> MemoryEngine:
        engine = make_engine(DuckDBMemoryStore(self.path(folder)), **settings)
        engine.startup()
        engine.open_session(session("contract-run", context_hash="contract"))
        engine.attach_policy(policy, agent="contract")
        return engine

    def path(self, folder: Path) -> str:
        return str(folder / "memory.duckdb")

    def stored(self, engine: MemoryEngine) -> list[ExecutionEvent]:
        assert isinstance(engine, InProcessMemoryEngine)
        return engine.store.events("contract")

    def close(self, engine: MemoryEngine) -> None:
        assert isinstance(engine, InProcessMemoryEngine)
        engine.close()


class TestMemoryInMemory(TestMemoryInAFile):
    persistent = False

    def path(self, folder: Path) -> str:
        return ":memory:"


class TestScriptedSource(SourceContract):
    deterministic = True

    def make(self) -> MeasurementSource:
        return ScriptedSource({"a": 20, "b": 30})

    def configs(self) -> Sequence[Config]:
        return [[("a", 10)], [("a", 20), ("b", 40)], [("a", 0), ("b", 30)]]


class TestSimulatedSource(SourceContract):
    deterministic = True

    def make(self) -> MeasurementSource:
        return SimulatedWorld({"a": range(0, 201, 10), "b": range(0, 201, 10)}, "random").source(7)

    def configs(self) -> Sequence[Config]:
        return [[("a", 10)], [("b", 0)], [("a", 20), ("b", 40)], [("a", 0), ("b", 30)], [("a", 200), ("b", 200)]]


class TestReplaySource(SourceContract):
    deterministic = True

    def make(self) -> MeasurementSource:
        return ReplayWorld(datasets.load("local-node-v1")).source(2**63 + 1, 0)

    def configs(self) -> Sequence[Config]:
        return [[("checkout", 20)], [("primes", 165)], [("checkout", 160), ("primes", 165)], [("checkout", 240)]]


class TestNoOpPolicy(PolicyContract):
    def make(self) -> PolicyAlgorithm:
        return NoOpPolicy()


class TestUniformPolicy(PolicyContract):
    def make(self) -> PolicyAlgorithm:
        return UniformPolicy()


class TestBisectionPolicy(PolicyContract):
    def make(self) -> PolicyAlgorithm:
        return BisectionPolicy()


class TestStaircasePolicy(PolicyContract):
    def make(self) -> PolicyAlgorithm:
        return StaircasePolicy()


class TestBanditPolicy(PolicyContract):
    def make(self) -> PolicyAlgorithm:
        return BanditPolicy()


@needs_sklearn
class TestLevelSetPolicy(PolicyContract):
    def make(self) -> PolicyAlgorithm:
        return LevelSetPolicy()


class Forgetful(NoOpPolicy):
    """Chooses what nobody offered."""

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Sequence[Config]:
        return [[("unheard of", 1)]]


def test_a_suite_fails_for_a_component_that_breaks_its_contract() -> None:
    class Broken(PolicyContract):
        def make(self) -> PolicyAlgorithm:
            return Forgetful()

    with pytest.raises(AssertionError):
        Broken().test_it_chooses_among_the_candidates_each_once_and_no_more_than_asked_for()


def test_importing_the_suites_does_not_import_pytest() -> None:
    code = "import sys, peva_env.testing; assert 'pytest' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


class TestRunLedger(LedgerContract):
    def make(self, iterations: int) -> RunLedger:
        return RunLedger(iterations)


class TestSimulatedWorld(WorldContract):
    def make(self) -> SimulatedWorld:
        return SimulatedWorld({"a": [0, 50, 100, 400], "b": [0, 50, 200]}, "random", noise=0.1, min_functions=1)


class TestReplayWorld(WorldContract):
    def make(self) -> ReplayWorld:
        return ReplayWorld(datasets.load("local-node-v1"))


class TestRepeatedWorld(WorldContract):
    def make(self) -> RepeatedWorld:
        return RepeatedWorld(ReplayWorld(datasets.load("local-node-v1")), 3)


class TestSomeScenarios(WorldContract):
    def make(self) -> SomeScenarios:
        world = ReplayWorld(datasets.load("local-node-v1"))
        return SomeScenarios(world, world.scenarios[:1])
