"""The overload rules: what a run says of the node.

What must always hold:

- A verdict follows from one event and the rules alone, so that it can be recomputed at any time.
- The scalar form (``judge``) and the array form (``labels``) agree to the last bit; a test holds both to it.
- What does not speak of the node (a generator at its limit, missing metrics, an address where nobody listens) is
  INVALID, never a label.
"""

from peva_env.rules.arrays import labels, majority_labels, success_margins, use_margins
from peva_env.rules.early_abort import ABORTED, judge_aborted, most_failures
from peva_env.rules.judge import Judgement, apply_rules, is_decided, judge, majority

__all__ = [
    "ABORTED",
    "Judgement",
    "apply_rules",
    "is_decided",
    "judge",
    "judge_aborted",
    "labels",
    "majority",
    "majority_labels",
    "most_failures",
    "success_margins",
    "use_margins",
]
