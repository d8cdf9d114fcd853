"""The status of a fleet as a file: what ``peva-env fleet status`` and ``stop`` know of a driver in another process."""

import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from peva_agents.fleet.news import NodeState, Phase
from peva_env.errors import PevaError
from peva_env.system import write_text


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """The nodes of a fleet and their driver: its machine, its process, and when that started."""

    host: str
    pid: int
    started_at: float
    written_at: float
    spent_s: float
    budget_s: float | None
    nodes: Mapping[str, NodeState]

    @property
    def driver(self) -> psutil.Process | None:
        """The process of the driver, if it runs on this machine; a later process with its number is another one.

        A zombie has ended, whether or not the process that started it has noticed.
        """
        if self.host != platform.node():
            return None
        try:
            found = psutil.Process(self.pid)
            is_driver = found.create_time() == self.started_at
            return found if is_driver and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def write_status(path: Path, nodes: Mapping[str, NodeState], spent_s: float, budget_s: float | None) -> None:
    """Write the status of the fleet that this process drives; the file is complete at any moment."""
    data = {
        "host": platform.node(),
        "pid": os.getpid(),
        "started_at": psutil.Process().create_time(),
        "written_at": time.time(),
        "spent_s": spent_s,
        "budget_s": budget_s,
        "nodes": {name: state.as_data() for name, state in nodes.items()},
    }
    write_text(path, json.dumps(data, indent=2))


def read_status(path: Path) -> FleetStatus:
    """Read the status of a fleet.

    Raises:
        PevaError: there is none, or the file holds something else.
    """
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        nodes = {name: _state(state) for name, state in data.pop("nodes").items()}
        return FleetStatus(**data, nodes=nodes)
    except FileNotFoundError:
        raise PevaError(f"{path}: there is no such file: this fleet has not run yet") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise PevaError(f"{path}: is no status of a fleet ({error}); start the fleet again") from error


def _state(data: Mapping[str, Any]) -> NodeState:
    return NodeState(**{**data, "phase": Phase(data["phase"])})
