"""The local node serves real functions, says in one line what is wrong with them, and leaves nothing behind."""

import contextlib
import gc
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

pytest.importorskip("functions_framework")

from peva_env.config import FunctionConfig
from peva_env.errors import PlatformError
from peva_env.platforms.base import NodeUsage, Platform
from peva_env.platforms.local.functions import SAMPLES
from peva_env.platforms.local.node import LocalNode
from peva_env.system import install_text
from tests.support.processes import command_of, is_gone, wait_until
from tests.support.prometheus_server import free_port

WriteFunction = Callable[..., FunctionConfig]

_OK = "def handle(request):\n    return 'ok'\n"


@pytest.fixture
def write_function(tmp_path: Path) -> WriteFunction:
    """Write a function's file and return its configuration."""

    def write(code: str = _OK, *, name: str = "mine", target: str = "handle", **options: Any) -> FunctionConfig:
        file = tmp_path / f"{name}_code.py"
        file.write_text(textwrap.dedent(code))
        return FunctionConfig(name=name, source=f"{file}:{target}", **options)

    return write


def get(url: str) -> tuple[int, str]:
    """Call without a proxy, whatever the environment says."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        with connection.getresponse() as response:
            return response.status, response.read().decode()
    finally:
        connection.close()


def start_error(*functions: FunctionConfig, **options: Any) -> str:
    """Start a node that cannot start; return why, after a look that it is one line and nothing is left."""
    before = children()
    with pytest.raises(PlatformError) as caught:
        LocalNode(functions, **options).start()
    assert children() <= before
    message = str(caught.value)
    assert "\n" not in message
    return message


def children() -> set[int]:
    """Our children, apart from the guard, which stays."""
    return {child.pid for child in psutil.Process().children() if "function_server.py" in command_of(child)}


def test_the_samples_are_served_described_and_measured() -> None:
    node = LocalNode([FunctionConfig(name=name) for name in SAMPLES])
    platform: Platform = node
    with node:
        answers = {name: get(platform.url(name)) for name in SAMPLES}
        now = time.time()
        usage = platform.usage(now - 0.2, now + 0.5)
    assert {name: status for name, (status, _) in answers.items()} == dict.fromkeys(SAMPLES, 200)
    assert answers["fetch"][1] == "fetched"
    assert json.loads(answers["primes"][1])["primes"] == 2064
    assert usage.node.ram_bytes == pytest.approx(sum(one.ram_bytes or 0 for one in usage.functions.values()), abs=10)
    assert all(one.replicas == 1 and (one.ram_bytes or 0) > 10 * 2**20 for one in usage.functions.values())


def test_sample_names_hide_nothing_of_the_standard_library() -> None:
    assert not {sample.file.stem for sample in SAMPLES.values()} & sys.stdlib_module_names
    assert all(sample.file.is_file() for sample in SAMPLES.values())


def test_describe_is_plain_data_and_follows_the_code(write_function: WriteFunction) -> None:
    def describe(code: str) -> dict[str, Any]:
        node = LocalNode([write_function(code, concurrency=3), FunctionConfig(name="fetch")])
        return dict(json.loads(json.dumps(node.describe())))

    one, other = describe(_OK), describe(_OK + "# changed\n")
    assert one["functions"]["mine"].items() >= {"target": "handle", "concurrency": 3}.items()
    assert one["functions"]["fetch"]["concurrency"] == SAMPLES["fetch"].concurrency
    assert one["functions"]["mine"]["sha256"] != other["functions"]["mine"]["sha256"]
    assert {**one, "functions": 0} == {**other, "functions": 0}


def test_a_users_function_imports_its_neighbours_and_runs_in_its_folder(
    write_function: WriteFunction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each name is also a module in the server's own folder.
    (tmp_path / "base.py").write_text("GREETING = 'hello'")
    (tmp_path / "local.py").write_text("NAME = 'neighbour'")
    function = write_function("import base, local, os\ndef handle(request): return base.GREETING + os.getcwd()")
    monkeypatch.chdir(tmp_path)
    relative = function.model_copy(update={"source": "mine_code.py:handle"})
    with LocalNode([relative]) as node:
        assert get(node.url("mine")) == (200, f"hello{tmp_path.resolve()}")


def test_the_first_call_is_made_as_the_load_will_be(write_function: WriteFunction, tmp_path: Path) -> None:
    code = f"""
        async def handle(request):
            seen = [request.method, (await request.body()).decode(), request.headers["x-token"]]
            open({str(tmp_path / "seen")!r}, "a").write(" ".join(seen) + "\\n")
            return "ok"
    """
    with LocalNode([write_function(code, method="POST", body="päyload", headers={"X-Token": "abc"})]):
        pass
    assert (tmp_path / "seen").read_text() == "POST päyload abc\n"


def test_the_node_listens_on_loopback_and_on_the_port_asked_for(write_function: WriteFunction) -> None:
    port = free_port()
    with LocalNode([write_function(port=port)]) as node:
        assert node.url("mine") == f"http://127.0.0.1:{port}/"
        (server,) = children()
        assert {connection.laddr[:2] for connection in psutil.Process(server).net_connections("inet")} == {
            ("127.0.0.1", port)
        }


@pytest.mark.live
def test_beyond_its_concurrency_a_function_answers_503_and_still_serves_the_others(
    write_function: WriteFunction,
) -> None:
    # A plain function, and more at once than the default executor of a small machine has threads.
    code = "import time\ndef handle(request):\n    time.sleep(3)\n    return 'ok'"
    with LocalNode([write_function(code, concurrency=12)]) as node, ThreadPoolExecutor(20) as clients:
        started_at = time.monotonic()
        statuses = Counter(status for status, _ in clients.map(get, [node.url("mine")] * 20))
        elapsed_s = time.monotonic() - started_at
        assert statuses == {200: 12, 503: 8}
        assert elapsed_s < 5.9  # two rounds would take 6 s
        assert get(node.url("mine"))[0] == 200


@pytest.mark.live
def test_usage_of_a_busy_function_is_one_core_of_the_node(write_function: WriteFunction) -> None:
    code = """
        import time
        def handle(request):
            s = float(request.query_params.get("s", 0))
            start_at, start_s = time.time(), time.process_time()
            while time.process_time() < start_s + s: pass
            return {"start_at": start_at, "end_at": time.time(), "cpu_s": s}
    """
    with LocalNode([write_function(code), write_function(name="idle")]) as node:
        spent = json.loads(get(node.url("mine") + "?s=0.8")[1])
        usage = node.usage(spent["start_at"], spent["end_at"])
        cores = node.describe()["cpu_count"]
    cpu_pct = usage.functions["mine"].cpu_pct
    assert cpu_pct is not None
    # On a busy machine it gets less than a core.
    consumed_pct = 100 * spent["cpu_s"] / (spent["end_at"] - spent["start_at"])
    assert cpu_pct * cores == pytest.approx(consumed_pct, rel=0.3)
    assert usage.node.cpu_pct == pytest.approx(cpu_pct, abs=5)
    assert (usage.functions["idle"].cpu_pct or 0) < cpu_pct / 4


@pytest.mark.live
def test_programs_that_a_function_runs_are_charged_to_it(write_function: WriteFunction) -> None:
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    code = f"import subprocess, sys\ndef handle(request): return str(subprocess.call([sys.executable, '-c', {burn!r}]))"
    with LocalNode([write_function(code)]) as node:
        start_at = time.time()
        for _ in range(3):
            assert get(node.url("mine")) == (200, "0")
        end_at = time.time() + 0.3
        usage = node.usage(start_at - 0.3, end_at)
        cores = node.describe()["cpu_count"]
    assert (usage.node.cpu_pct or 0) / 100 * cores * (end_at - start_at + 0.3) > 0.4


def test_usage_outside_of_what_was_sampled_is_not_measured(write_function: WriteFunction) -> None:
    node = LocalNode([write_function()])
    assert node.usage(0, 1) == NodeUsage()
    with node:
        before = node.usage(0, 1)
    assert before.node == NodeUsage().node
    assert before.functions["mine"].cpu_pct is before.functions["mine"].replicas is None


def test_a_clock_that_is_set_leaves_the_samples_where_they_are(
    write_function: WriteFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = time.time
    with LocalNode([write_function()]) as node:
        assert node.usage(time.time(), time.time() + 0.3).node.cpu_pct is not None
        for set_by_s in (-3600, 3600):
            monkeypatch.setattr(time, "time", lambda by_s=set_by_s: read() + by_s)
            assert node.usage(time.time() - 0.3, time.time()).node.cpu_pct is not None


def test_a_function_that_dies_is_named_refuses_calls_and_does_not_stop_the_sampling(
    write_function: WriteFunction,
) -> None:
    code = """
        import os, sys
        def handle(request):
            if "die" in request.query_params:
                print("out of cheese", file=sys.stderr)
                os._exit(3)
            return "ok"
    """
    with LocalNode([write_function(), write_function(code, name="mortal")]) as node:
        assert node.failure() is None
        with pytest.raises(ConnectionError):
            get(node.url("mortal") + "?die")
        assert wait_until(lambda: not node.alive("mortal"))
        assert node.failure() == "function 'mortal' ended with exit code 3: out of cheese"
        with pytest.raises(ConnectionRefusedError):
            get(node.url("mortal"))
        now = time.time()
        usage = node.usage(now + 0.1, now + 0.5)
        assert node.alive("mine")
    assert (usage.functions["mortal"].replicas, usage.functions["mortal"].ram_bytes) == (0, 0)
    assert usage.functions["mine"].replicas == 1


# What can be wrong: one line that says which function, what, and what would be right.


def test_a_function_without_source_must_be_a_sample() -> None:
    message = start_error(FunctionConfig(name="fetch"), FunctionConfig(name="figlet"))
    assert message == (
        "function 'figlet': its source is missing and no sample has that name: set 'source' to file.py:target, "
        "or take a sample (checkout, fetch, primes, thumbnail)"
    )


def test_a_missing_source_file_is_named(tmp_path: Path) -> None:
    message = start_error(FunctionConfig(name="mine", source=f"{tmp_path}/no.py:handle"))
    assert f"function 'mine': its source file {tmp_path}/no.py cannot be read (No such file" in message


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "functions_framework", None)
    assert f"functions_framework cannot be imported: {install_text('local')}" in start_error(
        FunctionConfig(name="fetch")
    )


def test_names_and_ports_are_not_shared(write_function: WriteFunction) -> None:
    assert "2 functions have the name mine" in start_error(write_function(), write_function())
    both = write_function(port=8099), write_function(name="other", port=8099)
    assert "2 functions have the port 8099" in start_error(*both)


def test_a_port_in_use_is_named_with_who_holds_it(write_function: WriteFunction) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = start_error(FunctionConfig(name="fetch"), write_function(port=port))
    assert message.startswith(f"functions port {port} is in use on 127.0.0.1")
    assert "'port' of function 'mine'" in message
    if sys.platform == "linux":
        assert f"(pid {os.getpid()})" in message


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nosuchthing", "ModuleNotFoundError: No module named 'nosuchthing'"),
        ("def handle(request:\n  pass", "SyntaxError: "),
        ("def other(request): return ''", "is expected to contain a function named 'handle'. Found: 'other'"),
        ("import os; os.kill(os.getpid(), 9)", "function 'mine' was ended by SIGKILL: its log is empty"),
    ],
)
def test_a_function_that_does_not_start_is_quoted(write_function: WriteFunction, code: str, said: str) -> None:
    message = start_error(write_function(code))
    assert message.startswith("function 'mine' ")
    assert said in message


def test_a_function_that_is_never_ready_is_given_up(write_function: WriteFunction) -> None:
    function = write_function("print('waiting for a database')\nimport time; time.sleep(60)")
    message = start_error(function, ready_timeout_s=3)
    assert message == "function 'mine' was not ready within 3 s: waiting for a database"


@pytest.mark.parametrize(
    ("code", "timeout_s", "said"),
    [
        ("def handle(request): return 'no\\n such thing', 404", 5, "answered its first call with 404: no such thing"),
        (
            "def handle(request): return 1 / 0",
            5,
            "answered its first call with 500: Internal Server Error (ZeroDivisionError: division by zero)",
        ),
        ("def handle(request): __import__('os')._exit(7)", 5, "ended with exit code 7: its log is empty"),
        ("def handle(request): __import__('time').sleep(60)", 0.5, "did not answer its first call within 0.5 s"),
    ],
)
def test_a_function_that_does_not_answer_with_success_is_quoted(
    write_function: WriteFunction, code: str, timeout_s: float, said: str
) -> None:
    assert start_error(write_function(code), request_timeout_s=timeout_s) == f"function 'mine' {said}"


@pytest.mark.parametrize(
    ("code", "is_temporary"),
    [
        ("import time; time.sleep(60)", True),
        ("def handle(request): __import__('time').sleep(60)", True),
        ("import nosuchthing", False),
        ("def handle(request): return 1 / 0", False),
    ],
)
def test_a_function_that_needs_longer_may_be_ready_later(
    write_function: WriteFunction, code: str, is_temporary: bool
) -> None:
    with pytest.raises(PlatformError) as caught:
        LocalNode([write_function(code)], ready_timeout_s=3, request_timeout_s=0.5).start()
    assert caught.value.is_temporary is is_temporary


def test_misuse_is_told(write_function: WriteFunction) -> None:
    node = LocalNode([write_function()])
    node.stop()
    with pytest.raises(PlatformError, match="not been started"):
        node.url("mine")
    with node:
        with pytest.raises(PlatformError, match="it serves: mine"):
            node.url("yours")
        with pytest.raises(PlatformError, match="started already"):
            node.start()
        assert get(node.url("mine"))[0] == 200


# What is left behind: nothing.


def test_an_exception_inside_the_with_block_stops_the_node(write_function: WriteFunction) -> None:
    node = LocalNode([write_function()])
    with contextlib.suppress(RuntimeError), node:
        assert children()
        raise RuntimeError
    assert not children()
    assert node.failure() is None


def test_an_interruption_of_the_start_stops_what_was_started(
    write_function: WriteFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        assert len(children()) == 2
        raise KeyboardInterrupt

    monkeypatch.setattr("peva_env.platforms.local.function_process.FunctionProcess.await_ready", interrupt)
    with pytest.raises(KeyboardInterrupt):
        LocalNode([write_function(), write_function(name="other")]).start()
    assert not children()


def test_a_forgotten_node_is_stopped(write_function: WriteFunction) -> None:
    LocalNode([write_function()]).start()
    gc.collect()
    assert not children()


def test_a_function_that_hangs_does_not_hold_up_the_stop(write_function: WriteFunction) -> None:
    code = """
        import time
        def handle(request):
            if "hang" in request.query_params: time.sleep(60)
            return "ok"
    """
    with LocalNode([write_function(code)]) as node:
        port = int(node.url("mine").rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /?hang HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.2)
            started_at = time.monotonic()
            node.stop()
            assert time.monotonic() - started_at < 20


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, None])
def test_functions_end_with_the_program_that_serves_them(end: signal.Signals | None, tmp_path: Path) -> None:
    code = """
        import sys, time
        import psutil
        from peva_env.config import FunctionConfig
        from peva_env.platforms.local.node import LocalNode
        node = LocalNode([FunctionConfig(name="fetch"), FunctionConfig(name="primes")])
        node.start()
        print(*[child.pid for child in psutil.Process().children()], flush=True)
        sys.stdin.read()
    """
    command = [sys.executable, "-X", "dev", "-c", textwrap.dedent(code)]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as program:
        assert program.stdout is not None
        pids = [int(pid) for pid in program.stdout.readline().split()]
        assert len(pids) == 3  # two functions and the guard
        if end is not None:
            program.send_signal(end)
        _, said = program.communicate(timeout=10)
    assert wait_until(lambda: all(map(is_gone, pids)))
    assert "ResourceWarning" not in said
    if end in (None, signal.SIGINT):
        assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="counts file descriptors")
def test_starting_again_and_again_leaks_nothing(tmp_path: Path) -> None:
    code = """
        import json, tempfile, threading, urllib.request
        from pathlib import Path
        import psutil
        from peva_env.config import FunctionConfig
        from peva_env.platforms.local import LocalNode

        def held():
            process, logs = psutil.Process(), Path(tempfile.gettempdir()).glob("peva-node-*")
            return process.num_fds(), threading.active_count(), len(process.children()), len(list(logs))

        node = LocalNode([FunctionConfig(name="fetch")])
        with node:
            running = held()
        before = held()
        for _ in range(3):
            with node:
                assert urllib.request.urlopen(node.url("fetch")).status == 200
        print(json.dumps([running[3], before, held()]))
    """
    program = [sys.executable, "-c", textwrap.dedent(code)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ended = subprocess.run(program, capture_output=True, text=True, env=environment, check=True)
    n_logs, before, after = json.loads(ended.stdout)
    assert n_logs == 1
    assert before == after
