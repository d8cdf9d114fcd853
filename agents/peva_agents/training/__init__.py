"""Training agents offline, and judging what was trained."""

from peva_agents.training.algorithms import build, one_thread
from peva_agents.training.config import parse_training, same_shape, signature, signature_text
from peva_agents.training.folder import write_text
from peva_agents.training.model_file import artefact, best_legal, load_policy
from peva_agents.training.train import train
from peva_agents.training.worlds import part_seeds, training_worlds

__all__ = [
    "artefact",
    "best_legal",
    "build",
    "load_policy",
    "one_thread",
    "parse_training",
    "part_seeds",
    "same_shape",
    "signature",
    "signature_text",
    "train",
    "training_worlds",
    "write_text",
]
