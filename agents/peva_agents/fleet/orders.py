"""What the driver gives a node that begins, and what its machine needs for that: k6 in the fleet's version."""

from dataclasses import dataclass
from typing import Any

import gymnasium

from peva_agents.fleet.exchange import Tables
from peva_agents.fleet.file import FleetNode
from peva_env.campaign import make_generator
from peva_env.config import DfaasConfig
from peva_env.errors import LoadGeneratorError


@dataclass(frozen=True, slots=True)
class Orders:
    """What the driver gives a node that begins.

    ``run_id`` names its campaign, ``known`` are tables of the fleet's memory: what was measured of the node, and what
    it may learn from others. ``k6_version`` is the one with which the fleet measures; None if that is not known.
    """

    node: FleetNode
    agent: str
    run_id: str
    known: Tables
    k6_version: str | None = None


def live_env(orders: Orders, settings: DfaasConfig) -> gymnasium.Env[Any, Any]:
    """Return the live environment of a node.

    Raises:
        LoadGeneratorError: this machine has no k6, or another version than the fleet.
    """
    require_k6(live_k6_version(settings), orders.k6_version)
    return gymnasium.make("peva/FaasLive-v1", config=settings.model_dump(mode="json", exclude_unset=True))


def live_k6_version(settings: DfaasConfig) -> str | None:
    """Return the version of this machine's k6.

    Raises:
        LoadGeneratorError: this machine has no k6.
    """
    return make_generator(settings).version


def require_k6(version: str | None, of_fleet: str | None) -> None:
    """Check that a machine has the k6 of its fleet; None stands for a version that is not known.

    Raises:
        LoadGeneratorError: it has another one.
    """
    if None not in (version, of_fleet) and version != of_fleet:
        raise LoadGeneratorError(
            f"this machine has k6 {version}, and the fleet measures with k6 {of_fleet}, so that its runs could not be "
            f"compared; install k6 {of_fleet} here, or begin another output_dir"
        )
