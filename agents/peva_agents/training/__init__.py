"""Training of agents offline, and their comparison with the baselines.

What must always hold: training, validation and test share no episode; settings are checked before anything is written;
files are written aside and renamed, so that a file is always whole.
"""

from peva_agents.training.config import parse_training, sized_for
from peva_agents.training.hyperparameters import build
from peva_agents.training.train import train
from peva_agents.training.worlds import training_worlds

__all__ = ["build", "parse_training", "sized_for", "train", "training_worlds"]
