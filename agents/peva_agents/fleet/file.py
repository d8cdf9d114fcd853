"""The file of a fleet: defaults, and the nodes with what differs from them."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from peva_env.config import DfaasConfig, Section, parse_config_beside, read_mapping, validated
from peva_env.errors import ConfigError
from peva_env.memory import ANOTHER_FILE
from peva_env.system import local_path

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,39}")
"""Without a dot: the names of campaigns are ``NODE.MOMENT``."""

_OWN = ("name", "resource")
"""Keys of a node that are not keys of its campaign's configuration."""

_GIVEN_BY_FLEET = {
    "output_dir": "the fleet has a folder for each node in its own output_dir",
    "run_id": "a fleet names its campaigns NODE.MOMENT",
    "ray": "a fleet is on Ray itself, and the generators of a node are on its machine",
    "memory.db_path": "each node has a memory in its folder, and the fleet has one for all",
}


class FleetFile(Section):
    """All keys of the file. An unknown key is an error."""

    agent: str = Field("bisection", description="the agent of all nodes, as for peva-env run")
    budget_seconds: float | None = Field(None, gt=0, description="machine time for all nodes together, in seconds")
    max_loaded: int | None = Field(None, ge=1, description="nodes that are under load at the same time, at most")
    output_dir: str = Field("peva-fleet", min_length=1, description="folder of the fleet's memory, and of each node")
    defaults: dict[str, Any] = Field(default_factory=dict, description="configuration of all campaigns")
    nodes: list[dict[str, Any]] = Field(
        min_length=1, description="name, resource (of Ray, where it is measured from), and what differs from defaults"
    )

    @field_validator("output_dir")
    @classmethod
    def _local(cls, value: str) -> str:
        return str(local_path(value))


@dataclass(frozen=True, slots=True)
class FleetNode:
    """A node: its name, the Ray resource of the machines that may load it (None: any), and its configuration."""

    name: str
    resource: str | None
    settings: DfaasConfig


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """What is to be measured: the nodes, the agent, the limits, and the folder of the results, which is absolute."""

    file: Path
    nodes: tuple[FleetNode, ...]
    agent: str
    folder: Path
    budget_s: float | None
    max_loaded: int | None

    @property
    def memory(self) -> Path:
        """The file of the fleet's memory."""
        return self.folder / "fleet.duckdb"

    def memory_of(self, name: str) -> Path:
        """Return the file of a node's own memory, on the machine that loads it."""
        return _folder_of(self.folder, name) / "peva_faas.duckdb"


def load_fleet(path: Path) -> FleetPlan:
    """Read the file of a fleet.

    Raises:
        ConfigError: the file cannot be read, a key or value is wrong, or two nodes have one name.
    """
    found = validated(FleetFile, read_mapping(path), where=str(path))
    folder = Path(found.output_dir).absolute()
    _require_in_place(f"{path}: defaults", found.defaults, own=())
    nodes = tuple(_node(path, folder, found.defaults, index, given) for index, given in enumerate(found.nodes))
    names = [node.name.casefold() for node in nodes]  # each is a folder, and some file systems know no case
    for node in nodes:
        if names.count(node.name.casefold()) > 1:
            raise ConfigError(
                f"{path}: nodes: the name {node.name!r} is there twice, in upper or lower case; each node has its own"
            )
    return FleetPlan(path, nodes, found.agent, folder, found.budget_seconds, found.max_loaded)


def advice_of_fleet(problem: str) -> str:
    """Return what is wrong with a memory, with the key that chooses it in a fleet, where no memory has a db_path."""
    return problem.replace(ANOTHER_FILE, "choose another output_dir")


def _node(path: Path, folder: Path, defaults: Mapping[str, Any], index: int, given: Mapping[str, Any]) -> FleetNode:
    name, resource = given.get("name"), given.get("resource")
    if name is None:
        raise ConfigError(f"{path}: nodes[{index}].name: is required, for example {{name: node-{index + 1}}}")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{path}: nodes[{index}].name = {name!r:.60} must begin with a letter or digit, and hold up to 40 letters, "
            "digits, '-' and '_'"
        )
    where = f"{path}: node {name}"
    _require_in_place(where, given, own=_OWN)
    if resource is not None and (not isinstance(resource, str) or not resource.strip()):
        raise ConfigError(
            f"{where}: resource = {resource!r:.60} must be the name of a Ray resource, such as near-{name}"
        )
    data = _merged(defaults, {key: value for key, value in given.items() if key not in _OWN})
    for key, reason in _GIVEN_BY_FLEET.items():
        section, _, inner = key.partition(".")
        value = data.get(section)
        if (inner in value if isinstance(value, Mapping) else False) if inner else section in data:
            raise ConfigError(f"{where}: leave out {key}: {reason}")
    settings = parse_config_beside(data | {"output_dir": str(_folder_of(folder, name))}, path, where=where)
    return FleetNode(name, resource, settings)


def _require_in_place(where: str, given: Iterable[object], *, own: Iterable[str]) -> None:
    """Refuse keys of the fleet or of a node that stand in another place or are misspelt, with the right place or name.

    All other keys are those of a campaign's configuration, which has its own check.
    """
    for key in map(str, given):
        if key in DfaasConfig.model_fields or key in own:
            continue
        if key in _OWN:
            raise ConfigError(f"{where}: {key}: is a key of each node of nodes")
        if key in FleetFile.model_fields:
            raise ConfigError(f"{where}: {key}: is a key of the whole fleet, beside defaults and nodes")
        nearest = difflib.get_close_matches(key, [*DfaasConfig.model_fields, *own], n=1)
        if nearest and nearest[0] in own:
            raise ConfigError(f"{where}: {key}: unknown key; did you mean {nearest[0]!r}?")


def _folder_of(folder: Path, name: str) -> Path:
    return folder / "nodes" / name


def _merged(defaults: Mapping[str, Any], differs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults with what differs; sections are merged, lists replaced."""
    merged = dict(defaults)
    for key, value in differs.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
