"""HTTP services as a node: addresses, secrets, first calls, failures and rest, with real servers on 127.0.0.1."""

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from peva_env.campaign.factories import make_platform, measurement_context
from peva_env.config import CooldownConfig, DfaasConfig, parse_config
from peva_env.errors import ConfigError, PlatformError
from peva_env.platforms import Cooldown, Platform
from peva_env.platforms.http import HttpNode
from peva_env.testing import PlatformContract
from tests.support.gateway import throw_away_ca
from tests.support.prometheus_server import free_port
from tests.support.services import Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    """Serve a service that answers everything with 200."""
    with serving(Service()) as running:
        yield running


def config_of(url: str, *, http: dict[str, Any] | None = None, **function: Any) -> DfaasConfig:
    functions = [{"name": "app", "url": url, **function}]
    return parse_config({"platform": "http", "functions": functions, "timeout": "1s", "http": http or {}})


def node_of(url: str, **settings: Any) -> Platform:
    return make_platform(config_of(url, **settings))


class TestHttpNode(PlatformContract):
    functions = ("a", "b")

    @pytest.fixture(autouse=True)
    def _services(self) -> Iterator[None]:
        with serving(Service()) as self.one, serving(Service()) as self.other:
            yield

    def make(self) -> Platform:
        functions = [{"name": "a", "url": f"{self.one.url}/a"}, {"name": "b", "url": f"{self.other.url}/b?key=1"}]
        return make_platform(parse_config({"platform": "http", "functions": functions}))

    def make_broken(self) -> Platform:
        return node_of(f"http://127.0.0.1:{free_port()}")


