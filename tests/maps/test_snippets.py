"""Limits as configuration: each snippet is tried with its program where that can run here."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from peva_env.config import OverloadConfig
from peva_env.errors import ConfigError
from peva_env.maps import SNIPPETS, NodeMap, limits_of, snippet
from peva_env.sources.k6 import K6, FunctionLoad, LoadResult, find_k6
from peva_env.space import Config
from tests.support.builders import event, function
from tests.support.haproxy import real_haproxy
from tests.support.maps import OK, OVERLOADED, node_map_of, pair
from tests.support.nginx import real_nginx
from tests.support.prometheus_server import free_port
from tests.support.services import Service, serving

RULES = OverloadConfig(p95_ms_max=200, functions={"b": {"success_rate_min": 0.5}})
CONTEXT: dict[str, Any] = {
    "node": {"kind": "http", "name": "n", "urls": {"a": "http://n:1/shop/a", "b": "http://n:1/shop/b/"}},
    "functions": {"a": {"method": "GET", "body": ""}, "b": {"method": "POST", "body": "x"}},
    "duration_s": 1.0,
    "timeout_s": 1.0,
    "overload": RULES.as_context(),
}
LIMIT_A, LIMIT_B = 40, 20


def run(config: Config, **values: Any) -> Any:
    functions = tuple(function(name, rate, p95_ms=60.0, mean_ms=50.0, **values) for name, rate in config)
    is_ok = all(rate <= {"a": LIMIT_A, "b": LIMIT_B}.get(name, 0) for name, rate in config)
    if not is_ok:
        functions = tuple(replace(one, succeeded=0, success_rate=0.0) for one in functions)
    return event(config, verdict=OK if is_ok else OVERLOADED, functions=functions)


def node_map(context: dict[str, Any] = CONTEXT, **values: Any) -> NodeMap:
    """Return the map of two functions whose limits, alone and together, are 40 and 20 requests/s."""
    alone = [[(name, rate)] for name, rate in (("a", 40), ("a", 60), ("b", 20), ("b", 30))]
    both = [pair(40, 20), pair(60, 20), pair(40, 30)]
    return node_map_of([run(config, **values) for config in (*alone, *both)], context=context)


def written(program: str, known: NodeMap) -> str:
    return snippet(program, known, limits_of(known).box)


@pytest.fixture
def known() -> NodeMap:
    return node_map()


@pytest.mark.parametrize("program", SNIPPETS)
def test_a_snippet_says_what_it_rests_on(program: str, known: NodeMap) -> None:
    heading = written(program, known).splitlines()[:5]
    assert "node n, context ctx, repetition 1" in heading[0]
    sure = r"which was OK with a confidence of (over )?0\.\d+\."
    for line, proof in zip(heading[2:], ("a 40 rps + b 20 rps", "a 40 rps", "b 20 rps"), strict=True):
        assert re.fullmatch(rf"(#|//) Follows from {re.escape(proof)}, {sure}", line)


def test_a_limit_that_is_a_lower_bound_and_a_function_without_limit_are_said() -> None:
    runs = [run([("a", 40)]), run([("b", 20)]), run([("a", 60), ("b", 30)])]
    text = written("nginx", node_map_of(runs, context=CONTEXT))
    assert "# a: 40 requests/s is a lower bound; no higher rate was proved overloaded." in text
    assert "# b: no load of it is proved safe beside the others. Do not route to it." in text


def test_paths_are_those_of_the_services_or_of_the_gateway() -> None:
    openfaas = {**CONTEXT, "node": {"kind": "openfaas", "gateway": "g"}}
    same = {**CONTEXT, "node": {"kind": "http", "urls": {"a": "http://a/", "b": "http://b/"}}}
    paths = []
    for context in (CONTEXT, openfaas, same):
        routes = yaml.safe_load(written("envoy", node_map(context)))["routes"]
        paths.append([route["match"]["path_separated_prefix"] for route in routes])
    assert paths == [["/shop/a", "/shop/b"], ["/function/a", "/function/b"], ["/a", "/b"]]


@pytest.mark.parametrize("name", ["a b", 'a"', "a;", "a}", "a\n", "$a", ""])
def test_a_name_that_could_change_a_configuration_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="must be named by letters, digits"):
        written("nginx", node_map_of([event([(name, 10)])]))


def test_a_path_that_could_change_a_configuration_is_not_taken() -> None:
    urls = {"a": "http://n/a;}", "b": "http://n/b"}
    text = written("nginx", node_map({**CONTEXT, "node": {"kind": "http", "urls": urls}}))
    assert '"~^/a(/|$)"' in text
    assert ";}" not in text


def test_a_program_that_is_not_there_and_a_map_without_limits_are_said(known: NodeMap) -> None:
    with pytest.raises(ConfigError, match="snippet 'apache': must be one of nginx, haproxy, envoy"):
        written("apache", known)
    with pytest.raises(ConfigError, match="no limit of a function is proved"):
        written("nginx", node_map_of([run([("a", 60)])]))


def offered(port: int, a: int, b: int) -> LoadResult:
    """Send both functions at these rates for two seconds, by the real k6."""
    paths = {"a": ("/shop/a/1", a), "b": ("/shop/b", b)}
    loads = [FunctionLoad(name, rate, f"http://127.0.0.1:{port}{path}") for name, (path, rate) in paths.items()]
    return K6(timeout_s=2).run(loads, duration_s=2)


def require_limits(port: int, service: Service, burst: int) -> None:
    """Check that a proxy lets loads within the limits through, and of a function no more than its limit and a burst."""
    for _ in range(3):  # beside other tests requests may come late, and then too many at once
        within = offered(port, LIMIT_A - 8, LIMIT_B - 4)
        rates = [one.success_rate for one in within.functions]
        if rates == [1.0, 1.0]:
            break
    assert rates == [1.0, 1.0]
    service.requests.clear()
    above = offered(port, 3 * LIMIT_A, LIMIT_B - 4)
    passed = Counter(path for path, _ in service.requests)
    assert 0.75 * 2 * LIMIT_A <= passed["/shop/a/1"] <= 2 * LIMIT_A + burst
    assert above.functions[1].success_rate == 1.0
    assert set(above.functions[0].failed) == {"status_429"}


@pytest.mark.live
def test_nginx_lets_no_more_through_than_the_limits(tmp_path: Path, known: NodeMap) -> None:
    port = free_port()
    with serving(Service()) as service:
        server = f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {service.url}; }} }}"
        with real_nginx(tmp_path, f"{written('nginx', known)}\n{server}", port):
            require_limits(port, service, burst=1 + LIMIT_A // 10)  # what waits at the end of the load


@pytest.mark.live
def test_haproxy_lets_no_more_through_than_the_limits(tmp_path: Path, known: NodeMap) -> None:
    port = free_port()
    own_section, frontend = written("haproxy", known).split("# For the frontend, above use_backend:\n")
    with serving(Service()) as service:
        address = service.url.removeprefix("http://")
        sections = f"""{own_section}
