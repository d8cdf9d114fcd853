"""A room imports only rooms above it and enters them by their door; ``peva_env`` is small at its root and light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import peva_env

ROOT = Path(__file__).parents[1]
PACKAGES = {"peva_env": ROOT / "peva_env", "peva_agents": ROOT / "agents" / "peva_agents"}

ROOMS = [
    ["peva_env.errors", "peva_env.space", "peva_env.records", "peva_env.contracts"],
    [f"peva_env.{name}" for name in ("system", "config", "rules", "inference", "planning", "features")],
    ["peva_env.observation", "peva_env.objectives", "peva_env.actions"],
    ["peva_env.platforms", "peva_env.memory", "peva_env.sources", "peva_env.datasets"],
    ["peva_env.campaign", "peva_env.views"],
    ["peva_env.env", "peva_env.vector", "peva_env.wrappers", "peva_env.sb3_vec_env"],
    ["peva_env.maps", "peva_env.console", "peva_env.report", "peva_env.make", "peva_env.testing", "peva_env.cli"],
    ["peva_agents.loop", "peva_agents.policy_agent", "peva_agents.turns"],
    ["peva_agents.beliefs", "peva_agents.models", "peva_agents.rivals"],
    [f"peva_agents.{name}" for name in ("cartesian", "uniform", "bisection", "staircase", "bandit")],
    [f"peva_agents.{name}" for name in ("level_set", "learnt", "recheck", "sb3")],
    ["peva_agents.arena", "peva_agents.training", "peva_agents.fleet"],
]
"""From the top down. A room may import what stands in a line above it, and, within a line, what comes before it."""

RANK = {room: rank for rank, room in enumerate(room for line in ROOMS for room in line)}

FOR_AGENTS = {"errors", "space", "contracts", "system", "config", "rules", "inference", "planning", "features"}
FOR_AGENTS |= {"observation", "views"}

FOR_TRAINERS = FOR_AGENTS | {"campaign", "console", "datasets", "env", "objectives", "report", "sb3_vec_env", "vector"}
FOR_TRAINERS |= {"wrappers"}
"""What builds and steps environments, reads datasets and prints tables may see these too; an agent never does."""

FOR_FLEETS = FOR_TRAINERS | {"memory"}
"""A fleet has a memory of its own, and opens those of its nodes."""

AT_MOST_AT_THE_ROOT = {"peva_env": 14, "peva_agents": 13}


def module_of(path: Path) -> str:
    package = next(name for name, folder in PACKAGES.items() if path.is_relative_to(folder))
    return ".".join(path.relative_to(PACKAGES[package].parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for folder in PACKAGES.values() for path in sorted(folder.rglob("*.py"))}
DOORS = {module for module, path in MODULES.items() if path.name == "__init__.py"} - PACKAGES.keys()


def listed_in(door: str) -> list[str]:
    """Return what a door lists in ``__all__``."""
    for node in ast.parse(MODULES[door].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__":
            listed: list[str] = ast.literal_eval(node.value)
            return listed
    return []


LISTED = {door: set(listed_in(door)) for door in DOORS}


def imports_of(module: str) -> Iterator[str]:
    """Yield the modules that a module imports; a name that a door does not list is taken for a module of that room."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            past_the_door = {alias.name for alias in node.names} - LISTED.get(node.module, set())
            modules = {name for alias in past_the_door if (name := f"{node.module}.{alias}") in MODULES}
            yield from modules
            if len(modules) < len(node.names):
                yield node.module


@cache
def imported(module: str) -> frozenset[str]:
    return frozenset(imports_of(module))


def ours(module: str) -> set[str]:
    return {name for name in imported(module) if name.split(".")[0] in PACKAGES}


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def room_around(module: str) -> str:
    return module.rpartition(".")[0]


IN_ROOMS = [module for module in MODULES if module not in PACKAGES]
OF_ENV = [module for module in IN_ROOMS if module.startswith("peva_env.")]
OF_AGENTS = [module for module in IN_ROOMS if module.startswith("peva_agents.")]


def test_every_room_has_its_place() -> None:
    assert {room_of(module) for module in IN_ROOMS} == RANK.keys()


def test_a_room_imports_only_rooms_above_it() -> None:
    below = [
        f"{module} imports {name}, which stands below it"
        for module in IN_ROOMS
        for name in ours(module) - PACKAGES.keys()
        if RANK[room_of(name)] > RANK[room_of(module)]
    ]
    assert below == []


def test_a_room_is_entered_by_its_door() -> None:
    """A file in a room is imported by that room and by the rooms within it; others import the room itself."""
    past = [
        f"{module} imports {name} past its door"
        for module in IN_ROOMS
        for name in ours(module) - DOORS
        if room_around(name) in DOORS and not f"{module}.".startswith(f"{room_around(name)}.")
    ]
    assert past == []


@pytest.mark.parametrize("room", sorted({room_of(module) for module in IN_ROOMS}))
def test_inside_a_room_files_import_one_way(room: str) -> None:
    graph = {
        module: {name for name in ours(module) if name.startswith(f"{room}.") and name != module}
        for module in IN_ROOMS
        if module.startswith(f"{room}.") and module not in DOORS
    }
    TopologicalSorter(graph).prepare()  # raises on a circle


@pytest.mark.parametrize("package", PACKAGES)
def test_the_root_of_a_package_is_small(package: str) -> None:
    files = [path for path in PACKAGES[package].iterdir() if path.is_file()]
    assert len(files) <= AT_MOST_AT_THE_ROOT[package], sorted(path.name for path in files)


@pytest.mark.parametrize("door", sorted(DOORS))
def test_a_door_says_what_its_room_is_for_and_lists_its_names(door: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[door].read_text(encoding="utf-8")))
    assert LISTED[door] or door == "peva_env.platforms.local.functions"
    assert len(listed_in(door)) == len(LISTED[door])


def test_peva_env_never_imports_agents() -> None:
    assert [module for module in OF_ENV if any(name.startswith("peva_agents") for name in ours(module))] == []


def test_agents_see_contracts_and_space_never_memory_or_sources() -> None:
    hidden = []
    for module in OF_AGENTS:
        seen = {room_of(name).removeprefix("peva_env.") for name in ours(module) if name.startswith("peva_env.")}
        trains = room_of(module) in {"peva_agents.arena", "peva_agents.training"}
        is_fleet = room_of(module) == "peva_agents.fleet"
        may_see = FOR_FLEETS if is_fleet else FOR_TRAINERS if trains else FOR_AGENTS
        hidden += [f"{module} imports {name}" for name in seen - may_see]
    assert hidden == []


def test_only_the_vec_env_imports_what_trains() -> None:
    heavy = {"stable_baselines3", "sb3_contrib", "torch"}
    importing = [module for module in OF_ENV if heavy & {name.split(".")[0] for name in imported(module)}]
    assert importing == ["peva_env.sb3_vec_env"]


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
