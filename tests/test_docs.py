"""What is documented is there, and what is shown runs."""

import inspect
import re
import subprocess
import sys
from dataclasses import fields
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import typer
import yaml

from peva_env.cli import app
from peva_env.cli_memory import app as memory
from peva_env.config import DfaasConfig, parse_config
from peva_env.make import make_replay_env, make_sim_env
from peva_env.offline import OfflineSettings
from peva_env.sources.node_spec import SimulatedFunction, SimulatedNode

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON_BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
K6_BLOCKS = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "k6.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("key", DfaasConfig.model_fields)
def test_the_readme_explains_every_key(key: str) -> None:
    assert f"`{key}`" in README


SECTIONS = ["functions", "cooldown", "overload", "memory", "combinations", "openfaas", "grafana"]


@pytest.mark.parametrize("section", SECTIONS)
def test_the_readme_explains_every_key_of_a_section(section: str) -> None:
    row = next(line for line in README.splitlines() if line.startswith(f"| `{section}`"))
    schema = DfaasConfig.model_json_schema()
    part = schema["properties"][section]
    name = (part.get("items") or (part.get("allOf") or part.get("anyOf", [part]))[0])["$ref"].rpartition("/")[2]
    assert [key for key in schema["$defs"][name]["properties"] if key not in row] == []


@pytest.mark.parametrize(("group", "said"), [(app, "`peva-env {}`"), (memory, "`peva-env memory {} ")])
def test_the_readme_names_every_command(group: typer.Typer, said: str) -> None:
    names = [
        command.name or str(command.callback and command.callback.__name__) for command in group.registered_commands
    ]
    assert names
    assert [name for name in names if said.format(name) not in README] == []


@pytest.mark.parametrize("words", ["Memory Core", "Debug Archive", "The schema is strict", "skip without replacement"])
def test_the_readme_explains_what_existing_users_ask(words: str) -> None:
    assert words in README


@pytest.mark.parametrize("text", K6_BLOCKS, ids=range(len(K6_BLOCKS)))
def test_every_example_of_the_k6_page_is_a_configuration(text: str) -> None:
    parse_config(yaml.safe_load(text))


def test_the_k6_page_explains_every_key_of_k6() -> None:
    keys = {key for text in K6_BLOCKS for key in yaml.safe_load(text)}
    assert keys == {key for key in DfaasConfig.model_fields if key.startswith("k6_")} - {"k6_path"} | {"grafana"}


@pytest.mark.live
def test_the_python_blocks_of_the_readme_run_one_after_the_other(tmp_path: Path) -> None:
    for code in PYTHON_BLOCKS:
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert "OK" in done.stdout
        assert "OVERLOADED" in done.stdout


@pytest.mark.parametrize("name", ["agents", "offline", "simulation"])
def test_the_python_blocks_of_a_page_run(name: str) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(code, {})  # noqa: S102


@pytest.mark.parametrize("name", sorted(entry_points(group="peva_env.agents").names - {"custom", "sb3"}))
def test_the_page_on_agents_names_every_agent(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")


def test_the_page_on_offline_environments_names_every_argument() -> None:
    page = (ROOT / "docs" / "offline.md").read_text(encoding="utf-8")
    makers = (make_sim_env, make_replay_env)
    names = {name for make in makers for name in inspect.signature(make).parameters} - {"settings"}
    settings = {field.name for field in fields(OfflineSettings)} | {"reward", "reward_kwargs"}
    assert [name for name in names | settings if f"`{name}`" not in page] == []


def test_the_page_on_simulation_names_every_key_of_a_node() -> None:
    page = (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8")
    keys = [*SimulatedNode.model_fields, *SimulatedFunction.model_fields]
    assert [key for key in keys if f'"{key}"' not in page] == []


PROMISES = [
    line
    for page in ("faults", "security")
    for line in (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and " test |" not in line
]


@pytest.mark.parametrize("row", PROMISES, ids=lambda row: row.split("|")[1].strip())
def test_every_fault_and_threat_names_a_test_that_is_there(row: str) -> None:
    for file, name in re.findall(r"`(tests/\w+\.py)::(\w+)`", row):
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")
    assert row.count("::") == len(re.findall(r"`tests/\w+\.py::\w+`", row)) > 0
