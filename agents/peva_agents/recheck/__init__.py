"""The re-check of an earlier map: its certificate first, and only if a verdict has changed, the rest.

The certificate of a map (``peva_env.inference.records``) is the smallest set of configurations that proves it. If all
of them have their earlier verdicts, all others have, too, and no sound method needs fewer runs to know that.

What must always hold:

- Without a change nothing but the certificate is measured.
- The highest OK configurations come before the lowest overloaded ones, so that a loss shows first.
"""

from peva_agents.recheck.agent import RecheckAgent
from peva_agents.recheck.policy import RecheckPolicy

__all__ = ["RecheckAgent", "RecheckPolicy"]
