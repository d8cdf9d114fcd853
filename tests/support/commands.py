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


def write_hiding_modules() -> None:
    """Write files to the working folder with names of modules of ours, of our libraries and of Python."""
    names = "agents peva_agents peva_env duckdb jinja2 numpy plotly pyarrow rich yaml queue typing"
    for name in names.split():
        Path(f"{name}.py").write_text("raise SystemExit('imported the file of the user')")
