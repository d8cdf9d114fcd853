"""Which tests run at the same time: tests that compute beside tests that wait, and at the end those marked ``alone``.

Without xdist the tests run one after the other. With it (``-n``), there are two kinds of workers:

- *waiting* workers run the tests marked ``live``, ``prometheus`` or ``ray``, which mostly wait for k6, Prometheus or a
  raylet. Then they help the other workers; at the very end one of them runs the tests marked ``alone``.
- *computing* workers run everything else. They have a low priority, so that k6 is not late for them.

A worker gets a file of tests at a time, since the tests of a file share fixtures. Of the tests that wait the files with
most tests come first, so that none of them is left for the end. The others come in the order in which pytest collects
them, but those at the root of ``tests`` first: some take long, and the many files in folders fill the end better.

A lock makes ``alone`` true however the tests are started: each test holds it shared, an ``alone`` test exclusively. The
lock file is the same for every pytest of this user, so two test runs on one machine keep apart, too.
"""

import fcntl
import importlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

_TESTS = Path(__file__).parents[1]
_RAM_DISK = Path("/dev/shm")
_ENOUGH_BYTES = 4 * 2**30
_NICENESS = 10
_MAX_CORES = 4
_CYCLE = 5
"""The kinds of workers repeat: of five, every other one, beginning with the first, waits; the others compute."""

WAITING, COMPUTING, ALONE = "waits", "computes", "alone"
"""The kinds of tests; the workers are of the first two."""


def keep_temporary_files_in_ram() -> None:
    """Choose Linux's file system in RAM for temporary files, unless ``TMPDIR`` names another folder.

    A memory waits for the disk at each commit, which is half of the time of its tests. A killed process loses no more
    there than on a disk. In many containers the file system is too small, or executes no programs, as some tests do.
    """
    if "TMPDIR" in os.environ or not _RAM_DISK.is_dir():
        return
    found = os.statvfs(_RAM_DISK)
    if found.f_bavail * found.f_frsize >= _ENOUGH_BYTES and not found.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = str(_RAM_DISK)
        tempfile.tempdir = None  # it is looked up again


@contextmanager
def machine(*, exclusive: bool) -> Iterator[None]:
    """Hold the machine: beside other tests, or ``exclusive``, as soon as no other test runs."""
    with (Path(tempfile.gettempdir()) / f"peva-env-tests-{os.getuid()}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # also for a process that was forked meanwhile and still has the file


def n_workers() -> int:
    """Return how many workers ``-n auto`` starts: for two cores two that compute and three that wait."""
    return _CYCLE * min(os.cpu_count() or 1, _MAX_CORES) // 2


def kind_of_worker(worker_id: str) -> str:
    """Return the kind of a worker by its name, such as ``gw0``."""
    return COMPUTING if int(worker_id.removeprefix("gw")) % _CYCLE % 2 else WAITING


def give_way(worker_id: str) -> None:
    """Lower the priority of a worker that computes."""
    if kind_of_worker(worker_id) == COMPUTING:
        os.nice(_NICENESS)


def import_apart(worker: Mapping[str, Any], args: Iterable[str]) -> None:
    """Import the files of tests, each worker from another one on: pytest compiles each, and keeps it for all workers.

    That takes ten seconds of CPU for all files, and workers that import them in one order all compile all of them.
    """
    paths = [Path(arg.partition("::")[0]).resolve() for arg in args]
    files = [file for path in paths for file in (sorted(path.rglob("test_*.py")) if path.is_dir() else [path])]
    for file in from_another_on(files, int(worker["workerid"].removeprefix("gw")), worker["workercount"]):
        if file.is_relative_to(_TESTS):
            with suppress(Exception, pytest.skip.Exception):  # the collection tells of it
                importlib.import_module(".".join(file.relative_to(_TESTS.parent).with_suffix("").parts))


def from_another_on[T](items: Sequence[T], number: int, n_workers: int) -> list[T]:
    """Return all items, beginning at another place for each worker."""
    first = number * len(items) // n_workers
    return [*items[first:], *items[:first]]


def write_groups(worker: Mapping[str, str], items: Iterable[pytest.Item]) -> None:
    """Say which tests belong together, for the scheduler: it is in another process, and knows only their names."""
    _groups_path(worker).write_text(json.dumps({item.nodeid: _group(item) for item in items}))


def _groups_path(worker: Mapping[str, str]) -> Path:
    return Path(tempfile.gettempdir()) / f"peva-env-tests-{worker['testrunuid']}-{worker['workerid']}.json"


def _group(item: pytest.Item) -> str:
    """Return the name of a group, which begins with its kind: the tests of a kind in a file, or all that run alone."""
    if item.get_closest_marker("alone"):
        return ALONE
    waits = any(item.get_closest_marker(mark) for mark in ("live", "prometheus", "ray"))
    return f"{WAITING if waits else COMPUTING}:{item.nodeid.partition('::')[0]}"


def next_group(sizes: Mapping[str, int], kinds: Iterable[str]) -> str | None:
    """Return the group that a worker gets next: of the first of its kinds that is left, files at the root first.

    ``sizes`` are the groups with the number of their tests.
    """

    def place(name: str) -> tuple[bool, int]:
        return name.count("/") > 1, -sizes[name] if name.startswith(WAITING) else 0

    left = sorted(sizes, key=place)  # stable
    return next((name for kind in kinds for name in left if name.partition(":")[0] == kind), None)


class TwoKinds(LoadScopeScheduling):
    """Hands groups of tests to the workers of their kind."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self._groups: dict[str, str] = {}

    def add_node_collection(self, node: WorkerController, collection: Sequence[str]) -> None:
        path = _groups_path(node.workerinput)
        self._groups |= json.loads(path.read_text())
        path.unlink()
        super().add_node_collection(node, collection)

    def _split_scope(self, nodeid: str) -> str:
        return self._groups[nodeid]

    def _assign_work_unit(self, node: WorkerController) -> None:
        name = self._next_group(node)
        if name is not None:
            self.workqueue.move_to_end(name, last=False)
            super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        if self.workqueue and self._next_group(node) is None and not node.shutting_down:
            node.shutdown()  # after the tests that it still has
        else:
            super()._reschedule(node)

    def _next_group(self, node: WorkerController) -> str | None:
        waiting = [worker for worker in self.nodes if kind_of_worker(worker.gateway.id) == WAITING]
        kinds = (WAITING, COMPUTING, ALONE) if node in waiting or not waiting else (COMPUTING,)
        return next_group({name: len(tests) for name, tests in self.workqueue.items()}, kinds)
