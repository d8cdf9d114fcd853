"""The command line of the memory, in processes of their own."""

import csv
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from peva_env.memory import DuckDBMemoryStore
from tests.support.builders import event, session, small_disk
from tests.support.commands import complaint, files
from tests.support.dfaas_files import STAMPED, row, write
from tests.support.forkserver import peva
from tests.support.running_memory import held

COMMANDS = ["info", "export", "preload", "import-dfaas", "import-table", "merge", "verify"]
OPTIONS = ["--memory", "m.duckdb", "--node", "light", "--cores", "2", "--latency-unit", "ns", "--duration", "30s"]


@pytest.fixture(autouse=True)
def _cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def recording() -> str:
    """Write two good lines and a bad one."""
    rows = [row({"a": "10", "b": "20"}), row({"a": "10", "b": "20"}), row({"a": "-1", "b": "20"})]
    return str(write(Path(STAMPED), *rows))


def memory(name: str, run_id: str) -> str:
    store = DuckDBMemoryStore(name)
    store.startup()
    store.open_session(session(run_id))
    store.insert_events([event(run_id=run_id)])
    store.close()
    return name


@pytest.mark.parametrize("args", [[], *[[command] for command in COMMANDS]], ids=lambda args: " ".join(args))
def test_every_command_explains_itself(args: list[str]) -> None:
    ended = peva("memory", *args, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Usage: peva-env memory" in ended.stdout
    assert args or all(command in ended.stdout for command in COMMANDS)


# --- import ---------------------------------------------------------------------------------------------------------


def test_an_import_says_what_became_of_every_line() -> None:
    ended = peva("memory", "import-dfaas", recording(), *OPTIONS, "--refused", "refused.csv")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        f"{STAMPED}: UTF-8, commas",
        "2 runs and 0 skipped configurations imported: 2 new, 0 changed, 0 as they were",
        "lines refused: 1",
        "  1: rate_function_a is -1, negative",
        "verdicts: 100.000% of 2 as recorded",
        "refused lines are listed in refused.csv",
    ]
    listed = list(csv.DictReader(Path("refused.csv").read_text().splitlines()))
    assert listed == [{"file": str(Path(STAMPED).resolve()), "line": "4", "reason": "rate_function_a is -1, negative"}]
    assert peva("memory", "verify", "m.duckdb").returncode == 0


def test_of_many_reasons_for_refusal_the_ten_most_common_are_shown() -> None:
    path = write(Path(STAMPED), row({"a": "10"}), *(row({"a": str(-n)}) for n in range(1, 13)), row({"a": "-12"}))
    shown = peva("memory", "import-dfaas", str(path), *OPTIONS).stdout.splitlines()
    assert shown[2:4] == ["lines refused: 13", "  2: rate_function_a is -12, negative"]
    assert shown[13:15] == ["  and 2 other reasons; --refused lists them all", "verdicts: 100.000% of 1 as recorded"]


def test_an_import_with_the_wrong_number_of_cores_is_suspicious() -> None:
    path = write(Path(STAMPED), row({"a": "10"}, cpu_usage_node="100"))
    assert "so few agree" in peva("memory", "import-dfaas", str(path), *OPTIONS, "--cores", "1").stdout


def test_an_import_of_nothing_ends_with_1() -> None:
    Path("results.csv").write_text("a,b\n1,2\n")
    ended = peva("memory", "import-dfaas", "results.csv", *OPTIONS)
    assert ended.returncode == 1
    assert "there is no column function_X" in ended.stdout
    assert not Path("m.duckdb").exists()


@pytest.mark.parametrize("more", [{"output": "closed"}, {"output": "/dev/full"}], ids=["closed", "full"])
def test_an_import_is_kept_though_its_report_cannot_be_written(more: dict[str, str]) -> None:
    assert peva("memory", "import-dfaas", recording(), *OPTIONS, **more).returncode in (1, 141)
    assert "0 new, 0 changed, 2 as they were" in peva("memory", "import-dfaas", STAMPED, *OPTIONS).stdout


@pytest.mark.parametrize(
    ("args", "said", "code"),
    [
        (["nope.csv", *OPTIONS], "nope.csv: cannot be read: No such file or directory", 1),
        (["/dev/zero", *OPTIONS], "/dev/zero: is a device; give a file, a pipe", 1),
        (["-", *OPTIONS], "-: the standard input is closed or a device; give a file, a pipe", 1),
        ([STAMPED, *OPTIONS, "--duration", "30"], "--duration '30': must be a number and a unit", 2),
        ([STAMPED, *OPTIONS, "--node", ""], "a node needs a name", 2),
    ],
)
def test_an_import_that_cannot_be_is_one_line_and_leaves_nothing(args: list[str], said: str, code: int) -> None:
    recording()
    before = files()
    assert said in complaint(peva("memory", "import-dfaas", *args), code)
    assert files() == before


