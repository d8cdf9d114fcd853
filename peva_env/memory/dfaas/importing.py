"""Importing recordings of DFaaS and PEVA-FAAS as campaigns of a memory."""

from collections.abc import Callable, Iterable
from pathlib import Path

from peva_env.config import LARGEST_COUNT, OverloadConfig
from peva_env.errors import ConfigError
from peva_env.memory.dfaas.rows import Units, read_recording
from peva_env.memory.importing import ImportReport, LatencyUnit, import_recordings, read_csv, unique_paths
from peva_env.memory.store import DuckDBMemoryStore


def import_dfaas(
    store: DuckDBMemoryStore,
    paths: Iterable[str | Path],
    *,
    node: str,
    cores: int,
    duration_s: float,
    latency_unit: LatencyUnit | None = None,
    ram_gib: float | None = None,
    rules: OverloadConfig | None = None,
    progress: Callable[[Path], None] = lambda _: None,
) -> ImportReport:
    """Import ``results`` and ``skipped`` files of one node, all or nothing; repeating an import changes nothing.

    Args:
        store: a started store.
        paths: the files, in any order; ``-`` is the standard input.
        node: name of the node that was measured.
        cores: CPU percentages of the node are divided by this: they are summed over the cores.
        duration_s: length of a run in seconds.
        latency_unit: DFaaS recorded nanoseconds, PEVA-FAAS and this package milliseconds; needed for files with
            latencies only.
        ram_gib: RAM of the node in GiB, for files with its use in bytes but not in percent.
        rules: the overload rules; the default ones if not given. ``ram_overload_pct=None`` is for files without RAM.
        progress: called with each file that has been read.

    Raises:
        ConfigError: an argument is out of range or missing, or two files would be the same campaign.
        MemoryStoreError: a file cannot be read, or lacks runs of its campaign in the memory, or has other values of
            them, or the memory cannot be written; nothing is changed.
    """
    if not 1 <= cores <= LARGEST_COUNT:
        raise ConfigError(f"cores = {cores}: a node needs 1 to {LARGEST_COUNT:,}")
    if ram_gib is not None and not 0 < ram_gib <= LARGEST_COUNT:
        raise ConfigError(f"ram_gib = {ram_gib:g}: must be above 0 and at most {LARGEST_COUNT:,}")
    units = Units(latency_unit, cores, duration_s, None if ram_gib is None else ram_gib * 2**30)
    rules = rules or OverloadConfig()
    return import_recordings(
        store,
        (read_recording(read_csv(path), units, rules) for path in unique_paths(paths)),
        node={"name": node, "cores": cores},
        duration_s=duration_s,
        rules=rules,
        progress=progress,
    )
