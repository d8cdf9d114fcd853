"""What is said, and within what time, when Prometheus is gone, slow, unwell or something else. Fakes at the edge."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from peva_env.errors import MetricsError
from peva_env.platforms.prometheus.client import Prometheus
from peva_env.platforms.prometheus.clock import require_same_time
from tests.support.gateway import StandIn, throw_away_ca
from tests.support.gateway import serving as serving_gateway
from tests.support.prometheus_server import Answer, free_port, scalar, serving


def asked(answer: Answer, *, round_timeout_s: float = 5.0) -> str:
    """Ask a server that answers so; return the value, or what the user reads."""
    with serving(answer) as address:
        client = Prometheus(f"http://{address}/sub/", round_timeout_s=round_timeout_s)
        try:
            return str(client.query("up", name="cpu_usage_node")[0].points[0][1])
        except MetricsError as error:
            message = str(error)
            assert "\n" not in message
            named = f"Prometheus at http://{address}/sub"
            assert message.startswith((f"{named}: cpu_usage_node: ", f"{named} answered with status 503: "))
            return message
        finally:
            client.close()


def always(status: int, body: bytes) -> Answer:
    return lambda path, parameters: (status, body)


def test_nobody_listens() -> None:
    client = Prometheus(f"http://127.0.0.1:{free_port()}", round_timeout_s=0.5)
    began_at = time.monotonic()
    with pytest.raises(
        MetricsError, match=r"refuses connections: nothing listens there; .* \(after [123] tr(y|ies) .* is it running"
    ):
        client.query("up", name="cpu_usage_node")
    assert time.monotonic() - began_at < 20


@pytest.mark.parametrize("host", ["{host.address}", "a..b", "<target-ip>"])
def test_what_is_no_host_is_not_reached(host: str) -> None:
    client = Prometheus(f"http://{host}:9090", round_timeout_s=0.0)
    with pytest.raises(
        MetricsError, match=r":9090 (has a host name that|cannot be called: ).* is prometheus_url right\?"
    ):
        client.query("up", name="cpu_usage_node")


@pytest.mark.parametrize(("errno", "once"), [(socket.EAI_NONAME, True), (socket.EAI_AGAIN, False)])
def test_a_name_that_does_not_exist_is_looked_up_once(errno: int, once: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    n_asked = 0

    def resolve(*args: object, **kw: object) -> None:
        nonlocal n_asked
        n_asked += 1
        raise socket.gaierror(errno, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    client = Prometheus("http://prometheus.invalid:9090", round_timeout_s=2.0)
    with pytest.raises(MetricsError) as caught:
        client.query("up", name="cpu_usage_node")
    assert str(caught.value).startswith(
        "Prometheus at http://prometheus.invalid:9090 has a host name that cannot be resolved "
        "(Name or service not known): correct the address"
    )
    assert str(caught.value).count("is prometheus_url right?") == 1
    assert (n_asked == 1) == once


def test_a_certificate_that_is_not_trusted_is_told_at_once(tmp_path: Path) -> None:
    _, certificate = throw_away_ca(tmp_path)
    with serving_gateway(StandIn([]), tls=certificate) as gateway:
        client = Prometheus(gateway.url, round_timeout_s=30.0)
        with pytest.raises(MetricsError, match=r"has a certificate that is not trusted .* SSL_CERT_FILE") as caught:
            client.query("up", name="cpu_usage_node")
    assert "tries" not in str(caught.value)
    assert "openfaas" not in str(caught.value)


@pytest.fixture
def silent() -> Iterator[str]:
    """Give the address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_it_hangs(silent: str) -> None:
    client = Prometheus(silent, round_timeout_s=0.5, try_timeout_s=0.2)
    with pytest.raises(MetricsError, match=r"did not answer within 0\.2 s: .* \(after [123] tries") as caught:
        client.query("up", name="cpu_usage_node")
    assert caught.value.is_temporary
    client.close()