# --- configuration ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"functions": [{"name": "a"}]}, r"functions\[0\].url: platform http needs the address of 'a'"),
        *(
            (
                {"functions": [{"name": "a", "url": "http://h/", key: value}]},
                rf"functions\[0\].{key}: is for the local node",
            )
            for key, value in {"source": "f.py:f", "concurrency": 4, "port": 8000}.items()
        ),
        ({"functions": [{"name": "a", "url": "127.0.0.1/a"}]}, "must be an http:// or https:// address"),
        ({"functions": [{"name": "a", "url": "http://me:secret@127.0.0.1/"}]}, "must hold no user name or password"),
        ({"functions": [{"name": "a", "url": "http://127.0.0.1/#x"}]}, "must be an http:// or https:// address"),
        (
            {"functions": [{"name": "a", "url": "http://h/?key=secret#x"}]},
            r"url = 'http://h/[?]\.\.\.: must hold no blank",
        ),
        ({"functions": [{"name": "a", "url": "http://h/%zz"}]}, "must be percent-encoded after its host"),
        ({"functions": [{"name": "a", "url": "http://h/?a=ü"}]}, "must be percent-encoded after its host"),
        ({"functions": [{"name": "a", "url": "http://h/\x01"}]}, "must be percent-encoded after its host"),
        ({"functions": [{"name": "a", "url": "http://h/?a=\x7f"}]}, "must be percent-encoded after its host"),
        ({"functions": [{"name": "a", "url": "http://h/@me"}]}, "write an @ of the path as %40"),
        (
            {
                "functions": [
                    {"name": "a", "url": "http://127.0.0.1/", "headers": {"X": "1"}, "headers_env": {"x": "V"}}
                ]
            },
            "headers_env: x is in headers, too",
        ),
        (
            {
                "functions": [{"name": "a", "url": "http://127.0.0.1/"}],
                "overload": {"cpu_overload_pct_of_capacity": 80},
            },
            "overload.cpu_overload_pct_of_capacity: nothing measures it on platform http; set prometheus_url",
        ),
        ({"platform": "local", "functions": [{"name": "a", "url": "http://127.0.0.1/"}]}, "write `platform: http`"),
        ({"platform": "local", "functions": [{"name": "a", "revision_header": "X-R"}]}, "or leave revision_header out"),
        ({"functions": [{"name": "a", "url": "http://127.0.0.1/", "revision_header": "X R"}]}, "name of a header"),
        ({"platform": "kubernetes:"}, "must be one of local, openfaas, http, or module:Class"),
    ],
)
def test_a_wrong_configuration_is_refused_with_the_remedy(config: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        parse_config({"platform": "http", **config})


def test_nothing_measures_the_machine_so_there_is_no_rule_on_it_unless_prometheus_does() -> None:
    plain = config_of("http://127.0.0.1:1")
    measured = parse_config({**plain.model_dump(exclude_unset=True), "prometheus_url": "http://127.0.0.1:9090"})

    assert plain.overload.cpu_overload_pct_of_capacity is plain.overload.ram_overload_pct is None
    assert plain.overload.success_rate_node_min == 0.95
    assert parse_config(plain.model_dump(mode="json", exclude_unset=True)) == plain
    assert isinstance(make_platform(measured), HttpNode)


# --- secrets ------------------------------------------------------------------------------------------------------


def test_secret_headers_and_query_strings_reach_the_service_and_nothing_else(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_TOKEN", "s3cr3t-token")
    config = config_of(f"{service.url}/a?code=s3cr3t-key", headers_env={"Authorization": "APP_TOKEN"})
    platform = make_platform(config)

    platform.start()

    path, headers = service.requests[0]
    assert (path, headers["authorization"]) == ("/a?code=s3cr3t-key", "s3cr3t-token")
    context = measurement_context(config, platform, "1.0")
    assert context["functions"]["app"]["headers_env"] == {"Authorization": "APP_TOKEN"}
    assert "s3cr3t" not in repr((context, platform.describe(), platform.name))
    service.status = 500
    with pytest.raises(PlatformError) as error:
        platform.start()
    assert "s3cr3t" not in str(error.value)


def test_a_variable_that_is_not_set_is_named(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APP_TOKEN", raising=False)

    with pytest.raises(ConfigError, match=r"headers_env.Authorization = 'APP_TOKEN': there is no such environment"):
        node_of(service.url, headers_env={"Authorization": "APP_TOKEN"}).start()


# --- first call and failures --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        (
            {"status": 404, "body": "no route"},
            r"404 \(no route\): there is nothing at this path; correct its url",
        ),
        ({"status": 401}, "put them into headers_env"),
        ({"status": 302, "headers": {"location": "http://elsewhere/"}}, "redirects .*elsewhere.* are not followed"),
        ({"status": 503}, "scale it up"),
        ({"body": "degraded"}, "the body holds 'degraded', which expect.body_not_contains forbids"),
        ({"body": ""}, "the body lacks 'ok', which expect.body_contains demands"),
    ],
)
def test_a_first_call_without_success_says_what_to_do(service: Service, answers: dict[str, Any], problem: str) -> None:
    for name, value in answers.items():
        setattr(service, name, value)
    expect = {"body_not_contains": "degraded"} if service.body == "degraded" else {"body_contains": "ok"}

    with pytest.raises(PlatformError, match=problem) as error:
        node_of(service.url, expect=expect).start()

    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("status", "is_temporary"), [(503, True), (500, False), (404, False)])
def test_a_service_that_has_no_room_may_have_some_later(service: Service, status: int, is_temporary: bool) -> None:
    service.status = status
    with pytest.raises(PlatformError) as caught:
        node_of(service.url).start()
    assert caught.value.is_temporary is is_temporary


