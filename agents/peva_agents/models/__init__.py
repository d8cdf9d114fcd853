"""Models of Stable-Baselines3 in files: how they were trained, and the policies in them.

What must always hold: a model's file is never unpickled; PyTorch is imported only when a policy is built.
"""

from peva_agents.models.algorithms import algorithm, one_thread, policy_class, require_sb3
from peva_agents.models.file import artefact, best_legal, load_policy, restore, save
from peva_agents.models.space_shape import same_shape, signature, signature_text

__all__ = [
    "algorithm",
    "artefact",
    "best_legal",
    "load_policy",
    "one_thread",
    "policy_class",
    "require_sb3",
    "restore",
    "same_shape",
    "save",
    "signature",
    "signature_text",
]
