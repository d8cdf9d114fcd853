"""What a command of ``peva-env`` said and left."""

from pathlib import Path

from tests.support.forkserver import Ended


def files() -> set[Path]:
    return {path for path in Path.cwd().rglob("*") if "__pycache__" not in path.parts}


def complaint(ended: Ended, code: int) -> str:
    """Return the one line that a command complained with."""
    assert "Traceback" not in ended.stderr
    assert ended.returncode == code, ended.stderr
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    return lines[0]
