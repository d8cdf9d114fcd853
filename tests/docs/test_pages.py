"""What is documented is there, and what is shown runs."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from peva_agents.fleet import load_fleet
from peva_env.cli import app
from peva_env.cli.memory import app as memory
from peva_env.config import DfaasConfig, parse_config
from peva_env.sources.simulated.node_spec import SimulatedFunction, SimulatedNode
from tests.support.forkserver import peva
from tests.support.pages import PAGES, ROOT, anchors, blocks, links, parsed, peva_env_calls, prose

README = (ROOT / "README.md").read_text(encoding="utf-8")
LIBRARIES = {"peva_env.report": "matplotlib", "minari": "minari"}
"""What code needs that imports from these."""


def library_of(code: str) -> str | None:
    """Return the library of an extra that code needs, beyond what its test is given."""
    needed = (one for name, one in LIBRARIES.items() if re.search(rf"^(from|import) {name}\b", code, re.MULTILINE))
    return next(needed, None)


PYTHON_BLOCKS = [block.text for block in blocks(README) if block.language == "python"]
KEYS = PAGES["reference/configuration"]
MEMORY_EXPLAINED_IN = {"README": README, "explanation/memory": PAGES["explanation/memory"]}
SECTIONS = ["functions", "cooldown", "overload", "memory", "combinations", "openfaas", "grafana"]


@pytest.mark.parametrize("key", DfaasConfig.model_fields)
def test_every_key_is_explained(key: str) -> None:
    assert re.search(rf"^\| [^|]*`{key}`", KEYS, re.MULTILINE)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_a_section_is_explained(section: str) -> None:
    row = next(line for line in KEYS.splitlines() if line.startswith(f"| `{section}`"))
    schema = DfaasConfig.model_json_schema()
    part = schema["properties"][section]
    name = (part.get("items") or (part.get("allOf") or part.get("anyOf", [part]))[0])["$ref"].rpartition("/")[2]
    assert [key for key in schema["$defs"][name]["properties"] if key not in row] == []


@pytest.mark.parametrize(("group", "said"), [(app, "`peva-env {}`"), (memory, "`peva-env memory {}`")])
def test_the_page_on_commands_names_every_command(group: typer.Typer, said: str) -> None:
    names = [
        command.name or str(command.callback and command.callback.__name__) for command in group.registered_commands
    ]
    assert names
    assert [name for name in names if said.format(name) not in PAGES["reference/commands"]] == []


@pytest.mark.parametrize("where", MEMORY_EXPLAINED_IN)
@pytest.mark.parametrize("words", ["Memory Core", "Debug Archive", "The schema is strict", "skip without replacement"])
def test_what_existing_users_ask_is_explained(words: str, where: str) -> None:
    assert words in MEMORY_EXPLAINED_IN[where]


@pytest.mark.parametrize("code", PYTHON_BLOCKS)
def test_a_python_block_of_the_readme_runs_and_shows_verdicts_of_both_kinds(code: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "OK" in done.stdout
    assert "OVERLOADED" in done.stdout


@pytest.mark.train
def test_the_training_of_the_readme_prints_the_rows_that_it_shows(tmp_path: Path) -> None:
    pytest.importorskip("sb3_contrib")
    code = next(block.text for block in blocks(README) if "peva-env train" in block.text)
    (words,) = peva_env_calls(code)
    shown = re.findall(r"^ *\| ([\w (),-]+?) +\| +[\d.]+%", README.partition(code)[2], re.MULTILINE)
    short = ["--steps", "64", "--envs", "4", "--set", "n_steps=16"]
    few = ["--validation-episodes", "2", "--evaluation-episodes", "1", "--out", str(tmp_path / "out")]
    done = peva(*words, *short, *few)
    assert done.returncode == 0, done.stderr
    assert {"maskable-ppo", "uniform", "bisection"} <= set(shown)
    assert [agent for agent in shown if f"| {agent} " not in (tmp_path / "out" / "evaluation.md").read_text()] == []


ELSEWHERE = {"recipes"}
"""Pages whose blocks are run by tests of their own, since they need libraries that only training needs."""

RUN = {
    "ask",
    "limits",
    "plan",
    "report",
    "memory info",
    "memory verify",
    "memory export",
    "memory preload",
    "memory merge",
}
"""Commands that cost little and need no more than what a page has made before."""

FOLLOWED = {"explanation/costs", "explanation/memory", "howto/read-a-report", "howto/set-limits"}
"""Pages whose commands are run, too."""


RUN_PROCESS = subprocess.run


def run_here(command: list[str], **options: Any) -> Any:
    """Run a command as ``subprocess.run`` does; ``peva-env`` in this process, which saves its start."""
    if command[0] != "peva-env":
        return RUN_PROCESS(command, **options)
    assert options == {"check": True}
    done = CliRunner().invoke(app, command[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a new folder, with peva-env on the path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", run_here)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("MPLBACKEND", "agg")
    return tmp_path


@pytest.mark.parametrize(
    "page",
    [
        page
        for page, text in PAGES.items()
        if page not in ELSEWHERE and (page in FOLLOWED or any(block.language == "python" for block in blocks(text)))
    ],
)
def test_a_page_runs_from_top_to_bottom(page: str, folder: Path) -> None:
    namespace: dict[str, Any] = {"__name__": "page"}
    for language, text in blocks(PAGES[page]):
        if language == "python":
            if library := library_of(text):
                pytest.importorskip(library)
            exec(compile(text, page, "exec"), namespace)  # noqa: S102
        elif language == "bash" and page in FOLLOWED:
            for words in peva_env_calls(text):
                if parsed(words) == "report":
                    pytest.importorskip("plotly")
                if parsed(words) in RUN:
                    done = CliRunner().invoke(app, words, catch_exceptions=False)
                    assert done.exit_code == 0, done.output


CALLS = [
    (page, words)
    for page, text in {**PAGES, "README": README}.items()
    for language, block in blocks(text)
    if language == "bash"
    for words in peva_env_calls(block)
]


@pytest.mark.parametrize(("page", "words"), CALLS, ids=[" ".join([page, *words]) for page, words in CALLS])
def test_a_command_on_a_page_is_one_that_there_is(page: str, words: list[str]) -> None:
    assert parsed(words)


LANGUAGES = {"python", "bash", "yaml", "text", "toml", "sql", "promql", "{toctree}", "{eval-rst}", "{include}"}


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_fenced_and_says_its_language(page: str) -> None:
    found = blocks(PAGES[page])
    assert {block.language for block in found} <= LANGUAGES
    assert PAGES[page].count("```") == 2 * len(found)
    assert not re.search(r"\n\n {4}\S", prose(PAGES[page]))


PIPELINES = {"howto/gate-a-pipeline"}
"""Pages whose YAML is of continuous integration, and no configuration."""

FLEETS = {"howto/measure-many-nodes"}
"""Pages whose YAML is of fleets."""

YAML_BLOCKS = [
    (page, block.text)
    for page, text in {**PAGES, "README": README}.items()
    for block in blocks(text)
    if block.language == "yaml" and page not in PIPELINES | FLEETS
]


@pytest.mark.parametrize(("page", "text"), YAML_BLOCKS, ids=[page for page, _ in YAML_BLOCKS])
def test_every_yaml_block_is_a_configuration(page: str, text: str) -> None:
    parse_config(yaml.safe_load(text))


def test_the_first_file_of_the_page_on_fleets_is_one(tmp_path: Path) -> None:
    (page,) = FLEETS
    path = tmp_path / "fleet.yml"
    path.write_text(next(block.text for block in blocks(PAGES[page]) if block.language == "yaml"))
    assert [node.name for node in load_fleet(path).nodes] == ["small", "middle", "large"]


def commands_in(data: Any) -> Iterator[str]:
    """Yield the scripts of a pipeline, wherever they stand in it."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        if isinstance(value, dict | list) and key != "script":
            yield from commands_in(value)
        elif key in ("run", "script"):
            yield from [value] if isinstance(value, str) else value