frontend test
    bind 127.0.0.1:{port}
{frontend}
    default_backend service
backend service
    server one {address}
"""
        with real_haproxy(tmp_path, sections, port):
            require_limits(port, service, burst=10)


@contextmanager
def k6_run(script: str, service: Service, folder: Path) -> Iterator[subprocess.CompletedProcess[str]]:
    (folder / "limits.js").write_text(script)
    command = [str(find_k6()), "run", "--quiet", "--no-usage-report", "--address", "", "-e", f"BASE_URL={service.url}"]
    yield subprocess.run([*command, str(folder / "limits.js")], capture_output=True, text=True, timeout=60)


@pytest.mark.live
@pytest.mark.parametrize(
    ("service", "code", "broken"),
    [
        (Service(), 0, set()),
        (Service(status=503), 99, {"succeeded{scenario:f0_a}", "succeeded{scenario:f1_b}", "mean_success"}),
        (Service(delay_s=0.3), 99, {"http_req_duration{scenario:f0_a,expected_response:true}"}),
    ],
    ids=["bears", "fails", "slow"],
)
def test_k6_ends_by_the_rules(tmp_path: Path, known: NodeMap, service: Service, code: int, broken: set[str]) -> None:
    with serving(service), k6_run(written("k6", known), service, tmp_path) as ended:
        assert ended.returncode == code, ended.stderr
        for threshold in broken:
            assert threshold in ended.stderr
    assert {path for path, _ in service.requests} == {"/shop/a", "/shop/b"}
    n_requests = LIMIT_A + LIMIT_B
    assert len(service.requests) == pytest.approx(n_requests, rel=0.1)  # a busy machine begins a few more or fewer


def test_k6_has_the_rules_and_requests_of_the_campaign(known: NodeMap) -> None:
    text = written("k6", known)
    parts = {name: json.loads(re.search(rf"{name} = (\{{.*?^\}});", text, re.DOTALL | re.MULTILINE)[1])  # type: ignore[index]
             for name in ("FUNCTIONS", "options")}  # fmt: skip
    assert parts["FUNCTIONS"]["f1_b"] | {"share": 0} == {
        "method": "POST",
        "path": "/shop/b",
        "body": "x",
        "statuses": [{"min": 200, "max": 299}],
        "timeout": "1s",
        "share": 0,
    }
    assert parts["options"]["thresholds"] == {
        "mean_success": ["count>=0.949999"],
        "succeeded{scenario:f0_a}": ["count>=36"],
        "http_req_duration{scenario:f0_a,expected_response:true}": ["p(95)<=200"],
        "succeeded{scenario:f1_b}": ["count>=10"],
        "http_req_duration{scenario:f1_b,expected_response:true}": ["p(95)<=200"],
    }


ENVOY_LIMIT = {"@type", "stat_prefix", "token_bucket", "filter_enabled", "filter_enforced"}
"""Fields of envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit; Envoy itself does not run here."""


def test_envoy_has_a_bucket_for_each_function_that_never_fills_faster_than_the_limit(known: NodeMap) -> None:
    parts = yaml.safe_load(written("envoy", known))
    (limiter,) = parts["http_filters"]
    assert limiter["typed_config"]["@type"].endswith("local_ratelimit.v3.LocalRateLimit")
    for route, limit_rps in zip(parts["routes"], (LIMIT_A, LIMIT_B), strict=True):
        assert route.keys() == {"match", "route", "typed_per_filter_config"}
        limit = route["typed_per_filter_config"][limiter["name"]]
        assert limit.keys() == ENVOY_LIMIT
        bucket = limit["token_bucket"]
        assert bucket.keys() == {"max_tokens", "tokens_per_fill", "fill_interval"}
        fill_s = float(bucket["fill_interval"].removesuffix("s"))
        assert 0.95 * limit_rps <= bucket["tokens_per_fill"] / fill_s <= limit_rps
        assert bucket["max_tokens"] <= 0.1 * limit_rps
        assert fill_s >= 0.05
        assert limit["filter_enforced"]["default_value"] == {"numerator": 100, "denominator": "HUNDRED"}


def test_knative_has_slots_by_littles_law_for_the_measured_instances() -> None:
    """40 requests/s of 50 ms are two at once; on two replicas one each."""
    first, second = yaml.safe_load_all(written("knative", node_map(replicas=2)))
    assert first == {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {
            "template": {
                "metadata": {"annotations": {"autoscaling.knative.dev/max-scale": "2"}},
                "spec": {"containerConcurrency": 1},
            }
        },
    }
    assert second["metadata"]["name"] == "b"


def test_openfaas_has_requests_in_flight_for_one_instance_where_none_were_counted(known: NodeMap) -> None:
    text = written("openfaas", known)
    assert "# The number of instances was not measured, one is assumed: a, b." in text
    assert yaml.safe_load(text)["functions"]["a"] == {
        "environment": {"max_inflight": "2"},
        "labels": {"com.openfaas.scale.max": "1"},
    }


def test_slots_need_a_latency() -> None:
    with pytest.raises(ConfigError, match="no latency of a was measured"):
        written("knative", node_map_of([event([("a", 40)])]))
