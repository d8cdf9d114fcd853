"""Campaigns that cannot begin: what the command says, and that nothing is left behind."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.commands import complaint, files
from tests.support.forkserver import peva

# Every campaign of these tests fails before its first run; were one to begin, it would be short.
SMALL: dict[str, Any] = {
    "functions": [{"name": "fetch"}],
    "rate_strategy": {"type": "custom", "rates": [20]},
    "duration": "1s",
    "iterations": 1,
}


def write(data: Any, name: str = "peva.yml") -> str:
    Path(name).write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    return name


def refusal(data: Any, code: int, *args: str, **environment: str) -> str:
    """Run a campaign that cannot begin; return the complaint, after a look that nothing was left behind."""
    config = write(data)
    before = files()
    ended = peva("run", "--config", config, *args, **environment)
    message = complaint(ended, code)
    assert files() == before
    assert ended.stdout == ""
    return message


def needs_node() -> None:
    pytest.importorskip("functions_framework", reason="needs the `local` extra")