def test_it_drips() -> None:
    stop = threading.Event()

    def drip(listening: socket.socket) -> None:
        while not stop.is_set():
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            with connection:
                try:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                    while not stop.wait(0.02):
                        connection.sendall(b" ")
                except OSError:  # the client has lost patience
                    continue

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        client = Prometheus(f"http://127.0.0.1:{listening.getsockname()[1]}", round_timeout_s=0.3, try_timeout_s=2.0)
        try:
            with pytest.raises(MetricsError, match=r"bytes in .*, and no end"):
                client.query("up", name="cpu_usage_node")
        finally:
            client.close()
            stop.set()
            thread.join()


def test_it_is_unwell_for_a_while_and_then_well_again() -> None:
    answers = iter([(503, b"starting"), (502, b""), (429, b""), scalar(7)])
    assert asked(lambda path, parameters: next(answers)) == "7.0"


def test_it_stays_unwell() -> None:
    assert "answered with status 503: starting (after" in asked(always(503, b"starting"), round_timeout_s=0.4)


def test_a_round_of_queries_has_one_timeout() -> None:
    tries = []
    with serving(always(503, b"")) as address:
        client = Prometheus(f"http://{address}", round_timeout_s=3.0)
        for _ in range(4):
            with pytest.raises(MetricsError) as caught:
                client.query("up", name="x")
            assert caught.value.is_temporary
            tries.append(int(str(caught.value).partition("(after ")[2].partition(" ")[0]))
        client.close()
    assert tries[0] > 1
    assert tries[-1] == 1


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>Grafana</html>", "no answer of Prometheus' API: '<html>Grafana"),
        (200, b'{"status": "success", "data": {}}', "no answer of Prometheus' API"),
        (200, b"[]", "no answer of Prometheus' API"),
        (200, b"[" * 100_000, "no answer of Prometheus' API"),
        (404, b"not found", "status 404"),
        (302, b"", "is prometheus_url right?"),
        (401, b"Unauthorized", "asks for a login"),
        (
            400,
            b'{"status": "error", "errorType": "bad_data", "error": "1:3: parse\\n error"}',
            "400: 1:3: parse error;",
        ),
        (422, b'{"status": "error", "error": "too many samples"}', "status 422: too many samples; correct the query"),
    ],
)
def test_what_it_answers_is_quoted(status: int, body: bytes, said: str) -> None:
    n_asked = 0

    def answer(path: str, parameters: Mapping[str, str]) -> tuple[int, bytes]:
        nonlocal n_asked
        n_asked += 1
        return status, body

    assert said in asked(answer)
    assert n_asked == 1


def test_values_are_texts_and_infinity_is_no_number() -> None:
    values = [[0, "NaN"], [1, "+Inf"], [2, "2.5"]]
    matrix = {"resultType": "matrix", "result": [{"metric": {"a": "b"}, "values": values}]}
    with serving(always(200, json.dumps({"status": "success", "data": matrix}).encode())) as address:
        client = Prometheus(f"http://{address}")
        (series,) = client.query_range("x", name="x", start_at=0, end_at=2, step_s=1)
        client.close()
    assert series.labels == {"a": "b"}
    assert [repr(value) for _, value in series.points] == ["nan", "nan", "2.5"]


@pytest.mark.parametrize(("ahead_s", "said"), [(30, r"is (29|30)\.\d s ahead of"), (-30, r"is (29|30)\.\d s behind")])
def test_a_wrong_clock_is_refused(ahead_s: float, said: str) -> None:
    with serving(lambda path, parameters: scalar(time.time() + ahead_s)) as address:
        client = Prometheus(f"http://{address}")
        with pytest.raises(MetricsError, match=said) as caught:
            require_same_time(client, 4.0)
        client.close()
    assert "at most 0.2 s are tolerated for 4.0 s: let both use the same time server" in str(caught.value)


def test_a_clock_that_is_a_little_wrong_is_taken_for_long_windows() -> None:
    with serving(lambda path, parameters: scalar(time.time() + 0.6)) as address:
        client = Prometheus(f"http://{address}")
        require_same_time(client, 30.0)
        client.close()
