"""What a hostile input, a file from a stranger or a forgotten secret could do, and that it does not."""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peva_env.campaign import LiveCampaigns
from peva_env.campaign.artifacts import ArtifactWriter
from peva_env.campaign.factories import measurement_context
from peva_env.config import DfaasConfig, FunctionConfig, load_config, parse_config
from peva_env.contracts import ExecutionEvent
from peva_env.errors import ConfigError, MemoryStoreError, SchemaMismatchError
from peva_env.memory import DuckDBMemoryStore
from peva_env.memory.parquet import ParquetCheckpoint
from peva_env.memory.schema import TABLES
from peva_env.platforms.local import LocalNode
from peva_env.sources.k6 import FunctionLoad
from peva_env.sources.k6.plan import k6_options, k6_requests
from tests.support.builders import event, rewrite_table, session

HOSTILE = st.text(st.sampled_from("ab0 ./\\'\"`$(){};|&<>%\r\n\t=+-@é\x00\U0001f600"), max_size=20)
PLANTED = "planted-7f3a9c"


def started(path: Path) -> DuckDBMemoryStore:
    store = DuckDBMemoryStore(path)
    store.startup()
    return store


# --- names, payloads, headers and addresses -------------------------------------------------------------------------


@given(HOSTILE)
def test_a_function_name_is_safe_in_paths_shells_and_tables_or_refused(name: str) -> None:
    try:
        FunctionConfig(name=name)
    except ValueError:
        return
    assert name
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert ".." not in name
    assert name[0].isalnum()


@given(HOSTILE, HOSTILE, HOSTILE)
def test_what_k6_runs_is_the_same_whatever_it_shall_send(name: str, body: str, header: str) -> None:
    try:
        load = FunctionLoad(name, 5, "http://127.0.0.1:1/", body=body, headers={"x-token": header})
    except ConfigError:
        return
    plain = FunctionLoad("a", 5, "http://127.0.0.1:1/")
    options: dict[str, Any] = {"duration_s": 1, "timeout_s": 1, "max_vus": 10, "tags": {}}
    assert k6_options([load], **options) | {"scenarios": {}} == k6_options([plain], **options) | {"scenarios": {}}
    (request,) = json.loads(json.dumps(k6_requests([load], 1)))
    assert (request["url"], request["body"] or "") == ("http://127.0.0.1:1/", body)
    assert request["params"]["headers"] == {"x-token": header}


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "javascript:alert(1)", "http://", "//host/", "http://a b/", "http://a/\nX: 1", "ftp://a"],
)
def test_only_a_web_address_is_ever_loaded(url: str) -> None:
    with pytest.raises(ConfigError, match="must be an http:// or https:// address"):
        FunctionLoad("a", 1, url)


NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def texts() -> Iterator[DuckDBMemoryStore]:
    with closing(started(Path(":memory:"))) as store:
        store.open_session(session())
        yield store


@given(st.lists(HOSTILE, min_size=1, max_size=3, unique=True), HOSTILE)
def test_the_memory_takes_every_text_for_a_text(texts: DuckDBMemoryStore, names: list[str], reason: str) -> None:
    context = f"ctx-{next(NUMBERS)}"
    stored: ExecutionEvent = event(
        [(name, 1) for name in names], reasons=(reason,), context_hash=context, run_id=f"run-{context}"
    )
    texts.insert_events([stored])
    assert texts.events(context) == [stored]


@pytest.mark.parametrize("run_id", ["../x", "a/b", "", ".hidden", "a b", "a;b", "a\nb"])
def test_a_campaign_cannot_be_called_like_a_path(run_id: str) -> None:
    with pytest.raises(ValueError, match="run_id"):
        DfaasConfig(run_id=run_id)


# --- code that is run -----------------------------------------------------------------------------------------------


def test_a_configuration_file_runs_no_code(tmp_path: Path) -> None:
    path = tmp_path / "peva.yml"
    path.write_text(f"functions: !!python/object/apply:os.mkdir [{tmp_path / 'made'}]\n")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_config(path)
    assert not (tmp_path / "made").exists()


def test_an_entry_point_is_loaded_by_a_run_that_names_it_and_by_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from pathlib import Path\nPath('loaded').touch()\n")
    (tmp_path / "peva.yml").write_text("algorithm_entrypoint: mine:Policy\n")
    for command in ("plan", "config"):
        program = "from peva_env_command import main; main()"
        arguments = [sys.executable, "-c", program, command, "--config", "peva.yml"]
        assert subprocess.run(arguments, cwd=tmp_path, check=True, capture_output=True, timeout=60).stdout
    assert not (tmp_path / "loaded").exists()


# --- secrets --------------------------------------------------------------------------------------------------------


def test_a_header_with_a_token_is_told_apart_but_not_told() -> None:
    def context(token: str) -> str:
        config = DfaasConfig(functions=[FunctionConfig(name="fetch", headers={"Authorization": token})])
        return json.dumps(measurement_context(config, LocalNode(config.functions), "1"))

    assert context(PLANTED) != context(f"{PLANTED}!")
    assert PLANTED not in context(PLANTED)


@pytest.mark.parametrize("value", [f"Bearer {PLANTED}\nX: y", f"{PLANTED}\x00", [PLANTED]])
def test_a_configuration_with_a_header_that_cannot_be_sent_is_refused_without_its_value(value: object) -> None:
    with pytest.raises(ConfigError, match=r"functions\[0\]\.headers") as caught:
        parse_config({"functions": [{"name": "fetch", "headers": {"Authorization": value}}]})
    assert PLANTED not in str(caught.value)


