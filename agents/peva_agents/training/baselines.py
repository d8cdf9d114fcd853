"""Whether the best model beats the baselines on the validation episodes, on which it was chosen."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from peva_agents.bisection import BisectionAgent
from peva_agents.loop import run_campaign
from peva_agents.training.evaluation import MakeAgent
from peva_agents.training.validation import shared_out
from peva_agents.training.worlds import TrainingWorlds, worlds_of
from peva_agents.uniform import UniformAgent
from peva_env.config import DfaasConfig
from peva_env.config.offline import TrainingConfig

_BASELINES: Mapping[str, MakeAgent] = {"uniform": UniformAgent, "bisection": BisectionAgent}


def validation_tasks(config: TrainingConfig, worlds: TrainingWorlds) -> list[tuple[Any, ...]]:
    """Return the tasks of ``validation_return``: each baseline plays the validation episodes."""
    settings, n_episodes = config.model_dump_json(), config.validation_episodes
    shares = shared_out(worlds.seeds("validation", n_episodes), worlds.sizes("validation", n_episodes))
    return [
        (settings, make_agent, number, seed)
        for make_agent in _BASELINES.values()
        for number, seeds in enumerate(shares)
        for seed in seeds
    ]


def validation_return(settings: str, make_agent: MakeAgent, number: int, seed: int) -> float:
    """Return the return of an agent's episode."""
    env = worlds_of(settings).single("validation", number=number)
    return run_campaign(env, make_agent(DfaasConfig(seed=seed)), seed=seed).total_reward


def validation_verdict(best: float, returns: Sequence[float]) -> str:
    """Return a line that tells whether the return of the best model on validation is above those of the baselines.

    The best model is the best of 30 on these episodes, which flatters it; the baselines play them once.

    Args:
        best: the return of the best model.
        returns: the results of ``validation_tasks``.
    """
    means = np.reshape(returns, (len(_BASELINES), -1)).mean(axis=1).tolist()
    found = dict(zip(_BASELINES, means, strict=True))
    figures = f"best model {best:.3f}, " + ", ".join(f"{name} {mean:.3f}" for name, mean in found.items())
    ahead = [name for name, mean in found.items() if not best > mean]
    if not ahead:
        return f"mean return on validation: {figures}"
    best_of = max(found, key=lambda name: found[name])
    return (
        f"the best model does not beat {' and '.join(ahead)} on validation ({figures}): "
        f"train longer, or use --agent {best_of}"
    )
