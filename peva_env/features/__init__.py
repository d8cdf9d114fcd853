"""Features of candidates: unitless numbers from what a campaign has measured, for agents and for views of environments.

What must always hold:

- Features are finite, whatever was measured, and their number is the same for every space.
- Nothing is random, and nothing is kept of an earlier campaign.
"""

from peva_env.features.candidate_features import N_FEATURES, Counts, Features
from peva_env.features.catalogue import FEATURES, Feature
from peva_env.features.gaussian import GaussianProcess, covariance
from peva_env.features.history import valid_runs, valid_steps
from peva_env.features.measured import Floats, Measured, Measurements, highest_rps
from peva_env.features.processes import label_process, use_process
from peva_env.features.reach import CountArray, Reach
from peva_env.features.slots import HEADROOM, Slots, success_at

__all__ = [
    "FEATURES",
    "HEADROOM",
    "N_FEATURES",
    "CountArray",
    "Counts",
    "Feature",
    "Features",
    "Floats",
    "GaussianProcess",
    "Measured",
    "Measurements",
    "Reach",
    "Slots",
    "covariance",
    "highest_rps",
    "label_process",
    "success_at",
    "use_process",
    "valid_runs",
    "valid_steps",
]
