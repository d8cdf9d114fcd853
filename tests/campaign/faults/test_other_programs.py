"""Other programs that take the CPU of a node: their load is never charged to the node."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("functions_framework")

from peva_env.config import parse_config
from peva_env.contracts import Verdict
from peva_env.platforms.local import LocalNode
from peva_env.sources.k6 import K6
from peva_env.system import usable_cores
from tests.support.campaigns import function
from tests.support.live import measured
from tests.support.processes import busy

pytestmark = pytest.mark.live

USES_5_MS = """
import time
async def handle(request):
    ends_at_s = time.thread_time() + 0.005
    while time.thread_time() < ends_at_s: pass
    return "done"
"""
"""One thread, so it serves 200 requests/s with a core of its own."""


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalNode]:
    monkeypatch.chdir(tmp_path)
    config = parse_config({"functions": [function("worker", USES_5_MS, concurrency=8)]})
    with LocalNode(config.functions) as started:
        yield started


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this kernel does not say how long threads wait")
def test_a_function_whose_core_other_programs_take_is_not_overloaded(node: LocalNode) -> None:
    with busy(4 * usable_cores()):
        event = measured(node, "worker", 180, K6(timeout_s=1), duration_s=3)
    assert event.verdict is Verdict.INVALID
    assert "other programs had the core that worker needed for " in " ".join(event.reasons)


@pytest.mark.alone
def test_a_function_that_has_its_core_to_itself_is_judged_by_its_load(node: LocalNode) -> None:
    events = [measured(node, "worker", rate_rps, K6(timeout_s=1), duration_s=1) for rate_rps in (100, 400)]
    assert [event.verdict for event in events] == [Verdict.OK, Verdict.OVERLOADED]
    assert events[1].functions[0].crowded_out < 0.2 * events[1].functions[0].offered
