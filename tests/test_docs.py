"""What is documented is there, and what is shown runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from peva_env.cli import app
from peva_env.config import DfaasConfig

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON_BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("key", DfaasConfig.model_fields)
def test_the_readme_explains_every_key(key: str) -> None:
    assert f"`{key}`" in README


@pytest.mark.parametrize("section", ["functions", "cooldown", "overload", "memory", "combinations"])
def test_the_readme_explains_every_key_of_a_section(section: str) -> None:
    row = next(line for line in README.splitlines() if line.startswith(f"| `{section}`"))
    schema = DfaasConfig.model_json_schema()
    part = schema["properties"][section]
    name = (part.get("items") or part.get("allOf", [part])[0])["$ref"].rpartition("/")[2]
    assert [key for key in schema["$defs"][name]["properties"] if key not in row] == []


def test_the_readme_names_every_command() -> None:
    names = [command.name or str(command.callback and command.callback.__name__) for command in app.registered_commands]
    assert [name for name in names if f"`peva-env {name}`" not in README] == []


@pytest.mark.parametrize("words", ["Memory Core", "Debug Archive", "The schema is strict", "skip without replacement"])
def test_the_readme_explains_what_existing_users_ask(words: str) -> None:
    assert words in README


@pytest.mark.live
@pytest.mark.parametrize("code", PYTHON_BLOCKS, ids=range(len(PYTHON_BLOCKS)))
def test_every_python_block_of_the_readme_runs(code: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stdout
    assert "OVERLOADED" in done.stdout


FAULTS = [line for line in (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").splitlines() if "::" in line]


@pytest.mark.parametrize("row", FAULTS, ids=lambda row: row.split("|")[1].strip())
def test_every_row_of_the_fault_table_names_a_test_that_is_there(row: str) -> None:
    for file, name in re.findall(r"`(tests/\w+\.py)::(\w+)`", row):
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")
    assert row.count("::") == len(re.findall(r"`tests/\w+\.py::\w+`", row)) > 0
