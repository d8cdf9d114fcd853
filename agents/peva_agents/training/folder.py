"""The folder of a training: it is begun once, and only the same training resumes in it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peva_agents.training.config import parse_training
from peva_env.config.offline import TrainingConfig
from peva_env.errors import ConfigError, PevaError
from peva_env.system import output_folder, require_writable, write_text
from peva_env.views import MAP

_CONFIG = "config.json"
_FILES = ("model.zip", "best_model.zip", "learning_curve.csv", "evaluation.md", "evaluation.json")


def begin_folder(folder: Path, described: Mapping[str, Any]) -> None:
    """Make the folder of a new training, and write its configuration.

    Raises:
        ConfigError: there is a training or something else in the folder already, or the folder cannot be made.
    """
    if (folder / _CONFIG).exists():
        raise ConfigError(
            f"{folder} holds a training already; go on with it by --resume {folder}, or give another --out"
        )
    try:
        output_folder("--out", folder, what="training", mark=_CONFIG)
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        write_text(folder / _CONFIG, json.dumps(described, indent=2))
    except OSError as error:
        raise PevaError(f"{folder}: cannot be written to: {error.strerror}") from error


def require_usable(folder: Path) -> None:
    """Check that a training can go on in its folder, and in each folder in it that PyTorch and TensorBoard write to.

    Raises:
        ConfigError: something that is no file has the name of one that a training writes.
        PevaError: no file can be created there.
    """
    for path in (folder / name for name in _FILES):
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path}: is no file, but the training will write one there; give it another name")
    for part in (folder, folder / "checkpoints", folder / "tensorboard"):
        try:
            part.mkdir(exist_ok=True)
            require_writable(part)
        except OSError as error:
            raise PevaError(f"{part}: cannot be written to: {error.strerror}") from error


def resumed_config(folder: Path, given: Mapping[str, Any]) -> TrainingConfig:
    """Return the configuration of the training in a folder.

    Raises:
        ConfigError: there is no training, or a given setting differs from the one that it was begun with.
    """
    path = folder / _CONFIG
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))["config"]
        stored = {"view": MAP, **stored}  # trainings older than the views
    except FileNotFoundError:
        raise ConfigError(f"{folder}: there is no training to go on with; begin one with --out {folder}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(f"{path}: is not what peva-env train wrote: {error!r:.200}") from error
    config = parse_training(stored)
    asked = parse_training({**_without_other_world(stored, given), **given})
    for name in given:
        was, now = getattr(config, name), getattr(asked, name)
        if was != now:
            raise ConfigError(
                f"{folder} was begun with {name} = {was!r}, not {now!r}; leave that out, or begin anew in another --out"
            )
    return config


def _without_other_world(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the stored settings of the world if a world of another kind is given, whose settings are others."""
    given_worlds = given.keys() & {"data", "sim"}
    if all(stored.get(kind) is not None for kind in given_worlds):
        return dict(stored)
    of_worlds = {"data", "sim", "rates_rps", "min_functions", "max_functions", "train_scenarios", "test_scenarios"}
    return {name: value for name, value in stored.items() if name not in of_worlds | {"validation_scenarios"}}