def test_the_list_of_refused_lines_replaces_an_earlier_one_and_nothing_else() -> None:
    path = recording()
    Path("notes.csv").write_text("mine")
    os.mkfifo("pipe")  # nobody reads it
    for name, complaint_of in (
        ("pipe", "exists and is not a list of refused lines"),
        (path, "is another file of this command"),
        ("m.duckdb", "is another file of this command"),
        ("m.duckdb.wal", "is another file of this command"),
        ("notes.csv", "exists and is not a list of refused lines"),
        (".", "names no file"),
        ("-", "a list of refused lines is written to a file, not to the standard output"),
    ):
        before = {one: one.read_bytes() for one in files() if one.is_file()}
        ended = peva("memory", "import-dfaas", path, *OPTIONS, "--refused", name)
        assert complaint_of in complaint(ended, 2)
        assert {one: one.read_bytes() for one in files() if one.is_file()} == before
    for _ in range(2):
        assert peva("memory", "import-dfaas", path, *OPTIONS, "--refused", "refused.csv").returncode == 0
    assert Path("refused.csv").read_text().count("negative") == 1
    assert peva("memory", "import-dfaas", path, *OPTIONS, "--refused", "/dev/null").returncode == 0
    assert Path("/dev/null").is_char_device()


def test_the_standard_input_and_pipes_are_read() -> None:
    command = Path(sys.executable).with_name("peva-env")
    text = Path(recording()).read_text()
    script = f'"{command}" memory import-dfaas - <(gzip -c {STAMPED} | gzip -dc) {" ".join(OPTIONS)}'
    bash = ["/bin/bash", "-c", script]
    ended = subprocess.run(bash, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    shown = ended.stdout.splitlines()
    assert shown[0] == "2 files: UTF-8, commas"
    assert "not imported again, its content is that of" in shown[1]
    assert shown[2].startswith("2 runs and 0 skipped configurations imported: 2 new")
    again = peva("memory", "import-dfaas", STAMPED, *OPTIONS)
    assert again.returncode == 0
    assert "its content is that of campaign light-" in again.stdout
    assert "imported: 0 new, 0 changed, 2 as they were" in again.stdout


def test_an_import_says_how_its_files_are_written() -> None:
    text = Path(recording()).read_text()
    semicolons = text.replace(",", ";").replace(".", ",")
    Path("results-a.csv.gz").write_bytes(gzip.compress(semicolons.encode("utf-16")))
    Path("results-b.csv").write_text("")
    Path("results-c.csv").write_text(text.splitlines()[0].replace(",", "\t") + "\n")
    shown = peva("memory", "import-dfaas", *(f"results-{name}" for name in ("a.csv.gz", "b.csv", "c.csv")), *OPTIONS)
    assert shown.stdout.splitlines()[:4] == [
        "results-a.csv.gz: gzip, UTF-16, semicolons, decimal commas",
        "results-b.csv: empty file",
        "results-c.csv: UTF-8, tabs, header only",
        "2 runs and 0 skipped configurations imported: 2 new, 0 changed, 0 as they were",
    ]


TABLE = ["memory", "import-table", "runs.csv", "--map", "mapping.yml", "--memory", "m.duckdb", "--node", "theirs"]


def table() -> None:
    Path("runs.csv").write_text('function,rps,ok\nfiglet,10,1\nenv,20,0.5\n"env,20,0.5\n')
    Path("mapping.yml").write_text("functions: [{name_column: function, rate_rps: rps, success_rate: ok}]\n")


def test_any_table_is_imported_by_its_map() -> None:
    table()
    ended = peva(*TABLE, "--duration", "30s", "--without", "cpu", "--without", "ram", "--refused", "refused.csv")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "runs.csv: UTF-8, commas",
        "2 runs and 0 skipped configurations imported: 2 new, 0 changed, 0 as they were",
        "lines refused: 1",
        "  1: a quote is not closed on this line",
        "refused lines are listed in refused.csv",
    ]
    assert peva("memory", "verify", "m.duckdb").returncode == 0
    exported = peva("memory", "export", "m.duckdb", "--core", "core")
    assert exported.returncode == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "the map has no node.cpu_pct, so that every run would be INVALID: name its column, or give --without cpu"),
        (["--without", "cpu", "--without", "ram", "--refused", "mapping.yml"], "is another file of this command"),
        (["--without", "cpu", "--without", "ram", "--map", "nope.yml"], "nope.yml: cannot be read"),
        (["--without", "cpu", "--without", "ram", "--map", "runs.csv"], "runs.csv: must hold keys and values"),
    ],
)
def test_a_table_that_cannot_be_imported_is_one_line_and_leaves_nothing(options: list[str], said: str) -> None:
    table()
    before = {path: path.read_bytes() for path in files()}
    assert said in complaint(peva(*TABLE, "--duration", "30s", *options), 2)
    assert {path: path.read_bytes() for path in files()} == before


