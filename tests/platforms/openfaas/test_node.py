"""Functions behind an OpenFaaS gateway: readiness, first calls, failures told apart, and a password that is kept."""

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from peva_env.campaign import doctor, run_checks
from peva_env.campaign.doctor import Check
from peva_env.campaign.factories import make_deployed_functions, make_platform, measurement_context
from peva_env.config import DfaasConfig, load_config, parse_config
from peva_env.errors import ConfigError, MetricsError, PlatformError
from peva_env.platforms.base import NodeUsage, Usage
from peva_env.platforms.openfaas.credentials import read_credentials
from peva_env.platforms.openfaas.deployed_function import DeployedFunction
from peva_env.platforms.openfaas.gateway import Gateway
from peva_env.platforms.openfaas.node import OpenFaasNode
from peva_env.platforms.tls import trust
from peva_env.system import Retry
from tests.support.gateway import Served, StandIn, serving, throw_away_ca

PASSWORD = "open-sesame-4711"  # noqa: S105 - of a stand-in

Serve = Callable[..., StandIn]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start stand-ins that end with the test."""
    with ExitStack() as stack:
        yield lambda *functions, tls=None, **how: stack.enter_context(serving(StandIn([*functions], **how), tls=tls))


class Measured:
    """Metrics that are always the same; whether they were released is noted."""

    min_window_s = 0.1

    def __init__(self, *missing: str, **functions: Usage) -> None:
        self.missing = missing
        self.functions = functions
        self.closed = 0
        self.checked_s: list[float] = []

    def check(self, duration_s: float) -> tuple[str, ...]:
        self.checked_s.append(duration_s)
        return self.missing

    def usage(self, start_at: float, end_at: float) -> NodeUsage:
        return NodeUsage(Usage(cpu_pct=12.0, ram_pct=30.0), self.functions, ("power was not measured",))

    def close(self) -> None:
        self.closed += 1


def settings(gateway: StandIn, *functions: str | dict[str, Any], **openfaas: Any) -> DfaasConfig:
    named = [{"name": one} if isinstance(one, str) else one for one in functions or ("figlet",)]
    return parse_config(
        {"platform": "openfaas", "gateway_url": gateway.url, "functions": named, "openfaas": openfaas, "timeout": "1s"}
    )


def client_of(config: DfaasConfig, timeouts_s: tuple[float, float] = (3.0, 10.0)) -> Gateway:
    """Return a gateway client that hardly pauses between its two tries."""
    return Gateway(
        config.gateway_url or "",
        credentials=read_credentials(config.openfaas),
        tls=trust(config.openfaas.ca_file, key="openfaas.ca_file"),
        timeout_s=timeouts_s[0],
        retry=Retry(pause_s=0.01, timeout_s=timeouts_s[1]),
    )


def node(
    gateway: StandIn,
    *functions: Any,
    metrics: Measured | None = None,
    timeouts_s: tuple[float, float] = (3.0, 10.0),
    cold_start_timeout_s: float = 120.0,
    **kw: Any,
) -> OpenFaasNode:
    """Return a node that gives up a function without a ready replica after 0.2 s."""
    config = settings(gateway, *functions, **kw)
    client = client_of(config, timeouts_s)
    deployed = [
        DeployedFunction(
            function,
            client,
            namespace=config.openfaas.namespace,
            timeout_s=5.0,
            cold_start_timeout_s=cold_start_timeout_s,
            poll_s=0.01,
        )
        for function in config.functions
    ]
    return OpenFaasNode(deployed, gateway=client, metrics=metrics or Measured(), duration_s=5, recovery_s=0.2)


def impatient(gateway: StandIn, timeout_s: float, *, cold_start_timeout_s: float = 120.0) -> DeployedFunction:
    config = settings(gateway)
    timeouts_s = {"timeout_s": timeout_s, "cold_start_timeout_s": cold_start_timeout_s, "poll_s": 0.01}
    return DeployedFunction(config.functions[0], client_of(config), namespace=None, **timeouts_s)


def refusal(gateway: StandIn, *functions: str | dict[str, Any], **kw: Any) -> str:
    """Return the one line with which a start fails."""
    with pytest.raises(PlatformError) as caught:
        node(gateway, *functions, **kw).start()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- a node that is well --------------------------------------------------------------------------------------------


def test_each_function_is_called_once_as_the_load_will(serve: Serve) -> None:
    figlet, env = Served("figlet"), Served("env", namespace="staging")
    gateway = serve(figlet, env)
    call = {"name": "figlet", "method": "POST", "body": "grüß", "headers": {"X-Kind": "ä"}}
    with node(gateway, call, "env.staging") as started:
        assert started.url("figlet") == f"{gateway.url}/function/figlet"
        assert started.url("env.staging") == f"{gateway.url}/function/env.staging"
        assert started.failure() is None
    ((method, body, headers),) = figlet.calls
    assert (method, body, headers["X-Kind"].encode("latin-1").decode()) == ("POST", "grüß", "ä")
    assert [call[0] for call in env.calls] == ["GET"]
    assert not [one for one in gateway.asked if "scale-function" in one]


@pytest.mark.parametrize("missing", [(), ("cpu_usage_function of figlet", "power_usage_node")])
def test_what_has_no_data_is_said_once(
    missing: tuple[str, ...], serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    with node(serve(Served("figlet")), metrics=Measured(*missing)) as started:
        started.usage(0, 1)
        started.usage(1, 2)
    line = "metrics: no data so far of cpu_usage_function of figlet, power_usage_node; runs are valid without"
    assert caplog.record_tuples == ([("peva_env.metrics", logging.WARNING, line)] if missing else [])


def test_a_namespace_is_that_of_every_function_without_one(serve: Serve) -> None:
    gateway = serve(Served("figlet", namespace="staging"), Served("env", namespace="live"))
    started = node(gateway, "figlet", "env.live", namespace="staging")
    started.start()
    assert started.url("figlet").endswith("/function/figlet.staging")
    assert "GET /system/function/env?namespace=live" in gateway.asked


def test_what_a_measurement_depends_on_is_described_and_replicas_are_not(serve: Serve) -> None:
    labels = {"com.openfaas.scale.max": "5", "team": "a"}
    figlet = Served("figlet", image="figlet:2", labels=labels, limits={"cpu": "500m"})
    started = node(serve(figlet))
    described = started.describe()
    assert described["functions"]["figlet"] == {
        "image": "figlet:2",
        "namespace": "openfaas-fn",
        "limits": {"cpu": "500m"},
        "requests": {},
        "scaling": {"com.openfaas.scale.max": "5"},
    }
    figlet.replicas = figlet.available = 4
    started.start()
    assert started.describe() == described


def test_an_unknown_function_has_no_url(serve: Serve) -> None:
    with pytest.raises(PlatformError, match="knows no function 'nope'; it knows: figlet"):
        node(serve()).url("nope")


def test_use_is_that_of_the_metrics_with_the_ready_replicas(serve: Serve) -> None:
    figlet = Served("figlet", replicas=3, available=2)
    metrics = Measured(figlet=Usage(cpu_pct=7.0))
    used = node(serve(figlet, Served("env", available=0)), "figlet", "env", metrics=metrics).usage(1.0, 2.0)
    assert used.functions == {"figlet": Usage(cpu_pct=7.0, replicas=2), "env": Usage(replicas=0)}
    assert (used.node.cpu_pct, used.missing) == (12.0, ("power was not measured",))


def test_replicas_that_cannot_be_asked_for_are_not_taken_for_few(serve: Serve) -> None:
    gateway = serve(Served("figlet"))
    started = node(gateway, "figlet", "env")
    gateway.provider_down = True
    with pytest.raises(MetricsError, match="replicas could not be read: function 'figlet'"):
        started.usage(1.0, 2.0)


def test_stopping_releases_the_metrics_and_leaves_the_functions(serve: Serve) -> None:
    gateway, metrics = serve(Served("figlet")), Measured()
    with node(gateway, metrics=metrics):
        before = len(gateway.asked)
    assert (metrics.closed, len(gateway.asked)) == (1, before)


def test_proxies_of_the_environment_are_not_heeded(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    other = serve()
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, other.url)
    node(serve(Served("figlet"))).start()
    assert other.asked == []


# --- functions that sleep -------------------------------------------------------------------------------------------


def test_a_function_that_sleeps_is_woken_before_its_first_measured_call(serve: Serve) -> None:
    # It takes longer to wake than a call may take.
    figlet = Served("figlet", replicas=0, available=0, starts_in_s=1.2)
    impatient(serve(figlet), timeout_s=1.0).preflight()
    assert (figlet.available, len(figlet.calls)) == (1, 2)


def test_a_function_that_nobody_wakes_is_refused(serve: Serve) -> None:
    gateway = serve(Served("figlet", replicas=0, available=0), scale_from_zero=False)
    message = refusal(gateway)
    assert f"function 'figlet' at {gateway.url}/function/figlet has no replicas" in message
    assert "No endpoints available for: figlet." in message
    assert "let the gateway scale from zero" in message


def test_a_function_that_does_not_get_ready_is_refused(serve: Serve) -> None:
    message = refusal(serve(Served("figlet", replicas=2, available=0)), cold_start_timeout_s=0.1)
    assert "has 2 replica(s), none of them ready after 0.1 s: look at its log" in message


# --- what goes wrong at the start -----------------------------------------------------------------------------------


def test_a_missing_function_is_refused_with_those_that_are_there(serve: Serve) -> None:
    gateway = serve(Served("env"), Served("nodeinfo"))
    assert f"function 'figlet': {gateway.url} has no function 'figlet'" in refusal(gateway)
    assert "deployed there: env, nodeinfo" in refusal(gateway)
    other = refusal(gateway, "env.staging")
    assert "no function 'env' in namespace 'staging'" in other
    assert "deployed there: none; namespaces: openfaas-fn" in other


def test_a_missing_function_is_refused_also_when_the_list_cannot_be_had(serve: Serve) -> None:
    gateway = serve(Served("env"), prometheus_down=True)
    assert "has no function 'figlet'" in refusal(gateway)
    node(gateway, "env").start()


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((401, "who"), "answered its first call with 401 (who): it, or a proxy before the gateway, wants credentials"),
        ((403, ""), "403 and an empty body: it, or a proxy before the gateway, refuses"),
        ((404, "no such page"), "404 (no such page): the function is deployed but has nothing at its path"),
        ((404, "error finding function figlet: x"), "the gateway cannot ask its function provider"),
        ((405, ""), "correct its method, body or headers"),
        ((429, "too many"), "429 (too many): a limit on its rate or its requests at once (max_inflight)"),
        ((500, "boom\nat line 3"), "500 (boom at line 3): look at the function's log"),
        ((502, ""), "502 and an empty body: the gateway could not reach it, or waited longer than its upstream_"),
        ((503, "busy"), "503 (busy): no replica took the call; scale it up"),
        ((504, ""), "waited too long"),
        ((302, ""), "are not followed"),
        ("drop", "closed the connection before its response was complete"),
    ],
)  # fmt: skip
def test_failed_first_calls_are_told_apart(answers: tuple[int, str] | str, said: str, serve: Serve) -> None:
    gateway = serve(Served("figlet", answers=answers))
    message = refusal(gateway)
    assert said in message
    assert message.startswith("function 'figlet'")
    assert f"{gateway.url}/function/figlet" in message


def test_a_function_that_does_not_answer_in_time_is_refused(serve: Serve) -> None:
    function = impatient(serve(Served("figlet", answers="hang")), timeout_s=0.2)
    with pytest.raises(PlatformError, match=r"figlet did not answer within 0\.2 s"):
        function.preflight()


@pytest.mark.parametrize(
    ("served", "is_temporary"),
    [
        (Served("figlet", answers="hang"), True),
        (Served("figlet", answers=(503, "busy")), True),
        (Served("figlet", replicas=1, available=0), True),
        (Served("figlet", answers=(500, "boom")), False),
        (Served("figlet", replicas=0, available=0), False),
        (Served("another"), False),
    ],
)
def test_what_was_not_ready_in_time_may_be_so_later(served: Served, is_temporary: bool, serve: Serve) -> None:
    function = impatient(serve(served, scale_from_zero=False), timeout_s=0.2, cold_start_timeout_s=0.2)
    with pytest.raises(PlatformError) as caught:
        function.preflight()
    assert caught.value.is_temporary is is_temporary


def test_a_gateway_that_hangs_may_answer_later(serve: Serve) -> None:
    with pytest.raises(PlatformError, match=r"did not answer within 0\.2 s") as caught:
        node(serve(Served("figlet"), slow_answers=2), timeouts_s=(0.1, 0.2)).start()
    assert caught.value.is_temporary


def test_a_gateway_without_its_provider_is_refused(serve: Serve) -> None:
    assert "answers 502 and an empty body: its function provider" in refusal(serve(provider_down=True))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1", "refuses connections: nothing listens there"),
        ("http://no-such-host.invalid:8080", "has a host name that cannot be resolved"),
    ],
)
def test_a_gateway_that_cannot_be_reached_is_refused(
    url: str, said: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str, *args: Any) -> Any:
        if host == "no-such-host.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found(host, *args)

    found = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve)  # so that nobody outside is asked
    config = settings(serve()).model_copy(update={"gateway_url": url})
    client = client_of(config)
    with pytest.raises(PlatformError) as caught:
        OpenFaasNode(make_deployed_functions(config, client), gateway=client, metrics=Measured(), duration_s=5).start()
    assert f"function 'figlet': {url}/system/function/figlet {said}" in str(caught.value)


def test_something_else_at_the_address_is_refused(serve: Serve) -> None:
    class Page(Served):
        def status(self) -> dict[str, Any]:
            return {"replicas": "many"}

    assert "has replicas that are no numbers: is this OpenFaaS?" in refusal(serve(Page("figlet")))
    gateway = serve()
    gateway_under_a_path = settings(gateway).model_copy(update={"gateway_url": f"{gateway.url}/elsewhere"})
    with pytest.raises(PlatformError, match="is gateway_url that of an OpenFaaS gateway"):
        client_of(gateway_under_a_path).check()


def test_redirects_are_not_followed_and_take_no_password_along(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    other = serve(Served("figlet"))
    gateway = serve(Served("figlet"), redirect_to=other.url)
    message = refusal(gateway, password_file=str(tmp_path / "password"))
    assert f"redirects are not followed; set gateway_url to where '{other.url}" in message
    assert other.asked == []


# --- failures before and after a run --------------------------------------------------------------------------------


def test_a_gateway_that_is_slow_once_is_not_a_failure(serve: Serve) -> None:
    gateway = serve(Served("figlet"))
    started = node(gateway, timeouts_s=(0.2, 20.0))
    started.start()
    gateway.slow_answers = 1
    assert started.failure() is None
    assert gateway.slow_answers == 0


def test_a_gateway_that_hangs_is_a_failure(serve: Serve) -> None:
    gateway = serve(Served("figlet"), slow_answers=2)
    assert "did not answer within 0.2 s" in str(node(gateway, timeouts_s=(0.1, 0.2)).failure())


def test_a_gateway_that_is_gone_is_a_failure() -> None:
    with serving(StandIn([Served("figlet")])) as gateway:
        started = node(gateway)
        started.start()
    assert f"function 'figlet': {gateway.url}/system/function/figlet refuses connections" in str(started.failure())


def test_a_function_that_was_removed_is_a_failure(serve: Serve) -> None:
    gateway = serve(Served("figlet"))
    started = node(gateway)
    started.start()
    gateway.functions.clear()
    assert "has no function 'figlet'" in str(started.failure())


def test_a_function_without_a_ready_replica_is_a_failure_unless_it_recovers(serve: Serve) -> None:
    figlet = Served("figlet")
    started = node(serve(figlet))
    started.start()
    figlet.available = 0
    assert "has 1 replica(s), none of them ready after 0.2 s" in str(started.failure())
    figlet.available = 1
    assert started.failure() is None


def test_a_function_that_fell_asleep_is_woken_for_the_next_run(serve: Serve) -> None:
    figlet = Served("figlet")
    started = node(serve(figlet))
    started.start()
    figlet.replicas = figlet.available = 0
    assert started.failure() is None
    assert figlet.available == 1


def test_a_function_that_was_deployed_anew_is_a_failure_until_the_node_is_begun_anew(serve: Serve) -> None:
    figlet = Served("figlet")
    started = node(serve(figlet))
    started.start()
    figlet.image = "example/function:2"
    said = "was deployed anew, with image 'example/function:2' instead of 'example/function:1'"
    assert said in str(started.failure())
    started.stop()
    started.start()
    assert started.failure() is None


# --- the password ---------------------------------------------------------------------------------------------------


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    path = tmp_path / "password.txt"
    path.write_text(f"{PASSWORD}\n")
    return str(path)


def test_the_password_opens_the_api_and_is_not_sent_to_functions(serve: Serve, password_file: str) -> None:
    figlet = Served("figlet")
    gateway = serve(figlet, password=PASSWORD)
    with node(gateway, password_file=password_file) as started:
        assert started.failure() is None
    assert [headers.get("Authorization") for _, _, headers in figlet.calls] == [None]


def test_the_password_may_come_from_the_environment(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PASSWORD", PASSWORD)
    node(serve(Served("figlet"), password=PASSWORD), password_env="GATEWAY_PASSWORD").start()  # noqa: S106


def test_a_refused_password_is_not_repeated(serve: Serve, password_file: str) -> None:
    gateway = serve(Served("figlet"), password="another")  # noqa: S106
    assert "set openfaas.password_file or openfaas.password_env" in refusal(gateway)
    message = refusal(gateway, password_file=password_file)
    assert "answers 401 (invalid credentials): correct openfaas.username (admin) or the password in" in message
    assert PASSWORD not in message


def test_a_server_that_repeats_the_password_does_not_get_it_into_an_error(password_file: str, serve: Serve) -> None:
    credentials = read_credentials(parse_config({"openfaas": {"password_file": password_file}}).openfaas)
    assert credentials is not None
    echo = f"you said {credentials.header} and {PASSWORD}"
    assert credentials.hidden(echo) == "you said Basic ... and ..."


def test_nothing_that_is_shown_or_stored_holds_the_password(serve: Serve, password_file: str) -> None:
    config = settings(serve(Served("figlet"), password=PASSWORD), password_file=password_file)
    client = client_of(config)
    started = OpenFaasNode(make_deployed_functions(config, client), gateway=client, metrics=Measured(), duration_s=5)
    shown = [config, config.model_dump(), config.model_dump_json(), started, started.describe(), started.name]
    shown += [vars(client), client.check(), measurement_context(config, started, "1.1.0")]
    assert all(PASSWORD not in f"{one!r}{one!s}" for one in shown)
    assert "admin" in repr(vars(client))  # the credentials were among what was looked at


@pytest.mark.parametrize(
    "url",
    [
        f"http://admin:{PASSWORD}@127.0.0.1:8080",
        f"http://admin:{PASSWORD}/x@127.0.0.1",
        f"http://admin:{PASSWORD} 'x@127.0.0.1",
        f"admin:{PASSWORD}@127.0.0.1",
        f"http://{PASSWORD}@127.0.0.1",
    ],
)
@pytest.mark.parametrize("key", ["gateway_url", "prometheus_url"])
def test_a_password_in_an_address_is_refused_and_not_repeated(key: str, url: str) -> None:
    with pytest.raises(ConfigError, match=r"must hold no user name or password.*openfaas\.password_file") as caught:
        parse_config({"platform": "openfaas", key: url})
    assert PASSWORD not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("127.0.0.1:8080", "must be an http:// or https:// address"),
        ("ftp://127.0.0.1", "must be an http:// or https:// address"),
        ("http://", "must be an http:// or https:// address"),
        ("http://127.0.0.1/?a=b", "must be an http:// or https:// address"),
        ("http://127.0.0.1:99999", "its port is not a number up to 65535"),
    ],
)
def test_an_address_that_is_none_is_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_config({"gateway_url": url})
    assert f"gateway_url = '{url}'" in str(caught.value)


def test_a_last_slash_is_no_part_of_an_address() -> None:
    assert parse_config({"gateway_url": " http://127.0.0.1:8080/ "}).gateway_url == "http://127.0.0.1:8080"


# --- the configuration ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("openfaas", "said"),
    [
        ({"password_file": "a", "password_env": "B"}, "give password_file or password_env, not both"),
        ({"password": PASSWORD}, "openfaas.password: unknown key; did you mean 'password_env'"),
        ({"username": "a:b"}, "openfaas.username = 'a:b'"),
        ({"namespace": "a/b"}, "openfaas.namespace = 'a/b'"),
    ],
)
def test_a_section_that_cannot_be_is_refused(openfaas: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_config({"openfaas": openfaas})
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("openfaas", "said"),
    [
        ({"password_file": "nowhere"}, "openfaas.password_file = 'nowhere': cannot be read: No such file"),
        ({"password_file": "empty"}, "openfaas.password_file = 'empty': is empty"),
        ({"password_file": "binary"}, "openfaas.password_file = 'binary': is not a text file"),
        ({"password_env": "NOT_SET_ANYWHERE"}, "'NOT_SET_ANYWHERE': there is no such environment variable"),
        ({"password_env": "EMPTY"}, "openfaas.password_env = 'EMPTY': is empty"),
        ({"ca_file": "nowhere"}, "openfaas.ca_file = 'nowhere': cannot be read: No such file"),
        ({"ca_file": "empty"}, "openfaas.ca_file = 'empty': holds no certificate in PEM form"),
    ],
)
def test_a_password_or_certificate_that_cannot_be_read_is_refused(
    openfaas: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMPTY", " ")
    Path("empty").write_text("\n")
    Path("binary").write_bytes(PASSWORD.encode() + b"\xff")
    config = {"platform": "openfaas", "gateway_url": "http://127.0.0.1:1", "openfaas": openfaas}
    with pytest.raises(ConfigError, match=said) as caught:
        make_platform(parse_config(config))
    assert PASSWORD not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_files_are_taken_relative_to_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "peva.yml"
    path.write_text("openfaas: {password_file: secrets/gateway, ca_file: /etc/ca.pem}")
    given = load_config(path).openfaas
    assert (given.password_file, given.ca_file) == (f"{tmp_path}/secrets/gateway", "/etc/ca.pem")


def test_an_untrusted_certificate_is_refused_with_what_to_do(serve: Serve, tmp_path: Path) -> None:
    ca, certificate = throw_away_ca(tmp_path)
    gateway = serve(Served("figlet"), tls=certificate)
    assert "has a certificate that is not trusted" in refusal(gateway)
    assert "set openfaas.ca_file to the certificate of its CA" in refusal(gateway)
    node(gateway, ca_file=str(ca)).start()
    plain = settings(gateway).model_copy(update={"gateway_url": gateway.url.replace("https", "http")})
    with pytest.raises(PlatformError, match="closed the connection"):
        client_of(plain).check()


def test_https_where_http_is_spoken_is_refused(serve: Serve) -> None:
    gateway = serve(Served("figlet"))
    config = settings(gateway).model_copy(update={"gateway_url": gateway.url.replace("http", "https")})
    with pytest.raises(PlatformError, match="is http:// meant instead of https://"):
        client_of(config).check()


# --- doctor ---------------------------------------------------------------------------------------------------------


def checks(gateway: StandIn, *functions: str, **kw: Any) -> dict[str, Check]:
    return {check.name: check for check in run_checks(settings(gateway, *functions, **kw))}


def test_doctor_checks_gateway_and_functions_one_by_one(serve: Serve) -> None:
    gateway = serve(Served("figlet", replicas=2, available=2), Served("env", answers=(500, "boom")))
    found = checks(gateway, "figlet", "env", "nope")
    assert found["gateway"].detail == f"OpenFaaS gateway 0.27.9 with faas-netes at {gateway.url}"
    assert found["function figlet"].detail == f"answers at {gateway.url}/function/figlet, ready replicas: 2"
    assert [found[name].passed for name in ("gateway", "function figlet")] == [True, True]
    assert "500 (boom): look at the function's log" in found["function env"].detail
    assert "deployed there: env, figlet" in found["function nope"].detail
    assert "prometheus_url is needed" in found["metrics"].detail


@pytest.mark.parametrize(
    ("missing", "said"), [((), ""), (("cpu_usage_function of figlet",), "; no data of: cpu_usage_function of figlet")]
)
def test_doctor_says_what_is_not_measured(
    missing: tuple[str, ...], said: str, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = Measured(*missing)
    monkeypatch.setattr(doctor, "make_metrics", lambda config: metrics)
    config = settings(serve(Served("figlet"))).model_copy(update={"prometheus_url": "http://127.0.0.1:9090"})
    found = {check.name: check for check in run_checks(config)}["metrics"]
    assert found.passed
    assert found.detail == f"from Prometheus at http://127.0.0.1:9090{said}"
    assert metrics.closed == 1


def test_doctor_asks_for_no_function_where_the_gateway_is_not_well(serve: Serve) -> None:
    found = checks(serve(Served("figlet"), provider_down=True))
    assert "answers /healthz with 502" in found["gateway"].detail
    assert "function figlet" not in found
    assert "set openfaas.password_file" in checks(serve(Served("figlet"), password=PASSWORD))["gateway"].detail