def test_an_error_about_a_header_does_not_show_its_value() -> None:
    with pytest.raises(ConfigError, match="header 'x-token'") as caught:
        FunctionLoad("a", 1, "http://127.0.0.1/", headers={"x-token": f"{PLANTED}\n"})
    assert PLANTED not in str(caught.value)


# --- where load goes ------------------------------------------------------------------------------------------------


def test_a_plan_beyond_the_highest_total_rate_is_refused_before_anything_starts(tmp_path: Path) -> None:
    functions = [{"name": "a", "max_rate": 60}, {"name": "b"}, {"name": "c"}]
    plan = {
        "functions": functions,
        "rate_strategy": {"type": "random", "min_rate": 40, "max_rate": 100, "count": 61},
        "combinations": {"max_functions": 3},
        "output_dir": str(tmp_path / "results"),
    }
    with pytest.raises(ValueError, match="the heaviest configuration of this plan offers 200 requests/s"):
        DfaasConfig.model_validate(plan | {"max_total_rate": 199})
    config = DfaasConfig.model_validate(plan | {"max_total_rate": 200})
    space = LiveCampaigns(config).space
    assert max(sum(rate for _, rate in space[i]) for i in range(len(space))) == 200


# --- files from a stranger ------------------------------------------------------------------------------------------


_UNIQUE = TABLES["config_catalog"].ddl("config_catalog").removesuffix(")") + ", UNIQUE (n_functions))"


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE MACRO count(x) AS 42", "macro count"),
        ("CREATE MACRO duckdb_views() AS TABLE SELECT 1 AS view_name WHERE false", "macro duckdb_views"),
        ("CREATE VIEW extra AS SELECT 1", "view extra"),
        ("CREATE TYPE mood AS ENUM ('a')", "type mood"),
        ("CREATE UNIQUE INDEX once ON execution_events (verdict)", "unique index once"),
        (f"DROP TABLE config_catalog; {_UNIQUE}", r"UNIQUE\(n_functions\) of config_catalog"),
        ("DROP TABLE policy_updates; CREATE VIEW policy_updates AS SELECT 'x' AS run_id", "view policy_updates"),
    ],
)
def test_a_memory_that_brings_more_than_tables_is_refused(tmp_path: Path, statement: str, named: str) -> None:
    path = tmp_path / "m.duckdb"
    started(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute(statement)
    before = path.read_bytes()
    with pytest.raises(SchemaMismatchError, match=f"{named} does not belong"):
        DuckDBMemoryStore(path).startup()
    assert path.read_bytes() == before


def test_a_memory_with_a_trigger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    started(path).close()
    with duckdb.connect(str(path)) as connection:
        try:
            connection.execute("CREATE TRIGGER wipe AFTER INSERT ON execution_events DELETE FROM run_sessions")
        except duckdb.ParserException:
            pytest.skip(f"DuckDB {duckdb.__version__} has no triggers")
    with pytest.raises(SchemaMismatchError, match="trigger wipe does not belong"):
        DuckDBMemoryStore(path).startup()


def test_a_memory_with_an_index_for_the_queries_of_its_owner_is_a_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    started(path).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE INDEX by_verdict ON execution_events (verdict)")
    with closing(started(path)) as store:
        store.open_session(session())
        assert store.insert_events([event()]) == 1


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """A folder with the core tables of a memory."""
    with closing(started(tmp_path / "from.duckdb")) as store:
        store.open_session(session())
        store.insert_events([event()])
        ParquetCheckpoint(store, core_dir=tmp_path / "core").export_core()
    return tmp_path / "core"


@pytest.mark.parametrize(
    "unfolds",
    ["* REPLACE (repeat('x', 1000000) AS config_id)", "* REPLACE ([repeat('x', 1000000)] AS reasons)"],
    ids=["a long text", "a long text in a list"],
)
def test_a_small_file_that_unfolds_to_more_than_the_memory_is_refused(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unfolds: str
) -> None:
    path = exported / "execution_events.parquet"
    rewrite_table(path, f"SELECT rows.{unfolds} FROM rows, range(1100)")  # noqa: S608
    assert path.stat().st_size < 350_000
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10**9))
    with closing(started(tmp_path / "to.duckdb")) as store:
        with pytest.raises(MemoryStoreError, match="its 1,100 rows need about 1 GiB of memory, 1 GiB are free"):
            ParquetCheckpoint(store, core_dir=exported).preload_core()
        assert store.database.connection.execute("SELECT count(*) FROM run_sessions").fetchall() == [(0,)]


def test_a_folder_of_parquet_writes_nowhere_else(exported: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.parquet"
    (exported / "config_catalog.parquet").rename(outside)
    (exported / "config_catalog.parquet").symlink_to(outside)
    before = outside.read_bytes()
    with closing(started(tmp_path / "to.duckdb")) as store:
        ParquetCheckpoint(store, core_dir=exported).preload_core()
        ParquetCheckpoint(store, core_dir=exported).export_core()
    assert outside.read_bytes() == before
    assert not (exported / "config_catalog.parquet").is_symlink()


def test_names_of_functions_become_no_paths(tmp_path: Path) -> None:
    writer = ArtifactWriter(tmp_path / "results", ("a", "b"))
    assert {path.parent for path in writer.paths} == {tmp_path / "results"}
