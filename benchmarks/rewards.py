"""What each reward pays honest agents and others, as ``docs/explanation/rewards.md`` has it.

``python -m benchmarks rewards`` plays on the shipped recording and on simulated nodes;
``python -m benchmarks.rewards --data FOLDER`` on recordings of yours. ``benchmarks.rewards_teach`` trains with them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from peva_agents.arena import part_seeds
from peva_agents.bisection import BisectionAgent
from peva_agents.cartesian import CartesianAgent
from peva_agents.learnt import LearntAgent
from peva_agents.loop import run_campaign
from peva_agents.uniform import UniformAgent
from peva_env.campaign import OfflineSetup, replay_setup, simulated_setup, true_labels
from peva_env.config import DfaasConfig
from peva_env.contracts import Agent, CampaignView
from peva_env.env import PevaEnv
from peva_env.objectives import ILLEGAL_REWARD, Step, make_objective
from peva_env.space import ConfigSpace

BUDGET_RUNS = 64
_HONEST_RUNS = 16
"""Runs after which an agent stops measuring."""

_REWARDS = ("frontier", "early", "seconds", "right", "goodput")

type Act = Callable[[NDArray[np.int64], int], int | None]
"""Returns an action, given the known configurations and the number of the step."""

_INSTEAD: Mapping[str, Act] = {
    "stalls": lambda known, _: int(known[0]),
    "alternates": lambda known, step: int(known[[0, -1][step % 2]]),
    "stops": lambda _known, _step: None,
}


class Ending:
    """Bisects for some runs, and does something else then."""

    dominance = "within_sets"

    def __init__(self, name: str, then: Act, config: DfaasConfig) -> None:
        self.name, self._then = name, then
        self._bisection, self._n_runs, self._n_steps = BisectionAgent(config), 0, 0

    def begin(self, campaign: CampaignView) -> None:
        """Begin to bisect."""
        self._bisection.begin(campaign)

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any:
        """Return the next action."""
        self._n_runs += info["n_runs"]
        self._n_steps += 1
        if self._n_runs < _HONEST_RUNS:
            return self._bisection.act(observation, info)
        return self._then(np.flatnonzero(info["action_mask"] == 0), self._n_steps)


class Blind:
    """Asks for any configuration, known or not."""

    name, dominance = "any action", "within_sets"

    def __init__(self, config: DfaasConfig) -> None:
        self._rng = np.random.default_rng(config.seed)

    def begin(self, campaign: CampaignView) -> None:
        """Nothing is needed."""

    def act(self, observation: Any, info: Mapping[str, Any]) -> Any:  # noqa: ARG002
        """Return a random action."""
        return int(self._rng.integers(len(info["action_mask"])))


_AGENTS: Mapping[str, Callable[[DfaasConfig], Agent]] = {
    "learnt": LearntAgent,
    "bisection": BisectionAgent,
    "uniform": UniformAgent,
    "cartesian": CartesianAgent,
    **{
        f"bisection for {_HONEST_RUNS} runs, then {name}": partial(Ending, name, then)
        for name, then in _INSTEAD.items()
    },
    "any action, known or not": Blind,
}


@dataclass
class Purse:
    """Pays nothing, and counts what each reward would have paid in one episode, and how that of ``-v0`` would."""

    space: ConfigSpace
    limit_s: float
    paid: dict[str, float] = field(default_factory=dict)
    cost_s: float = 0.0

    def __post_init__(self) -> None:
        arguments = {"seconds": {"limit_s": self.limit_s}}
        self._objectives = {name: make_objective(name, arguments.get(name, {}), self.space) for name in _REWARDS}
        self._memos = {name: np.zeros(1) for name in _REWARDS}

    def reward(self, step: Step, memo: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ARG002
        """Count, and return 0."""
        for name, objective in self._objectives.items():
            self.paid[name] = self.paid.get(name, 0.0) + float(objective.reward(step, self._memos[name])[0])
        self.cost_s += float(step.cost_s[0])
        first = float(step.resolved[0]) - 1 / BUDGET_RUNS if step.ran[0] else ILLEGAL_REWARD * float(step.index[0] >= 0)
        self.paid["frontier of -v0"] = self.paid.get("frontier of -v0", 0.0) + first
        return np.zeros(1)


def main() -> None:
    """Play on the shipped recording and on simulated nodes."""
    compare()


def compare(
    data: Annotated[list[str], typer.Option(help="Recordings: folders of core Parquet.")] = ["local-node-v1"],  # noqa: B006
    scenarios: Annotated[list[str] | None, typer.Option(help="Only the maps whose names begin so.")] = None,
    seeds: Annotated[int, typer.Option(help="Episodes of each map.")] = 10,
    nodes: Annotated[int, typer.Option(help="Simulated nodes.")] = 50,
) -> None:
    """Print a table for the recorded maps, and one for simulated nodes."""
    shared: dict[str, Any] = {"budget_runs": BUDGET_RUNS}
    print(f"recorded: {', '.join(data)}\n")
    _table(replay_setup(data, scenarios=scenarios, **shared), range(seeds))
    print("\nsimulated: random nodes\n")
    _table(simulated_setup("random", **shared), part_seeds("test", nodes, 0))


def _table(setup: OfflineSetup, seeds: Sequence[int]) -> None:
    returns = (*_REWARDS, "frontier of -v0")
    print(f"| | resolved | accuracy | runs | seconds | {' | '.join(returns)} |\n|---|{'---:|' * (4 + len(returns))}")
    for name, make in _AGENTS.items():
        plays = [_play(setup, make, seed, number) for number in range(len(setup.world.scenarios)) for seed in seeds]
        mean = {key: np.mean([play[key] for play in plays]) for key in plays[0]}
        shares = f"{mean['resolved']:.1%} | {mean['accuracy']:.1%} | {mean['runs']:.1f} | {mean['machine_s']:,.0f}"
        print(f"| {name} | {shares} | {' | '.join(f'{mean[key]:+.3f}' for key in returns)} |", flush=True)


def _play(setup: OfflineSetup, make: Callable[[DfaasConfig], Agent], seed: int, scenario: int) -> Mapping[str, float]:
    agent = make(DfaasConfig(seed=seed))
    campaigns = setup.campaigns(agent.dominance)  # type: ignore[arg-type]
    purse = Purse(setup.world.space(scenario), limit_s=BUDGET_RUNS * _mean_cost_s(setup, scenario))
    env = PevaEnv(campaigns, purse)
    result = run_campaign(env, agent, seed=seed, options={"scenario": setup.world.scenarios[scenario]})
    truth, labels = true_labels(setup.world, seed, scenario), env.known.labels
    assert labels is not None
    return {
        **purse.paid,
        "resolved": 1 - env.known.n_unknown / env.known.n_configs,
        "accuracy": np.count_nonzero((labels == truth) & (truth != 0)) / env.known.n_configs,
        "runs": result.n_runs,
        "machine_s": purse.cost_s,
    }


def _mean_cost_s(setup: OfflineSetup, scenario: int) -> float:
    """Return the mean machine time of a run, so that ``seconds`` charges a mean campaign as ``frontier`` does."""
    episode = setup.world.begin(np.zeros(1, np.uint64), np.array([scenario]))
    cost_s = episode.outcomes(np.arange(setup.world.space(scenario).n_configs)).cost_s
    return float(cost_s[setup.world.recorded(np.array([scenario]))[0]].mean())


if __name__ == "__main__":
    typer.run(compare)
