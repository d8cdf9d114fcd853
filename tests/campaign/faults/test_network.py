"""Names that nobody knows, and packets that are lost."""

import json
import re
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("functions_framework")

from peva_env.config import FunctionConfig
from peva_env.contracts import Verdict
from peva_env.platforms.local import LocalNode
from peva_env.sources.k6 import K6
from tests.support.live import measured

pytestmark = pytest.mark.live


class NodeByName(LocalNode):
    """A node whose functions are called by a name that no name server knows."""

    def url(self, function: str) -> str:
        return f"http://{function}.invalid/"


def test_a_name_that_cannot_be_resolved_is_invalid_not_overload() -> None:
    with NodeByName([FunctionConfig(name="fetch")]) as node:
        event = measured(node, "fetch", 10, K6(timeout_s=1), duration_s=1)
    n = event.functions[0].sent
    assert event.verdict is Verdict.INVALID
    assert event.reasons == (f"fetch was not there for most of {n} requests: {n} connection_dns",)


# One packet in a hundred is lost on the loopback of a network of its own, so that nobody else's are.

LOSSES = {
    "tc": "tc qdisc add dev lo root netem loss 1%",
    "nft": "nft add table inet t && nft add chain inet t i '{ type filter hook input priority 0; }' && "
    "nft add rule inet t i 'numgen random mod 100 < 1 counter drop'",
}
COUNTED = {"tc": "tc -s qdisc show dev lo", "nft": "nft list ruleset"}
CANNOT = 77
MEASURE = """
import json
from peva_env.config import FunctionConfig
from peva_env.platforms.local import LocalNode
from peva_env.sources.k6 import K6
from tests.support.live import measured
with LocalNode([FunctionConfig(name="fetch")]) as node:
    event = measured(node, "fetch", 50, K6(timeout_s=5), duration_s=4)
print(json.dumps([event.verdict, event.reasons, event.functions[0].sent]))
"""


def lossy(script: str) -> subprocess.CompletedProcess[str] | None:
    """Run a script in a network that loses packets, by the first means that works here; None where there is none.

    How many were lost is on its standard error.
    """
    unshare = shutil.which("unshare")
    for tool, loss in LOSSES.items():
        inside = f'ip link set lo up && {loss} || exit {CANNOT}; "$@"; {COUNTED[tool]} >&2'
        if unshare and shutil.which(tool):
            command = [unshare, "--net", "sh", "-c", inside, "sh", sys.executable, "-c", script]
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            if ended.returncode == 0:
                return ended
            assert ended.returncode in (1, CANNOT), ended.stderr  # 1: unshare itself was refused
    return None


def test_one_packet_in_a_hundred_lost_is_not_overload() -> None:
    ended = lossy(MEASURE)
    if ended is None:
        pytest.skip("no packets can be lost here: that takes root, and tc with netem or nft")
    verdict, reasons, sent = json.loads(ended.stdout)
    assert (verdict, reasons) == ("OK", [])
    assert sent > 190
    lost = re.search(r"dropped (\d+)|packets (\d+)", ended.stderr)
    assert lost
    assert int(lost[1] or lost[2]) > 0
