"""What a driver watches of its Ray cluster: whether its head answers, and which resources its machines have."""

import time
from collections.abc import Collection
from typing import Any

from peva_env.errors import PevaError
from peva_env.system import answers, head_address

HEAD_LOST_S = 20.0
"""Ray itself ends all processes of the cluster after 60 s without its head: the rest is for runs in progress."""

_LOOK_EVERY_S = 1.0
_MOST_MISSED = 3
"""For how many looks one that is late counts at most: a driver that was stopped for a while has not looked."""

_OF_RAY = {"CPU", "GPU", "memory", "object_store_memory"}


class RayHeadLostError(PevaError):
    """Ray's head does not answer any more; runs in progress go on for a while."""


class HeadWatch:
    """Looks now and then whether the head of a cluster answers; ``lost_s`` without an answer and it is lost."""

    def __init__(self, ray: Any, lost_s: float) -> None:
        self._address, self._lost_s = head_address(ray), lost_s
        self._looked_at, self._missed_s = time.monotonic(), 0.0

    def require(self) -> None:
        """Look, unless that was done just now.

        Raises:
            RayHeadLostError: the head is lost.
        """
        since_s, every_s = time.monotonic() - self._looked_at, min(_LOOK_EVERY_S, self._lost_s)
        if since_s < every_s:
            return
        self._looked_at = time.monotonic()
        self._missed_s = 0.0 if answers(self._address) else self._missed_s + min(since_s, _MOST_MISSED * every_s)
        if self._missed_s > self._lost_s:
            raise RayHeadLostError(
                f"Ray's head at {self._address} was lost, and Ray ends all campaigns with it; start Ray again, and the "
                "same command goes on"
            )


def resources(ray: Any) -> set[str]:
    """Return the names of the resources that users have given to machines of the cluster."""
    return {name for name in ray.cluster_resources() if ":" not in name} - _OF_RAY


def lacks_text(resource: str | None, there: Collection[str]) -> str:
    """Return that no machine has a resource, and the remedy; empty if one has it, or none is wanted."""
    if resource is None or resource in there:
        return ""
    return (
        f"no machine of the cluster has the resource {resource!r} (there are: {', '.join(sorted(there)) or 'none'}); "
        f"start one with ray start --address ... --resources '{{\"{resource}\": 1}}'"
    )
