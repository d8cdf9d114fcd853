"""The components that come with the package meet the suites that third parties are given."""

import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from peva_agents.bandit import BanditAgent, BanditPolicy
from peva_agents.bisection import BisectionAgent, BisectionPolicy
from peva_agents.cartesian import CartesianAgent
from peva_agents.learnt import LearntAgent, LearntPolicy, TransferAgent
from peva_agents.level_set import LevelSetAgent, LevelSetPolicy
from peva_agents.policy_agent import CustomAgent
from peva_agents.sb3 import SB3Agent
from peva_agents.staircase import StaircaseAgent, StaircasePolicy
from peva_agents.uniform import UniformAgent, UniformPolicy
from peva_env import datasets
from peva_env.campaign import SomeScenarios
from peva_env.contracts import Agent, ExecutionEvent, MeasurementSource, MemoryEngine, PolicyAlgorithm
from peva_env.env import PevaEnv
from peva_env.make import make_sim_env
from peva_env.memory import DuckDBMemoryStore, InProcessMemoryEngine, RunLedger
from peva_env.memory.parquet import Recording, load_recording
from peva_env.planning import NoOpPolicy
from peva_env.sources import RepeatedWorld, UnitedWorld
from peva_env.sources.replay import ReplayWorld
from peva_env.sources.simulated import SimulatedWorld
from peva_env.space import Config
from peva_env.testing import (
    AgentContract,
    LedgerContract,
    MemoryContract,
    PolicyContract,
    SourceContract,
    WorldContract,
)
from tests.support.builders import session
from tests.support.engines import make_engine
from tests.support.scripted import ScriptedSource


@cache
def recording() -> Recording:
    """Return the recording that ships, read once; each world arranges it anew."""
    return load_recording(datasets.load("local-node-v1"))


@cache
def replayed(**overload: int) -> ReplayWorld:
    """Return the world of that recording, read once, for worlds that are made of it."""
    return ReplayWorld(recording(), overload=overload or None)


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
        return replayed().source(2**63 + 1, 0)

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


class TestLevelSetPolicy(PolicyContract):
    def make(self) -> PolicyAlgorithm:
        return LevelSetPolicy()


class TestLearntPolicy(PolicyContract):
    def make(self) -> PolicyAlgorithm:
        return LearntPolicy()


class TestCartesianAgent(AgentContract):
    def make(self) -> Agent:
        return CartesianAgent()


class TestUniformAgent(AgentContract):
    def make(self) -> Agent:
        return UniformAgent()


class TestBisectionAgent(AgentContract):
    def make(self) -> Agent:
        return BisectionAgent()


class TestStaircaseAgent(AgentContract):
    def make(self) -> Agent:
        return StaircaseAgent()


class TestBanditAgent(AgentContract):
    def make(self) -> Agent:
        return BanditAgent()


class TestLevelSetAgent(AgentContract):
    def make(self) -> Agent:
        return LevelSetAgent()


class TestLearntAgent(AgentContract):
    def make(self) -> Agent:
        return LearntAgent()


class TestTransferAgent(AgentContract):
    def make(self) -> Agent:
        return TransferAgent()


class TestCustomAgent(AgentContract):
    def make(self) -> Agent:
        return CustomAgent(entrypoint="tests.fixtures.custom_algo:CustomPolicy")


FETCH_RPS = {"fetch": [40, 80, 150, 220]}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny training."""
    pytest.importorskip("sb3_contrib", reason="needs the `train` extra")
    from peva_agents.training import train

    given = {"sim": "local", "rates_rps": FETCH_RPS, "total_steps": 64, "n_envs": 4, "budget_runs": 4}
    given |= {"hyperparameters": {"n_steps": 16, "net_arch": [16]}, "validation_episodes": 2, "evaluation_episodes": 2}
    return train(given, console=Console(quiet=True), out=tmp_path_factory.mktemp("sb3") / "out")


@pytest.mark.train
class TestSB3Agent(AgentContract):
    @pytest.fixture(autouse=True)
    def _trained(self, trained: Path) -> None:
        self.folder = trained

    def make(self) -> Agent:
        return SB3Agent(path=self.folder / "model.zip")

    def env(self, dominance: str) -> PevaEnv:
        env: PevaEnv = make_sim_env("local", rates_rps=FETCH_RPS, dominance=dominance, budget_runs=4)
        return env


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
        return ReplayWorld(recording())


class TestRepeatedWorld(WorldContract):
    def make(self) -> RepeatedWorld:
        return RepeatedWorld(replayed(), 3)


class TestUnitedWorld(WorldContract):
    def make(self) -> UnitedWorld:
        return UnitedWorld({"strict": replayed(p95_ms_max=30), "loose": replayed(p95_ms_max=60)})


class TestSomeScenarios(WorldContract):
    def make(self) -> SomeScenarios:
        return SomeScenarios(replayed(), replayed().scenarios[:1])
