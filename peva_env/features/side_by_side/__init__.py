"""The features of candidates in many campaigns side by side, without a Python loop over the campaigns.

What must always hold: the features are those of ``peva_env.features.candidate_features``, up to rounding; a test
compares them.
"""

from peva_env.features.side_by_side.campaigns import Campaigns, CountsOfMany, Runs

__all__ = ["Campaigns", "CountsOfMany", "Runs"]
