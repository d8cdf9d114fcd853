"""Several raylets of a real Ray on this machine, for tests and benchmarks."""

import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_LOOPBACK = "127.0.0.1"
_STORE_BYTES = 100_000_000

_STARTING = Path(tempfile.gettempdir()) / f"peva-env-raylets-{os.getuid()}.lock"
"""Held while the raylets of a cluster start: Ray gives each 30 s, too few where several clusters and tests start."""


@contextmanager
def raylets(*resources: Mapping[str, float], cpus: float = 1) -> Iterator[Any]:
    """Run a cluster with a raylet for each mapping of resources, the first one at its head; yield Ray's ``Cluster``.

    Its ``address`` is for ``--ray``; ``remove_node`` and the nodes' ``kill_raylet`` take a raylet away.
    """
    import logging

    from ray.cluster_utils import Cluster

    logging.getLogger("ray").setLevel(logging.ERROR)
    os.environ.update(RAY_worker_niceness="0")  # else workers hardly run beside other tests
    cluster: Any = Cluster()
    try:
        with _STARTING.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            for owned in resources:
                add_raylet(cluster, owned, cpus)
        yield cluster
    finally:
        cluster.shutdown()


def add_raylet(cluster: Any, resources: Mapping[str, float], cpus: float = 1) -> Any:
    """Add a raylet with these resources to a cluster, and return Ray's node."""
    return cluster.add_node(
        node_ip_address=_LOOPBACK,
        include_dashboard=False,
        # Neither scales the cluster nor copies the output of workers to the driver: each takes half a second of CPU.
        no_monitor=True,
        include_log_monitor=False,
        num_cpus=cpus,
        resources=dict(resources),
        object_store_memory=_STORE_BYTES,
    )


def addresses_listened(pids: Sequence[int]) -> set[str]:
    """Return the addresses on which these processes listen; one that has ended meanwhile listens nowhere."""
    import psutil

    found = set()
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            of_process = psutil.Process(pid).net_connections()
            found |= {one.laddr.ip.removeprefix("::ffff:") for one in of_process if one.status == psutil.CONN_LISTEN}
    return found
