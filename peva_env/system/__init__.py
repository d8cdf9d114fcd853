"""The operating system: clocks, signals, child processes, HTTP calls, loading a user's class, printable text.

What must always hold: nothing here knows of functions, rates or verdicts; and whatever fails is a ``PevaError`` or an
exception of Python's own, never a silent default.
"""

from peva_env.system import processes
from peva_env.system.clock import Moment
from peva_env.system.files import replacing, write_text
from peva_env.system.http import TRUST, Answer, NoAnswerError, call, why_no_answer
from peva_env.system.interrupts import FirstInterrupt, uninterrupted
from peva_env.system.loading import load_class
from peva_env.system.text import one_line

__all__ = [
    "TRUST",
    "Answer",
    "FirstInterrupt",
    "Moment",
    "NoAnswerError",
    "call",
    "load_class",
    "one_line",
    "processes",
    "replacing",
    "uninterrupted",
    "why_no_answer",
    "write_text",
]
