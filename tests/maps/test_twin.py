"""The twin of a node: a simulated node fitted to runs, on simulated nodes that are known."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest

from peva_env.config import OverloadConfig
from peva_env.contracts import ExecutionEvent
from peva_env.errors import ConfigError
from peva_env.maps import NodeMap, twin_capacity, twin_labels, twin_of
from peva_env.sources.simulated import SimulatedWorld
from peva_env.space import ConfigSpace
from tests.support.builders import event, function
from tests.support.maps import OK, OVERLOADED, node_map_of

RATES = {"a": range(20, 201, 20), "b": range(20, 201, 20)}
NODE: dict[str, Any] = {
    "cores": 2,
    "ram_mib": 1024,
    "functions": {
        "a": {"cpu_ms": 10, "io_ms": 40, "concurrency": 8, "base_mib": 50, "request_mib": 20},
        "b": {"cpu_ms": 4, "io_ms": 100, "concurrency": 12, "base_mib": 50, "request_mib": 4},
    },
}
CONTEXT: dict[str, Any] = {
    "node": {"kind": "local", "hostname": "n", "cpu_count": 2},
    "functions": {"a": {}, "b": {}},
    "duration_s": 30.0,
    "timeout_s": 5.0,
    "overload": OverloadConfig().as_context(),
}


def world(node: Mapping[str, Any], noise: float = 0.0) -> SimulatedWorld:
    return SimulatedWorld(RATES, node, noise=noise)


def measured(node: Mapping[str, Any], *, noise: float = 0.0, every: int = 1) -> Iterable[ExecutionEvent]:
    """Return a run of each configuration, or of some of them."""
    simulated = world(node, noise)
    source = simulated.source(seed=0)
    for config in list(simulated.space())[::every]:
        yield source.measure(config, iteration=0, rng=np.random.default_rng(0))


def read(runs: Iterable[ExecutionEvent], context: Mapping[str, Any] = CONTEXT) -> NodeMap:
    return node_map_of(runs, context=context, space=ConfigSpace(RATES, min_functions=1, max_functions=3))


def test_a_node_that_is_like_the_model_is_found_again() -> None:
    twin = twin_of(read(measured(NODE)))

    assert twin.node["cores"] == 2
    assert twin.node["ram_mib"] == pytest.approx(1024, rel=0.01)
    for name, own in NODE["functions"].items():
        found = twin.node["functions"][name]
        assert found["concurrency"] == own["concurrency"]
        assert [found[key] for key in ("cpu_ms", "io_ms", "request_mib")] == pytest.approx(
            [own["cpu_ms"], own["io_ms"], own["request_mib"]], rel=0.05
        )
    assert twin.fit.agreement > 0.98  # at two configurations CPU is exactly at its limit
    assert twin.fit.latency_error < 0.01
    assert twin.warnings == ()


def test_a_few_noisy_runs_of_an_unknown_number_of_cores_give_nearly_the_same_map() -> None:
    context = {**CONTEXT, "node": {"name": "n"}}
    node_map = read(measured(NODE, noise=0.03, every=4), context)
    twin = twin_of(node_map)

    same = twin_labels(node_map, twin.node) == world(NODE).truth(seed=0)
    assert same.mean() > 0.95


def test_cpu_that_is_in_use_without_load_is_part_of_the_twin() -> None:
    node = {**NODE, "idle_cpu_pct": 30}
    node_map = read(measured(node))
    twin = twin_of(node_map)

    assert twin.node["idle_cpu_pct"] == pytest.approx(30)
    assert twin.fit.agreement > 0.98
    assert twin_capacity(node_map, twin.node).n_ok < twin_capacity(node_map, {**twin.node, "idle_cpu_pct": 0}).n_ok


def test_one_core_more_is_asked_of_the_twin() -> None:
    node = {**NODE, "functions": {name: {**one, "concurrency": 100} for name, one in NODE["functions"].items()}}
    node_map = read(measured(node))
    twin = twin_of(node_map)

    now, then = (twin_capacity(node_map, {**twin.node, "cores": cores}) for cores in (2, 3))

    truth = (world({**node, "cores": 3}).truth(seed=0) < 0).sum()
    assert now.n_ok < then.n_ok == pytest.approx(truth, rel=0.05)
    assert (now.total_rps or 0) < (then.total_rps or 0)


def test_what_the_model_does_not_show_is_said() -> None:
    """A node that fails at random is no queue; nothing measured its CPU, and ``b`` never failed."""
    rng = np.random.default_rng(0)
    runs = []
    for config in ConfigSpace(RATES, min_functions=2, max_functions=3):
        is_ok = bool(rng.random() < 0.5)
        functions = [function("a", dict(config)["a"], mean_ms=50.0, success_rate=1.0 if is_ok else 0.5)]
        functions.append(function("b", dict(config)["b"], mean_ms=20.0))
        runs.append(event(config, verdict=OK if is_ok else OVERLOADED, functions=tuple(functions)))
    rules = OverloadConfig(cpu_overload_pct_of_capacity=None, ram_overload_pct=None).as_context()
    twin = twin_of(read(runs, {**CONTEXT, "overload": rules}))

    assert any(warning.startswith("the model does not fit: twin and node agree on only") for warning in twin.warnings)
    assert "never overloaded, so the slots are a guess: b" in twin.warnings


def test_a_function_without_a_latency_is_named() -> None:
    runs = [event([("a", 20)], functions=(function("a", 20, mean_ms=5.0),)), event([("b", 20)])]
    with pytest.raises(ConfigError, match="no latency of b was measured; name other functions with --functions"):
        twin_of(read(runs))
