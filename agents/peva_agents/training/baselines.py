"""Whether the best model beats the baselines on the validation episodes, on which it was chosen."""

from collections.abc import Mapping

import numpy as np

from peva_agents.bisection import BisectionAgent
from peva_agents.loop import run_campaign
from peva_agents.training.evaluation import MakeAgent
from peva_agents.training.validation import shared_out
from peva_agents.training.worlds import TrainingWorlds
from peva_agents.uniform import UniformAgent
from peva_env.config import DfaasConfig

_BASELINES: Mapping[str, MakeAgent] = {"uniform": UniformAgent, "bisection": BisectionAgent}


def validation_verdict(best: float, worlds: TrainingWorlds, n_episodes: int) -> str:
    """Return a line that tells whether ``best``, the return of the best model on validation, is above the baselines'.

    The best model is the best of 30 on these episodes, which flatters it; the baselines play them once.
    """
    found = {name: _mean_return(make_agent, worlds, n_episodes) for name, make_agent in _BASELINES.items()}
    figures = f"best model {best:.3f}, " + ", ".join(f"{name} {mean:.3f}" for name, mean in found.items())
    ahead = [name for name, mean in found.items() if not best > mean]
    if not ahead:
        return f"mean return on validation: {figures}"
    best_of = max(found, key=lambda name: found[name])
    return (
        f"the best model does not beat {' and '.join(ahead)} on validation ({figures}): "
        f"train longer, or use --agent {best_of}"
    )


def _mean_return(make_agent: MakeAgent, worlds: TrainingWorlds, n_episodes: int) -> float:
    returns = []
    for number, (_, seeds) in enumerate(shared_out(worlds, worlds.seeds("validation", n_episodes))):
        env = worlds.single("validation", number=number)
        for seed in seeds:
            returns.append(run_campaign(env, make_agent(DfaasConfig(seed=seed)), seed=seed).total_reward)
    return float(np.mean(returns))
