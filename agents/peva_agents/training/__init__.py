"""Training agents offline, and judging what was trained."""

from peva_agents.training.config import parse_training, sized_for
from peva_agents.training.hyperparameters import build
from peva_agents.training.train import train
from peva_agents.training.worlds import training_worlds

__all__ = ["build", "parse_training", "sized_for", "train", "training_worlds"]