# --- look -----------------------------------------------------------------------------------------------------------


def test_info_shows_campaigns_contexts_and_counts() -> None:
    peva("memory", "import-dfaas", recording(), *OPTIONS)
    shown = peva("memory", "info", "m.duckdb").stdout
    assert "1 configurations; 2 measured OK" in shown
    lines = [line.split() for line in shown.splitlines()]
    run_id = "light-2023-12-06_10-05-33-0-30s"
    assert [run_id, "complete", "imported", "1", "2", "2023-12-06", "10:05:33"] in [line[:7] for line in lines]
    assert ["light", "1", "2", "0", "0", "a,", "b"] in [line[1:] for line in lines]
    told = json.loads(peva("memory", "info", "m.duckdb", "--json").stdout)
    assert (told["n_configs"], told["campaigns"][0]["run_id"]) == (1, run_id)
    assert told["campaigns"][0]["detail"].startswith("imported; ")
    assert told["campaigns"][0]["detail"] in shown
    assert told["size_bytes"] == Path("m.duckdb").stat().st_size


@pytest.mark.parametrize("stored", ["1e15", "-1e15", "'inf'", "'nan'"])
def test_info_shows_any_time_that_a_memory_holds(stored: str) -> None:
    memory("m.duckdb", "run")
    with duckdb.connect("m.duckdb") as connection:
        connection.execute(f"UPDATE run_sessions SET started_at = {stored}::DOUBLE")  # noqa: S608
    ended = peva("memory", "info", "m.duckdb")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"{float(stored.strip("'"))} s" in ended.stdout


def test_info_verify_export_and_merge_read_the_memory_of_a_running_campaign() -> None:
    with held(Path("m.duckdb").absolute()) as campaign:
        campaign.tell(0)
        assert campaign.answer() == 0
        told = json.loads(peva("memory", "info", "m.duckdb", "--json").stdout)
        verified = peva("memory", "verify", "m.duckdb")
        exported = peva("memory", "export", "m.duckdb", "--core", "core")
        merged = peva("memory", "merge", "all.duckdb", "m.duckdb")
    assert (told["campaigns"][0]["status"], told["campaigns"][0]["n_runs"]) == ("running", 1)
    assert verified.stderr == ""
    assert exported.stdout == "wrote core\n"
    with duckdb.connect() as connection:
        assert connection.execute("SELECT count(*) FROM 'core/execution_events.parquet'").fetchall() == [(1,)]
    assert "execution_events: 1 new" in merged.stdout


def test_verify_names_each_difference_and_ends_with_1() -> None:
    ended = peva("memory", "verify", memory("m.duckdb", "run"))
    assert ended.returncode == 1
    # the builders' context has a hash that was made up
    assert ended.stdout.startswith("run_sessions run context_hash: ctx, recomputed ")
    assert ended.stdout.endswith("differences: 1\n")


# --- a full disk of temporary files ---------------------------------------------------------------------------------


def fill(disk: Path, leave_bytes: int) -> None:
    (disk / "filler").write_bytes(b"\0" * (shutil.disk_usage(disk).free - leave_bytes))


FULL = r"the disk of temporary files \({disk}\) is full; free space, or set TMPDIR to a folder on another disk"


@pytest.mark.parametrize(
    "args",
    [
        ["memory", "info", "m.duckdb"],
        ["ask", "--memory", "m.duckdb", "a=10"],
        ["memory", "merge", "new.duckdb", "m.duckdb"],
        ["memory", "import-dfaas", STAMPED, *OPTIONS],
    ],
    ids=lambda args: " ".join(args[:2]),
)
def test_a_full_disk_of_temporary_files_is_named_with_the_remedy(tmp_path: Path, args: list[str]) -> None:
    memory("m.duckdb", "run")
    recording()
    with small_disk(tmp_path / "disk") as disk:
        fill(disk, leave_bytes=4096)
        ended = peva(*args, TMPDIR=str(disk))
        assert [path.name for path in disk.iterdir()] == ["filler"]
    assert re.fullmatch(f"peva-env: {FULL.format(disk=disk)}", complaint(ended, 1))
    assert not Path("new.duckdb").exists()