@pytest.mark.parametrize("page", sorted(PIPELINES))
def test_a_pipeline_is_yaml_of_some_twenty_lines_that_calls_commands_that_there_are(page: str) -> None:
    found = [block.text for block in blocks(PAGES[page]) if block.language == "yaml"]
    assert len(found) == 2
    for text in found:
        (script,) = commands_in(yaml.safe_load(text))
        (words,) = peva_env_calls(script.replace("\\\n", " ").partition(" > ")[0])
        assert parsed(words) == "recheck"
        assert len(text.splitlines()) < 26


def is_dead(path: Path, target: str) -> bool:
    """Tell whether a link on the page at ``path`` leads to no file, or to no heading in it."""
    file, _, anchor = target.partition("#")
    linked = path.parent / file if file else path
    return not linked.is_file() or (bool(anchor) and anchor not in anchors(linked.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", [*(f"docs/{page}.md" for page in PAGES), "README.md", "CONTRIBUTING.md"])
def test_every_link_leads_to_a_file_and_a_heading_in_it(page: str) -> None:
    targets = links((ROOT / page).read_text(encoding="utf-8"))
    assert [target for target in targets if is_dead(ROOT / page, target)] == []


def test_every_page_is_in_the_contents() -> None:
    contents = re.findall(r"^[\w/-]+$", PAGES["index"], re.MULTILINE)
    assert sorted(contents) == sorted(PAGES.keys() - {"index"})


@pytest.mark.live
def test_functions_of_ones_own_run_as_their_page_says(folder: Path) -> None:
    source, config, script = blocks(PAGES["howto/bring-your-functions"])[:3]
    (folder / "functions").mkdir()
    (folder / "functions" / "hello.py").write_text(source.text, encoding="utf-8")
    (folder / "mine.yml").write_text(config.text, encoding="utf-8")
    doctor, run = peva_env_calls(script.text)
    # In processes of their own: a campaign leaves the process that it ran in deaf to Ctrl-C.
    for words, code in ((doctor, 0), ([*run, "--budget-runs", "3"], 3)):
        done = peva(*words)
        assert done.returncode == code, done.stderr


@pytest.mark.parametrize("name", sorted(entry_points(group="peva_env.agents").names - {"custom", "sb3"}))
def test_the_page_on_agents_names_every_agent(name: str) -> None:
    assert f"| `{name}` |" in PAGES["agents"]


def test_the_page_on_k6_explains_every_key_of_k6() -> None:
    examples = [yaml.safe_load(block.text) for block in blocks(PAGES["k6"]) if block.language == "yaml"]
    keys = {key for example in examples for key in example}
    assert keys == {key for key in DfaasConfig.model_fields if key.startswith("k6_")} - {"k6_path"} | {"grafana"}


def test_the_page_on_simulation_names_every_key_of_a_node() -> None:
    page = PAGES["simulation"]
    keys = [*SimulatedNode.model_fields, *SimulatedFunction.model_fields]
    assert [key for key in keys if f'"{key}"' not in page] == []


PROMISES = [
    line
    for page in ("faults", "security")
    for line in PAGES[page].splitlines()
    if line.startswith("| ") and " test |" not in line
]


@pytest.mark.parametrize("row", PROMISES, ids=lambda row: row.split("|")[1].strip())
def test_every_fault_and_threat_names_a_test_that_is_there(row: str) -> None:
    for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row):
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")
    assert row.count("::") == len(re.findall(r"`tests/[\w/]+\.py::\w+`", row)) > 0
