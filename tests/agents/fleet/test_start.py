"""What a fleet refuses and tells before it starts Ray."""

import io
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from peva_agents.fleet import NodeState, Phase, load_fleet, run, status
from peva_agents.fleet.status import write_status
from peva_env.errors import ConfigError, MemoryStoreError, PevaError


@pytest.fixture(autouse=True)
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peva_env.system.cluster._join", pytest.fail)


def write(folder: Path, **node: Any) -> Path:
    path = folder / "fleet.yml"
    path.write_text(yaml.safe_dump({"output_dir": str(folder / "out"), "nodes": [{"name": "a", **node}]}))
    return path


@pytest.mark.parametrize("ray", [None, "local"])
def test_a_resource_needs_a_cluster(ray: str | None, tmp_path: Path) -> None:
    path = write(tmp_path, resource="near-a")
    with pytest.raises(ConfigError, match=r"fleet\.yml: node a: resource = 'near-a': a Ray .* choose .* with --ray"):
        run(path, console=Console(quiet=True), ray=ray)
    assert not (tmp_path / "out").exists()


def test_an_empty_address_is_no_request_for_a_ray_of_its_own(tmp_path: Path) -> None:
    """Such as that of an unset variable: ``--ray "$ADDRESS"``."""
    with pytest.raises(ConfigError, match=r"--ray '': must be auto, local or HOST:PORT"):
        run(write(tmp_path), console=Console(quiet=True), ray="")


def test_a_memory_of_a_fleet_that_cannot_be_used_is_told_with_the_key_that_names_it(tmp_path: Path) -> None:
    path = write(tmp_path)
    memory = load_fleet(path).memory
    memory.parent.mkdir()
    memory.write_text("not a database")
    with pytest.raises(MemoryStoreError, match=r"fleet\.duckdb: is not a DuckDB database; choose another output_dir$"):
        run(path, console=Console(quiet=True))


def test_a_fleet_whose_ray_is_starting_has_a_driver_and_measures_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="needs the `ray` extra")
    path, said, found = write(tmp_path), io.StringIO(), io.StringIO()
    folder = load_fleet(path).folder
    folder.mkdir()
    killed = NodeState(Phase.MEASURING, n_measured=31, n_left=44, last="f 30 rps: OK", detail="f 40 rps (run 1)")
    write_status(folder / "status.json", {"a": killed}, 9.0, None)
    (folder / "fleet.duckdb").touch()

    def join(ray: Any, given: Any) -> None:
        status(path, console=Console(file=found, width=200))
        raise PevaError("Ray cannot be started")

    monkeypatch.setattr("peva_env.system.cluster._join", join)
    with pytest.raises(PevaError, match="cannot be started"):
        run(path, console=Console(file=said, width=200))
    assert f"process {os.getpid()} drives the fleet" in found.getvalue()
    assert "starting Ray on this machine" in said.getvalue()
    assert re.search("a +waiting +31 +44 +f 30 rps: OK", found.getvalue())
    assert "run 1" not in found.getvalue()


def test_a_fleet_that_ends_with_an_error_keeps_its_memory_and_can_be_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A memory is left as it was where a command fails; but a fleet has stored runs in it by then."""
    pytest.importorskip("ray", reason="needs the `ray` extra")
    path = write(tmp_path)

    def join(*_: Any) -> None:
        raise PevaError("Ray was lost")

    monkeypatch.setattr("peva_env.system.cluster._join", join)
    for _ in range(2):
        with pytest.raises(PevaError, match="Ray was lost"):
            run(path, console=Console(quiet=True))
        assert load_fleet(path).memory.exists()
