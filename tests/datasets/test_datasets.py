"""The recordings that come with the package: there, small, whole, and without a machine's name."""

import platform
from contextlib import closing

import duckdb
import numpy as np
import pytest

from peva_env import datasets
from peva_env.errors import ConfigError
from peva_env.memory import CORE_TABLES, DuckDBMemoryStore, verify
from peva_env.memory.parquet import ParquetCheckpoint
from peva_env.sources.replay import ReplayWorld

_MOST_BYTES = 2_000_000


def test_there_is_a_folder_of_core_parquet_for_each_name() -> None:
    assert datasets.names() == ("local-node-v1",)
    for name in datasets.names():
        folder = datasets.load(name)
        assert {path.name for path in folder.iterdir()} == {f"{table}.parquet" for table in CORE_TABLES}
        assert folder.with_suffix(".md").is_file()
    assert sum(path.stat().st_size for path in datasets.load("local-node-v1").parent.rglob("*.parquet")) < _MOST_BYTES


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="'local-v1': there is none; did you mean 'local-node-v1'"):
        datasets.load("local-v1")
    with pytest.raises(ConfigError, match="there is none"):
        datasets.load("../datasets/local-node-v1")


def test_local_node_v1_is_a_whole_map_of_both_verdicts() -> None:
    world = ReplayWorld(datasets.load("local-node-v1"))
    assert world.scenarios == ("local-node-v1:checkout+primes",)
    assert world.space(0).functions == ("checkout", "primes")
    assert world.space(0).rates_rps == (tuple(range(20, 241, 20)), tuple(range(15, 181, 15)))
    assert world.recorded(np.array([0])).tolist() == [[True] * 168]
    labels = world.majority_labels(0)
    assert np.bincount(labels + 1).tolist() == [113, 0, 55]


def test_local_node_v1_has_three_iterations_of_each_configuration_and_can_be_verified() -> None:
    with closing(DuckDBMemoryStore(":memory:")) as store:
        store.startup()
        ParquetCheckpoint(store, core_dir=datasets.load("local-node-v1")).preload_core()
        connection = store.database.connection
        assert list(verify(connection)) == []
        counts = connection.execute(
            "SELECT list(DISTINCT iteration ORDER BY iteration) AS iterations, count(*) OVER () AS n, "
            "FROM execution_events GROUP BY config_id"
        ).fetchall()
        assert counts == [([0, 1, 2], 168)] * 168


def test_it_names_no_machine() -> None:
    folder = datasets.load("local-node-v1")
    with duckdb.connect() as connection:
        ((context,),) = connection.execute(
            f"SELECT context_json FROM '{folder}/run_sessions.parquet'"  # noqa: S608
        ).fetchall()
    assert "hostname" not in context
    assert f'"{platform.node()}"' not in context
    assert "/" not in context
