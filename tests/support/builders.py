"""Small builders of events and sessions, and the few ways in which a test can break a disk or a permission."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from peva_env.contracts import ExecutionEvent, FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.memory import DuckDBMemoryStore, Session
from peva_env.memory.parquet import ParquetCheckpoint
from peva_env.space import Config, config_key

NOBODY_UID = 65534


def function(name: str = "a", rate_rps: int = 10, **values: Any) -> FunctionMeasurement:
    """Return a function that answered everything it was sent."""
    n = rate_rps * 2
    plain: dict[str, Any] = {"offered": n, "sent": n, "dropped": 0, "succeeded": n, "failed": {}, "success_rate": 1.0}
    return FunctionMeasurement(name, rate_rps, **(plain | values))


def event(config: Config | None = None, iteration: int = 0, verdict: Verdict = Verdict.OK, **values: Any) -> Any:
    """Return a run of a configuration (``a`` at 10 rps unless another is given) in context ``ctx`` and run ``run``."""
    config = config or [("a", 10)]
    plain: dict[str, Any] = {
        "run_id": "run",
        "context_hash": "ctx",
        "functions": tuple(function(name, rate) for name, rate in sorted(config)),
        "node": NodeMeasurement(cpu_pct=12.5, ram_pct=30.0),
        "started_at": 1000.0 + iteration,
        "ended_at": 1002.0 + iteration,
        "cost_s": 2.0,
    }
    return ExecutionEvent(config_key(config), iteration, verdict, **(plain | values))


def session(run_id: str = "run", *, repetition: int = 1, context_hash: str = "ctx", **values: Any) -> Session:
    """Return a campaign's session in context ``ctx``."""
    return Session(run_id, repetition, context_hash, {"node": context_hash}, **values)


@dataclass
class ScriptedSource:
    """Answers each run with the next verdict of its script, or by a rule; keeps what it was asked for."""

    verdict: Callable[[Config, int], Verdict] = lambda config, iteration: Verdict.OK
    before_run: Callable[[], None] = lambda: None
    cost_s: float = 2.0
    asked: list[tuple[Config, int]] = field(default_factory=list)

    def measure(self, config: Config, *, iteration: int, rng: np.random.Generator) -> ExecutionEvent:
        """Return a run at once."""
        self.before_run()
        self.asked.append((config, iteration))
        verdict = self.verdict(config, iteration)
        reasons = ("k6 said no",) if verdict is Verdict.INVALID else ()
        made: ExecutionEvent = event(
            config, iteration, verdict, run_id="", context_hash="", cost_s=self.cost_s, reasons=reasons,
            started_at=1000.0 + len(self.asked),
        )  # fmt: skip
        return made

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class RecordingPolicy:
    """Keeps what it was taught; ``failure`` is raised instead, if there is one."""

    online: list[ExecutionEvent] = field(default_factory=list)
    batches: list[list[ExecutionEvent]] = field(default_factory=list)
    score: Any = None
    failure: Exception | None = None

    def choose_batch(self, *, candidates: Sequence[Config], desired_size: int) -> Sequence[Config]:
        """Take the candidates as they come."""
        return candidates[:desired_size]

    def update_online(self, event: ExecutionEvent) -> Any:
        """Keep one event."""
        self._fail()
        self.online.append(event)
        return self.score

    def update_batch(self, events: list[ExecutionEvent]) -> Any:
        """Keep a batch."""
        self._fail()
        self.batches.append(events)
        return self.score

    def _fail(self) -> None:
        if self.failure:
            raise self.failure


@contextmanager
def small_disk(folder: Path, size_mib: int = 4) -> Iterator[Path]:
    """Mount a disk of a few MiB on a folder; a machine on which this process may not mount one skips the test."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount a small disk here: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no byte free on a disk while the block runs."""
    filler = disk / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            while file.write(b"\0" * 4096):
                pass
    except OSError:
        yield
    finally:
        filler.unlink()


@contextmanager
def without_privileges() -> Iterator[Path]:
    """Give a folder and drop root's power to write where permissions forbid it; other users never had it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        if os.geteuid() != 0:
            yield folder
            return
        os.chown(folder, NOBODY_UID, NOBODY_UID)
        os.seteuid(NOBODY_UID)
        try:
            yield folder
        finally:
            os.seteuid(0)


def write_recording(
    folder: Path, *events: ExecutionEvent, contexts: Mapping[str, Mapping[str, Any]] | None = None
) -> Path:
    """Write the core Parquet folder of a memory that holds these events; ``contexts`` are those of their hashes."""
    with closing(DuckDBMemoryStore(":memory:")) as store:
        store.startup()
        for number, (context_hash, context) in enumerate((contexts or {}).items()):
            store.open_session(Session(f"session-{number}", 1, context_hash, context))
        store.insert_events(events)
        ParquetCheckpoint(store, core_dir=folder).export_core()
    return folder


def rewrite_table(path: Path, query: str, *, label: str = "peva_faas_mem_v1", with_id: bool = True) -> None:
    """Replace an exported file by the result of a query on its ``rows``, without a checksum; it stays of its export.

    Without an id it is as of a release whose exports had none.
    """
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE rows AS FROM '{path}'")
        stored = "SELECT decode(value) FROM parquet_kv_metadata(?) WHERE decode(key) = 'export_id'"
        ids = connection.execute(stored, [str(path)]).fetchall() if with_id else []
        said = {"schema_version": label} if label else {}
        said |= {"export_id": ids[0][0]} if ids else {}
        metadata = f", KV_METADATA {said}" if said else ""
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd{metadata})")
