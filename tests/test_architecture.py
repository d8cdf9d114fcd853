"""A room imports only rooms above it; agents see no memory and no source; importing peva_env is light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import peva_env

ROOT = Path(__file__).parents[1]

ROOMS = [
    ["errors", "clock", "explain", "http_call", "interrupts", "k6_keys", "processes", "sections", "rates"],
    ["space", "candidates", "loading", "datasets"],
    ["rate_grid", "antichain"],
    ["records"],
    ["contracts"],
    ["campaign_config"],
    ["config"],
    ["verdict", "verdict_arrays", "early_abort"],
    ["map_records", "evidence", "frontier"],
    ["observation"],
    ["objectives"],
    ["campaign"],
    ["planning"],
    ["memory"],
    ["platforms"],
    ["sources"],
    ["artifact_rows", "artifacts"],
    ["grafana"],
    ["execution"],
    ["offline"],
    ["episode_words", "bits", "campaign_state", "upcoming"],
    ["env"],
    ["parts"],
    ["offline_arguments"],
    ["worlds"],
    ["vector"],
    ["sb3_vec_env", "scenarios"],
    ["live_campaigns"],
    ["make"],
    ["testing"],
    ["drivers", "minari_export", "maps"],
    ["console", "doctor", "report"],
    ["cli_maps", "cli_memory", "cli_rates", "cli_arena", "cli_export", "cli_train", "cli_report"],
    ["cli"],
]
"""From the top down. A room may import what stands in a line above it, and, within a line, what comes before it."""

RANK = {room: rank for rank, room in enumerate(room for line in ROOMS for room in line)}

FOR_AGENTS = {
    "errors",
    "space",
    "candidates",
    "contracts",
    "config",
    "rate_grid",
    "frontier",
    "observation",
    "planning",
    "rates",
}

FOR_TRAINERS = {"drivers", "env", "explain", "objectives", "report", "sb3_vec_env", "scenarios", "vector", "worlds"}
"""What builds and steps environments may see these too; an agent never does."""


def is_trainer(path: Path) -> bool:
    return path.parent.name in {"arena", "training"}


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "peva_env")


def rooms_imported(path: Path) -> set[str]:
    parts = (name.split(".") for name in imports_of(path))
    return {part[1] for part in parts if part[0] == "peva_env" and len(part) > 1} & RANK.keys()


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "peva_env").parts[0].removesuffix(".py")


SOURCES = [path for path in sorted((ROOT / "peva_env").rglob("*.py")) if room_of(path) != "__init__"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_rooms_above_it(path: Path) -> None:
    room = room_of(path)
    below = {other for other in rooms_imported(path) if RANK[other] > RANK[room]}
    assert not below, f"{room} imports {below}, which stand below it"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_peva_env_never_imports_agents(path: Path) -> None:
    assert not [name for name in imports_of(path) if name.split(".")[0] == "peva_agents"]


@pytest.mark.parametrize("path", sorted((ROOT / "agents").rglob("*.py")), ids=lambda path: path.name)
def test_agents_see_contracts_and_space_never_memory_or_sources(path: Path) -> None:
    assert rooms_imported(path) <= (FOR_AGENTS | FOR_TRAINERS if is_trainer(path) else FOR_AGENTS)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_vec_env_imports_what_trains(path: Path) -> None:
    heavy = {"stable_baselines3", "sb3_contrib", "torch"} & {name.split(".")[0] for name in imports_of(path)}
    assert not heavy or path.stem == "sb3_vec_env"


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout


def test_importing_peva_env_loads_nothing_heavy() -> None:
    loaded = run_python("import sys, peva_env; print(*{name.split('.')[0] for name in sys.modules})").split()
    heavy = {"torch", "sklearn", "pandas", "matplotlib", "duckdb", "pyarrow", "pydantic", "psutil", "rich", "typer"}
    assert not heavy & set(loaded)


def test_the_public_names_are_sorted_and_there() -> None:
    assert peva_env.__all__ == sorted(peva_env.__all__)
    for name in peva_env.__all__:
        assert getattr(peva_env, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        peva_env.nope  # noqa: B018
