"""The overload rules: they turn the measurements of a run into a verdict.

What must always hold:

- A verdict depends on one event and the rules only, so that it can be recomputed at any time.
- The scalar form (``judge``) and the array form (``labels``) agree to the last bit; a test compares them.
- A verdict is sure only where the scatter of its margins excludes chance at a stated level (``Evidence``).
- A run that says nothing about the node's load (generator at its limit, missing metrics, no server at the address, a
  restart during the run) is INVALID, never a label.
"""

from peva_env.rules.again import judge_again, judge_stored, saturation
from peva_env.rules.arrays import ArrayRules, labels, majority_labels
from peva_env.rules.checks import COUNTS, MEAN_SUCCESS, NOT_MEASURED, SUCCESS_OF
from peva_env.rules.early_abort import ABORTED, judge_aborted, most_failures
from peva_env.rules.evidence import WHOLE_RUN, Evidence, RunMargins, Scatter, evidence_of, run_margins
from peva_env.rules.judge import Judgement, apply_rules, is_decided, judge, majority
from peva_env.rules.other_causes import IN_DOUBT, is_in_doubt
from peva_env.rules.sequential import (
    LEAST_GROWTH,
    STOPPED,
    Ending,
    Part,
    Reading,
    Watch,
    backlog_of,
    judge_stopped,
    slow_ms,
)

__all__ = [
    "ABORTED",
    "COUNTS",
    "IN_DOUBT",
    "LEAST_GROWTH",
    "MEAN_SUCCESS",
    "NOT_MEASURED",
    "STOPPED",
    "SUCCESS_OF",
    "WHOLE_RUN",
    "ArrayRules",
    "Ending",
    "Evidence",
    "Judgement",
    "Part",
    "Reading",
    "RunMargins",
    "Scatter",
    "Watch",
    "apply_rules",
    "backlog_of",
    "evidence_of",
    "is_decided",
    "is_in_doubt",
    "judge",
    "judge_aborted",
    "judge_again",
    "judge_stopped",
    "judge_stored",
    "labels",
    "majority",
    "majority_labels",
    "most_failures",
    "run_margins",
    "saturation",
    "slow_ms",
]
