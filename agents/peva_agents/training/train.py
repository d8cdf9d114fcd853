"""Training on offline environments: ``peva-env train``.

A training writes into its folder ``model.zip``, the model at the end, and ``best_model.zip``, the model of the highest
return on the validation episodes; ``checkpoints/``, ``config.json``, ``learning_curve.csv`` and ``tensorboard/``; and
the comparison of the best model with the baselines, ``evaluation.md`` and ``evaluation.json``. A model's file
also holds the settings and versions of its training.
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from peva_agents.arena import PARTS, Part
from peva_agents.models import (
    MAP_VIEW,
    candidate_view,
    one_thread,
    require_sb3,
    restore,
    save,
    signature,
    signature_text,
)
from peva_agents.sb3 import SB3Agent
from peva_agents.training.baselines import validation_return, validation_tasks, validation_verdict
from peva_agents.training.cloning import require_start, start
from peva_agents.training.config import parse_training, sized_for, versions
from peva_agents.training.evaluation import MakeAgent, evaluation_episode, evaluation_rows, evaluation_tasks
from peva_agents.training.evaluation_table import markdown, print_tables
from peva_agents.training.folder import begin_folder, require_usable, resumed_config
from peva_agents.training.hyperparameters import build, hyperparameters
from peva_agents.training.learning_curve import LearningCurve
from peva_agents.training.side_by_side import side_by_side
from peva_agents.training.worlds import TrainingWorlds, training_worlds
from peva_agents.turns import Turns, in_order, turns
from peva_env.config.offline import TrainingConfig
from peva_env.console import offer
from peva_env.errors import ConfigError
from peva_env.system import command_text, write_text
from peva_env.views import CANDIDATES, DEFAULT_K

DEFAULT_OUT = Path("peva-training")


def train(
    given: Mapping[str, Any],
    *,
    console: Console,
    out: Path | None = None,
    resume: Path | None = None,
    jobs: int | None = None,
    ray: str | None = None,
) -> Path:
    """Train a model and compare it with the baselines; return the folder of the training.

    Args:
        given: settings, see ``peva_env.config.offline.TrainingConfig``; the others have defaults.
        console: where to show progress and the comparison.
        out: the folder of a new training.
        resume: the folder of a stopped training, which goes on from its last checkpoint; settings that are given must
            be those that it was begun with.
        jobs: processes that play episodes; the number of cores by default. The results do not depend on it.
        ray: a Ray cluster whose workers play instead: ``auto``, ``local`` or HOST:PORT.

    Raises:
        ConfigError: a setting cannot be used, a package that training needs is not installed, or both ``jobs`` and
            ``ray`` are given.
        MemoryStoreError: a recording cannot be read.
    """
    require_sb3()
    players = turns(jobs=jobs, ray=ray)
    if resume is not None and out not in (None, resume):
        raise ConfigError(f"--resume {resume} goes on in its own folder; leave --out out")
    config = resumed_config(resume, given) if resume else parse_training(given)
    if resume:
        require_usable(resume)
    worlds = training_worlds(config)
    if resume is None:  # a training goes on without what it began with
        require_start(config, worlds)
    config = sized_for(config, worlds.space, len(worlds.spaces))
    one_thread()
    described = {
        "config": config.model_dump(mode="json"),
        "view": candidate_view(DEFAULT_K) if config.view == CANDIDATES else MAP_VIEW,
        "space": signature(worlds.space),
        "spaces": [signature(space) for space in worlds.spaces],
        "versions": versions(),
        "scenarios": {part: list(worlds.scenarios(part)) for part in PARTS},
        "net_arch": hyperparameters(config, worlds.space)["net_arch"],
    }
    folder = resume or out or DEFAULT_OUT
    training = Training(config, worlds, folder, console, described, players)
    training.announce()
    players.require_workers()
    if resume is None:
        begin_folder(folder, described)
    training.learn()
    training.compare()
    return folder


class Training:
    """One training in its folder."""

    def __init__(
        self,
        config: TrainingConfig,
        worlds: TrainingWorlds,
        folder: Path,
        console: Console,
        described: Mapping[str, Any],
        players: Turns,
    ) -> None:
        self.folder = folder
        self._config = config
        self._worlds = worlds
        self._console = console
        self._described = described
        self._players = players
        self._total_steps = config.total_steps or 0
        self._model = build(config, worlds.learning_env(config.n_envs or 1), worlds.space, folder / "tensorboard")

    def announce(self) -> None:
        """Print the algorithm, the space, and the scenarios of each part."""
        config = self._config
        for space in self._worlds.spaces:
            self._say(f"{config.algo} on {signature_text(signature(space))}, {config.budget_runs} runs an episode")
        if config.view == CANDIDATES:
            self._say(
                f"  sees {DEFAULT_K} candidates of each map, so that it plays on any space; --view map: all of it"
            )
        for part in PARTS if config.data else ():
            self._say(f"  {part}: {', '.join(self._worlds.scenarios(part))}")
        if self._worlds.note:
            self._say(f"  {self._worlds.note}")

    def learn(self) -> None:
        """Learn until all steps are done; begin at the last checkpoint if there is one."""
        from peva_agents.training.callbacks import checkpoints

        last = checkpoints(self.folder)[-1:]
        done = restore(self._model, last[0], self._described["config"]) if last else 0
        curve = LearningCurve.read(self.folder / "learning_curve.csv", until_steps=done)
        if done:
            self._say(f"going on from step {done:,}")
        else:
            start(self._players, self._model.policy, self._config, self._worlds, self._say)
        if done < self._total_steps:
            self._learn_from(done, curve)
        self._best = curve.best
        self._save(self._model, "model.zip")
        self._say(f"learning curve over {self._model.num_timesteps:,} steps")
        for line in curve.lines():
            self._say(line)

    def _learn_from(self, done: int, curve: LearningCurve) -> None:
        from peva_agents.training.callbacks import ProgressCallback, ValidationCallback
        from peva_agents.training.learning_env import learning_env

        n_envs: dict[Part, int] = {"train": self._model.n_envs, "validation": self._config.validation_episodes}
        with side_by_side(self._players, self._config, self._worlds, n_envs) as envs:
            env = learning_env(envs["train"])
            env.seed(self._worlds.seeds("train", env.num_envs, first=done))
            self._model.set_env(env)
            seeds = self._worlds.seeds("validation", n_envs["validation"])
            validation = ValidationCallback(curve, envs["validation"], seeds, self._total_steps, done, self._save)
            progress = ProgressCallback(self._console, self._total_steps, done, curve)
            try:
                self._model.learn(
                    self._total_steps - done,
                    callback=[validation, progress],
                    reset_num_timesteps=not done,
                    tb_log_name=self._config.algo,
                    log_interval=200 if self._config.algo == "dqn" else 1,
                )
            finally:
                progress.stop()

    def compare(self) -> None:
        """Let the best model and the baselines play the test episodes; print and write the comparison."""
        n_episodes = self._config.evaluation_episodes
        algo, make_agent = self._config.algo, partial(SB3Agent, path=self.folder / "best_model.zip")
        models: dict[str, MakeAgent] = {algo: make_agent}
        if algo != "dqn":  # values are no probabilities
            models[f"{algo} sampled"] = partial(make_agent, samples=True)
        with self._console.status("comparing with the baselines"):
            episodes, returns = in_order(
                self._players,
                (evaluation_episode, evaluation_tasks(models, self._config, self._worlds)),
                (validation_return, validation_tasks(self._config, self._worlds)),
            )
        rows = evaluation_rows(episodes)
        title = f"{self._config.budget_runs} runs an episode at most, {n_episodes} episodes a scenario"
        kinds = {"nodes": self._config.sim, "maps": self._config.data}
        where = " and ".join(kind for kind, given in kinds.items() if given)
        note = self._worlds.note or f"{where} that were not learned on"
        write_text(self.folder / "evaluation.md", markdown(rows, title, note))
        write_text(self.folder / "evaluation.json", json.dumps({**self._described, "evaluation": rows}, indent=2))
        print_tables(self._console, rows, title, note)
        self._say(validation_verdict(self._best, returns))
        self._say(f"{self.folder}: best_model.zip, model.zip, evaluation.md, learning_curve.csv, tensorboard/")
        which = "any space" if self._config.view == CANDIDATES else "a space of this shape"
        use = command_text("run", "--agent", self.folder / "best_model.zip", extra="local")
        offer(self._console, f"use it live on {which}", use)

    def _save(self, model: Any, name: str) -> None:
        save(model, self.folder / name, self._described)

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=not self._console.is_terminal, highlight=False, markup=False)
