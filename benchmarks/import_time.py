"""Wall time of ``import peva_env`` in a fresh interpreter. Reference: importing Gymnasium, which it stands on."""

import subprocess
import sys

from benchmarks.timing import best_of, report


def main() -> None:
    """Print the import time."""
    ours_s, gymnasium_s = _import_s("peva_env"), _import_s("gymnasium")
    report("import peva_env", ours_s, "s", target="< 0.5 s", reference=("import gymnasium", gymnasium_s))


def _import_s(module: str) -> float:
    return best_of(lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True))
