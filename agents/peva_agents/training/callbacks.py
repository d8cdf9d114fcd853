"""Callbacks of a training: validation and learning curve, best model and checkpoints, and the progress bar."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from stable_baselines3.common.callbacks import BaseCallback

from peva_agents.training.learning_curve import LearningCurve, Point
from peva_agents.training.side_by_side import SideBySide
from peva_agents.training.validation import validate

_N_POINTS = 30
"""Number of points of the learning curve; each point is a validation."""

_N_CHECKPOINTS = 10
_N_LINES = 10
"""Number of progress lines without a terminal."""


class Milestones:
    """Tells when the next of ``n`` equal parts of a training is done."""

    def __init__(self, total_steps: int, n: int, done_steps: int) -> None:
        self._part = max(1.0, total_steps / n)
        self._passed = int(done_steps / self._part)

    def reached(self, steps: int) -> bool:
        """Tell whether another part was completed since the last call."""
        passed = int(steps / self._part)
        reached = passed > self._passed
        self._passed = passed
        return reached


class ValidationCallback(BaseCallback):
    """Validates the model, and saves the learning curve, the model of the highest validation return, and checkpoints.

    It acts between rollouts, after an update of the model.
    """

    def __init__(
        self,
        curve: LearningCurve,
        envs: Sequence[SideBySide],
        seeds: Sequence[int],
        total_steps: int,
        done_steps: int,
        save: Callable[[Any, str], None],
    ) -> None:
        super().__init__()
        self._curve = curve
        self._envs = envs
        self._seeds = seeds
        self._save = save
        self._points = Milestones(total_steps, _N_POINTS, done_steps)
        self._checkpoints = Milestones(total_steps, _N_CHECKPOINTS, done_steps)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        self._save_milestones()

    def _on_training_end(self) -> None:
        self._save_milestones(ended=True)

    def _save_milestones(self, *, ended: bool = False) -> None:
        steps = self.model.num_timesteps
        if self._points.reached(steps) or (
            ended and not (self._curve.points and self._curve.points[-1].steps == steps)
        ):
            self._validate(steps)
        if self._checkpoints.reached(steps) or ended:
            self._save(self.model, f"checkpoints/step-{steps:010d}.zip")

    def _validate(self, steps: int) -> None:
        self.model.policy.set_training_mode(False)
        validation = validate(self.model.policy, self._envs, self._seeds)
        best_before = self._curve.best
        recent = list(self.model.ep_info_buffer or ())
        point = Point(
            steps=steps,
            mean_return=_mean(recent, "r"),
            mean_length=_mean(recent, "l"),
            resolved=_mean(recent, "resolved"),
            validation_return=validation.mean_return,
            validation_resolved=validation.mean_resolved,
        )
        self._curve.add(point)
        self.logger.record("validation/mean_return", point.validation_return)
        self.logger.record("validation/resolved", point.validation_resolved)
        if point.validation_return > best_before:
            self._save(self.model, "best_model.zip")


class ProgressCallback(BaseCallback):
    """Shows the progress of a training: a bar in a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, total_steps: int, done_steps: int, curve: LearningCurve) -> None:
        super().__init__()
        self._console = console
        self._curve = curve
        self._total = total_steps
        self._begun = done_steps
        self._lines = Milestones(total_steps, _N_LINES, done_steps)
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def _on_training_start(self) -> None:
        self._started_s = time.monotonic()
        self._bar.start()
        self._task = self._bar.add_task("training", total=self._total, completed=self._begun, status="")

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:
        steps = self.model.num_timesteps
        self._bar.update(self._task, completed=min(steps, self._total), status=self._status())
        if not self._console.is_terminal and self._lines.reached(steps):
            per_s = (steps - self._begun) / (time.monotonic() - self._started_s)
            line = f"{steps:>10,} of {self._total:,} steps, {per_s:,.0f} a second; {self._status()}"
            self._console.print(line, highlight=False, soft_wrap=True)

    def _on_training_end(self) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the bar, which restores the terminal."""
        self._bar.stop()

    def _status(self) -> str:
        recent = list(self.model.ep_info_buffer or ())
        best = f", best validation {self._curve.best:.3f}" if self._curve.points else ""
        return f"mean return {_mean(recent, 'r'):.3f}, resolved {_mean(recent, 'resolved'):.1%}{best}" if recent else ""


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints of a training, oldest first."""
    return sorted((folder / "checkpoints").glob("step-*.zip"))


def _mean(episodes: list[dict[str, Any]], name: str) -> float:
    return float(np.mean([episode[name] for episode in episodes])) if episodes else float("nan")
