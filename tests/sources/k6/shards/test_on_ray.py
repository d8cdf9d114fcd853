"""One run from generators on several raylets of a real Ray, each with a k6 of its own."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from peva_env.errors import ConfigError, LoadGeneratorError, PevaError
from peva_env.sources.k6 import K6, FunctionLoad, Generators, RayPlace
from tests.support.http_server import Server
from tests.support.raylets import raylets

pytest.importorskip("ray", reason="needs the `ray` extra")

pytestmark = [pytest.mark.ray, pytest.mark.live, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with raylets({}, {}, {}) as running:
        yield running


def test_more_generators_than_workers_are_refused(cluster: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"^generators = 4: Ray has only 3 worker\(s\) with a CPU for one; start Ray on"
    ):
        RayPlace(4, cluster.address)


def test_an_address_without_ray_is_one_line() -> None:
    with pytest.raises(PevaError, match=r"^ray: 127\.0\.0\.1:9: no Ray answers there"):
        RayPlace(2, "127.0.0.1:9")


def test_a_worker_without_k6_is_named(cluster: Any) -> None:
    with (
        closing(Generators(RayPlace(2, cluster.address, "/nowhere/k6"))) as generators,
        pytest.raises(LoadGeneratorError, match=r"^generator \d of 2 on 127\.0\.0\.1: k6_path = '/nowhere/k6': is not"),
    ):
        K6(timeout_s=1, generators=generators)


def test_workers_with_different_versions_of_k6_are_refused(cluster: Any, tmp_path: Path) -> None:
    path = tmp_path / "k6"
    path.write_text(f"#!/bin/sh\nmkdir {tmp_path}/first 2>/dev/null && echo k6 v1.1.0 || echo k6 v1.0.0\n")
    path.chmod(0o755)
    with (
        closing(Generators(RayPlace(2, cluster.address, str(path)))) as generators,
        pytest.raises(ConfigError, match=r"^generators: generator 1 of 2 on 127\.0\.0\.1 has k6 1\.\d\.0, but gen"),
    ):
        K6(timeout_s=1, generators=generators)


def test_a_run_counts_to_the_request_and_a_lost_generator_is_named_and_replaced(cluster: Any, server: Server) -> None:
    place = RayPlace(2, cluster.address)
    k6 = K6(timeout_s=1, generators=Generators(place))
    load = FunctionLoad("f", 41, server.url("/delay/0.01"))

    def is_whole(n_tries: int = 10) -> bool:
        try:
            result = k6.run([load], duration_s=2)
        except LoadGeneratorError as error:  # other tests keep the machine busy
            if "ms late" not in str(error) or n_tries == 1:
                raise
            return is_whole(n_tries - 1)
        shares: list[int] = [generator["iterations"]["f0"] for generator in result.raw_summary["generators"]]
        (function,) = result.functions
        return function.succeeded == sum(shares) and 82 <= sum(shares) <= 84 and max(shares) - min(shares) <= 2

    try:
        assert is_whole()
        taken = set(place.node_ids)
        (lost,) = [node for node in cluster.worker_nodes if node.node_id in taken][:1]

        def lose() -> None:
            time.sleep(2)
            cluster.remove_node(lost, allow_graceful=False)

        thread = threading.Thread(target=lose)
        thread.start()
        with pytest.raises(
            LoadGeneratorError, match=r"^generator \d of 2 on 127\.0\.0\.1: it is lost: its machine, or Ray"
        ):
            k6.run([load], duration_s=20)
        thread.join()
        assert is_whole(), "another raylet takes its place"
        assert lost.node_id not in place.node_ids
    finally:
        k6.close()