def test_a_disk_of_temporary_files_with_room_for_half_a_merge_is_named(tmp_path: Path) -> None:
    n_bytes = Path(memory("m.duckdb", "run")).stat().st_size
    with small_disk(tmp_path / "disk") as disk:
        fill(disk, leave_bytes=n_bytes + 8192)
        ended = peva("memory", "merge", "new.duckdb", "m.duckdb", TMPDIR=str(disk))
    said = rf"peva-env: cannot export to {disk}/peva-merge-.*/0: {FULL.format(disk=disk)}"
    assert re.fullmatch(said, complaint(ended, 1))


def test_a_full_standard_output_is_not_taken_for_a_full_disk_of_temporary_files() -> None:
    memory("m.duckdb", "run")
    assert "TMPDIR" not in complaint(peva("memory", "verify", "m.duckdb", output="/dev/full"), 1)


# --- move -----------------------------------------------------------------------------------------------------------


def test_export_and_preload_carry_a_memory_over() -> None:
    memory("m.duckdb", "run")
    assert peva("memory", "export", "m.duckdb", "--core", "out/core", "--debug", "out/debug").stdout == (
        "wrote out/core\nwrote out/debug\n"
    )
    ended = peva("memory", "preload", "copy.duckdb", "--core", "out/core", "--debug", "out/debug")
    assert (ended.returncode, ended.stderr) == (0, "")
    one, other = (json.loads(peva("memory", "info", name, "--json").stdout) for name in ("m.duckdb", "copy.duckdb"))
    assert one["events"] == other["events"]
    assert one["campaigns"][0]["run_id"] == other["campaigns"][0]["run_id"]


def test_merge_joins_memories_in_any_order() -> None:
    memory("x.duckdb", "x")
    memory("y.duckdb", "y")
    shutil.copy("x.duckdb", "again.duckdb")
    told = []
    for out, others in (
        ("xy.duckdb", ["x.duckdb", "y.duckdb"]),
        ("yx.duckdb", ["y.duckdb", "again.duckdb", "x.duckdb"]),
    ):
        ended = peva("memory", "merge", out, *others)
        assert (ended.returncode, ended.stderr) == (0, "")
        summary = json.loads(peva("memory", "info", out, "--json").stdout)
        told.append({key: summary[key] for key in ("campaigns", "contexts", "events")})
    assert told[0] == told[1]
    assert [campaign["run_id"] for campaign in told[0]["campaigns"]] == ["x", "y"]


@pytest.mark.parametrize("command", ["merge", "preload"])
def test_campaigns_of_one_name_are_refused_or_renamed(command: str) -> None:
    memory("ours.duckdb", "nightly")
    memory("theirs.duckdb", "nightly")
    peva("memory", "export", "theirs.duckdb", "--core", "core", "--debug", "debug")
    args = ["theirs.duckdb"] if command == "merge" else ["--core", "core", "--debug", "debug"]
    refused = complaint(peva("memory", command, "ours.duckdb", *args), 1)
    assert "its campaign 'nightly' is not the campaign of that name in the memory" in refused
    assert peva("memory", command, "ours.duckdb", *args, "--rename").returncode == 0
    summary = json.loads(peva("memory", "info", "ours.duckdb", "--json").stdout)
    first, second = (campaign["run_id"] for campaign in summary["campaigns"])
    assert (first, second[:8]) == ("nightly", "nightly-")
    assert [campaign["n_runs"] for campaign in summary["campaigns"]] == [1, 1]


def test_a_refused_merge_leaves_an_empty_file_empty_and_a_link_a_link() -> None:
    Path("empty.duckdb").touch()
    Path("link.duckdb").symlink_to("target.duckdb")
    for name in ("empty.duckdb", "link.duckdb"):
        complaint(peva("memory", "merge", name, "nope.duckdb"), 1)
    assert Path("empty.duckdb").stat().st_size == 0
    assert Path("link.duckdb").is_symlink()
    assert not Path("target.duckdb").exists()


def test_a_circle_of_links_is_one_line() -> None:
    Path("loop").symlink_to("loop")
    memory("m.duckdb", "run")
    complaint(peva("memory", "merge", "m.duckdb", "loop"), 1)
    complaint(peva("memory", "export", "m.duckdb", "--core", "loop", "--debug", "other"), 2)