def test_a_query_string_or_secret_header_that_a_service_sends_back_is_not_shown(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP_TOKEN", "planted-token")
    service.status, service.body = 403, "code=planted-key&x=1 and planted-token are not known"
    service.headers = {"location": "/a?code=planted-key&x=1"}
    node = node_of(f"{service.url}/a?code=planted-key&x=1", headers_env={"Authorization": "APP_TOKEN"})
    for service.status in (302, 403):
        with pytest.raises(PlatformError, match=f"its first call with {service.status}") as caught:
            node.start()
        assert "planted" not in str(caught.value)


def test_an_expected_status_is_a_success(service: Service) -> None:
    service.status = 404

    node_of(service.url, expect={"status": [404]}).start()


def test_a_service_that_is_gone_is_a_failure_and_one_that_is_overloaded_is_none() -> None:
    with serving(Service(status=503)) as service:
        platform = node_of(service.url)
        assert platform.failure() is None
    failure = platform.failure()
    assert failure is not None
    assert "refuses connections: nothing listens there" in failure


@pytest.mark.parametrize(
    ("error", "problem"),
    [(OSError(113, "No route to host"), "cannot be reached (No route to host)"), (TimeoutError(), None)],
)
def test_a_host_without_a_route_is_a_failure_and_one_that_is_slow_is_none(
    error: OSError, problem: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("socket.create_connection", fails)

    failure = node_of("http://127.0.0.1:1").failure()

    assert failure is None if problem is None else problem in (failure or "")


def test_a_service_that_is_replaced_is_a_failure_and_another_node(service: Service) -> None:
    service.headers = {"X-Revision": "hello-00001"}
    platform = node_of(service.url, revision_header="x-revision")
    platform.start()
    assert platform.failure() is None
    assert platform.describe()["revisions"] == {"app": "hello-00001"}

    service.headers = {"X-Revision": "hello-00002"}
    assert platform.failure() == (
        "function 'app' was replaced: its x-revision was hello-00001 and is hello-00002; "
        "start again to measure the new one"
    )
    service.headers, service.status = {}, 503  # overload is no other revision
    assert platform.failure() is None
    service.headers, service.status = {"X-Revision": "hello-00002"}, 200
    again = node_of(service.url, revision_header="x-revision")
    assert again.describe()["revisions"] == {"app": "hello-00002"}


def test_a_service_that_does_not_name_its_revision_is_refused(service: Service) -> None:
    with pytest.raises(PlatformError, match="answered without the header 'X-Rev', which revision_header"):
        node_of(service.url, revision_header="X-Rev").start()
    assert "revisions" not in node_of(service.url).describe()


def test_a_service_that_is_back_within_a_second_is_no_failure() -> None:

    with serving(Service()) as service:
        port = int(service.url.rpartition(":")[2])
    platform, back = node_of(f"http://127.0.0.1:{port}"), threading.Event()

    def restart() -> None:
        time.sleep(0.3)
        with serving(Service(), port=port):
            back.wait(5)

    restarting = threading.Thread(target=restart)
    restarting.start()
    try:
        assert platform.failure() is None
    finally:
        back.set()
        restarting.join()


def test_a_certificate_of_ones_own_is_trusted_if_its_file_is_named(tmp_path: Path) -> None:
    ca, files = throw_away_ca(tmp_path)
    with serving(Service(), tls=files) as service:
        with pytest.raises(PlatformError, match=r"not trusted .*set http\.ca_file"):
            node_of(service.url).start()
        node_of(service.url, http={"ca_file": str(ca)}).start()


# --- rest ---------------------------------------------------------------------------------------------------------


def rest_of(platform: Platform, **config: Any) -> Cooldown:
    return Cooldown(platform, CooldownConfig(max_wait_seconds=0.3, sleep_step_seconds=0.05, **config))


def test_a_run_begins_when_single_calls_are_fast_again(service: Service) -> None:
    cooldown = rest_of(node_of(service.url))
    assert cooldown.wait().problem is None

    service.delay_s = 0.2
    problem = cooldown.wait().problem
    assert problem is not None
    assert re.match(r"not at rest after \d s of cooldown: a single call of app took [2-9]", problem)

    service.delay_s = 0.0
    assert cooldown.wait().problem is None


def test_a_service_that_still_fails_is_not_at_rest(service: Service) -> None:
    cooldown = rest_of(node_of(service.url))
    service.status = 503

    assert "a single call of app failed" in (cooldown.wait().problem or "")


def test_the_shortest_pause_is_kept(service: Service) -> None:
    assert rest_of(node_of(service.url), rest_seconds=0.3).wait().waited_s >= 0.3
