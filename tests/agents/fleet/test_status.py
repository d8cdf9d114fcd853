"""The file with which a driver tells other processes of its fleet: what is not its status is refused in one line."""

import io
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from peva_agents.fleet import NodeState, Phase, load_fleet, status, stop
from peva_agents.fleet.status import FleetStatus, read_status, write_status
from peva_env.errors import PevaError
from tests.agents.fleet.test_file import write
from tests.support.processes import wait_until


@pytest.mark.parametrize("text", ["", "[]", '{"nodes": 3}', '{"nodes": {"a": {}}}', "[" * 100_000], ids=len)
def test_what_is_no_status_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_text(text)
    with pytest.raises(PevaError, match="is no status of a fleet") as caught:
        read_status(path)
    assert "\n" not in str(caught.value)


def test_a_driver_that_ends_before_it_is_stopped_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, output_dir=str(tmp_path / "out"))
    folder = load_fleet(path).folder
    folder.mkdir()
    write_status(folder / "status.json", {}, 0.0, None)
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        drivers = iter([psutil.Process(process.pid), None])
    monkeypatch.setattr(FleetStatus, "driver", property(lambda _: next(drivers)))
    stop(path, console=Console(quiet=True))


_WRITER = """
import sys
from pathlib import Path
from peva_agents.fleet.status import write_status
write_status(Path(sys.argv[1]), {}, 0.0, None)
sys.stdin.read()
"""


def test_a_driver_whose_parent_has_not_noticed_its_end_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdin=subprocess.PIPE) as process:
        assert wait_until(path.exists)
        assert read_status(path).driver is not None
        process.kill()
        assert wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
        assert read_status(path).driver is None


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.ASIDE, Phase.RESTARTING])
def test_why_a_node_does_not_go_on_is_said_in_full(phase: Phase, tmp_path: Path) -> None:
    path = write(tmp_path, output_dir=str(tmp_path / "out"))
    why = "f 30 rps: 3 run(s) in a row measured nothing: " + "other programs had the core that f needed, " * 5
    folder = load_fleet(path).folder
    folder.mkdir()
    write_status(folder / "status.json", {"a": NodeState(phase, detail=why)}, 9.0, None)
    console = Console(file=io.StringIO(), width=80)
    status(path, console=console)
    assert f"a {phase}: {why}".strip() in console.file.getvalue()  # type: ignore[attr-defined]