@pytest.mark.parametrize(
    ("args", "said", "code"),
    [
        (["info", "nope.duckdb"], "memory nope.duckdb: there is no such file", 1),
        (["verify", "nope.duckdb"], "memory nope.duckdb: there is no such file", 1),
        (["export", "nope.duckdb", "--core", "c"], "memory nope.duckdb: there is no such file", 1),
        (
            ["preload", "new.duckdb", "--core", "nowhere"],
            "nowhere/memory_schema_meta.parquet: there is no such file; `peva-env memory export` writes it",
            1,
        ),
        (["merge", "new.duckdb", "nope.duckdb"], "nope.duckdb: there is no such file", 1),
        (["merge", "m.duckdb", "./m.duckdb"], "cannot be merged into itself", 2),
        (["info", "text.duckdb"], "text.duckdb: is not a DuckDB database; name another file", 1),
        (["merge", "m.duckdb", "text.duckdb"], "text.duckdb: is not a DuckDB database; name another file", 1),
        (["merge", "text.duckdb", "m.duckdb"], "text.duckdb: is not a DuckDB database; choose another OUT", 2),
        (["merge", ".", "m.duckdb"], "memory .: is no regular file; choose another OUT", 2),
        (["merge", "/dev/null", "m.duckdb"], "/dev/null: is no regular file; choose another OUT", 2),
        (["merge", "n.duckdb.wal", "m.duckdb"], "DuckDB gives such a name to its logs; choose another OUT", 2),
        (["preload", "text.duckdb", "--core", "c"], "is not a DuckDB database; choose another MEMORY", 2),
        (
            ["import-dfaas", "text.duckdb", "--node=n", "--cores=4", "--duration=1s", "--memory=text.duckdb"],
            "text.duckdb: is not a DuckDB database; choose another --memory",
            2,
        ),
        (
            ["info", "m.duckdb", "--schema-version", "v9"],
            "schema_version is 'peva_faas_mem_v1', but 'v9' is asked for",
            1,
        ),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(args: list[str], said: str, code: int) -> None:
    memory("m.duckdb", "run")
    Path("text.duckdb").write_text("hello, this is no database")
    before = files()
    assert said in complaint(peva("memory", *args), code)
    assert files() == before


def test_a_label_that_no_configuration_can_name_makes_no_memory() -> None:
    Path("t.csv").write_text("rate,share\n10,1\n")
    Path("map.yml").write_text("functions: [{name: f, rate_rps: rate, success_rate: share}]\n")
    args = ["t.csv", "--map", "map.yml", "--node", "n", "--duration", "1s", "--without", "cpu", "--without", "ram"]
    ended = peva("memory", "import-table", *args, "--memory", "new.duckdb", "--schema-version", "")
    assert ended.returncode == 2
    assert "must not be empty" in " ".join(ended.stderr.split())
    assert not Path("new.duckdb").exists()


def test_a_name_from_a_stranger_cannot_lead_the_terminal_astray() -> None:
    store = DuckDBMemoryStore("m.duckdb")
    store.startup()
    store.open_session(session())
    store.name_agent("run", "\x1b]0;mine\x07\x1b[31m\nred")
    store.close()
    for command in ("info", "verify"):
        shown = peva("memory", command, "m.duckdb")
        assert "\x1b" not in shown.stdout + shown.stderr
        assert "\x07" not in shown.stdout + shown.stderr


def test_neither_folder_is_written_where_one_is_none() -> None:
    path = memory("m.duckdb", "run")
    Path("a_file").touch()
    Path("nowhere").symlink_to("not_there")
    for name in ("a_file", "nowhere"):
        ended = peva("memory", "export", path, "--core", "new", "--debug", name)
        assert f"cannot export to {name}: is not a folder; give another one" in complaint(ended, 2)
        assert not Path("new").exists()


def test_either_folder_may_be_exported_alone_but_one_must_be_named() -> None:
    path = memory("m.duckdb", "run")
    assert peva("memory", "export", path, "--debug", "debug").stdout == "wrote debug\n"
    assert {path.name for path in Path("debug").iterdir()} == {"k6_raw_summaries.parquet"}
    ended = peva("memory", "export", path, "--core", "debug", "--debug", "./debug")
    assert "give each a folder of its own" in complaint(ended, 2)
    ended = peva("memory", "export", path)
    assert (ended.returncode, ended.stderr) == (
        2,
        "peva-env: give --core, --debug or both: the folders to export to\n",
    )
