"""Models of Stable-Baselines3 in files: how they were trained, and the policies in them.

What must always hold: a model's file is never unpickled; PyTorch is imported only when a policy is built;
a model that sees candidates is played without it.
"""

from peva_agents.models.algorithms import algorithm, one_thread, policy_class, require_sb3
from peva_agents.models.campaign_rows import CampaignRows
from peva_agents.models.candidate_scores import NO_SCORE, CandidateScores
from peva_agents.models.file import (
    Noise,
    artefact,
    best_legal,
    gumbel,
    load_policy,
    load_scores,
    load_weights,
    restore,
    save,
)
from peva_agents.models.space_shape import same_shape, signature, signature_text
from peva_agents.models.view import MAP_VIEW, candidate_view

__all__ = [
    "MAP_VIEW",
    "NO_SCORE",
    "CampaignRows",
    "CandidateScores",
    "Noise",
    "algorithm",
    "artefact",
    "best_legal",
    "candidate_view",
    "gumbel",
    "load_policy",
    "load_scores",
    "load_weights",
    "one_thread",
    "policy_class",
    "require_sb3",
    "restore",
    "same_shape",
    "save",
    "signature",
    "signature_text",
]
