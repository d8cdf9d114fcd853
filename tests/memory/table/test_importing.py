"""Any table of runs, by a map of its columns."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peva_env.config import OverloadConfig
from peva_env.contracts import ExecutionEvent, NodeMeasurement, Verdict
from peva_env.errors import ConfigError, MemoryStoreError
from peva_env.memory import DuckDBMemoryStore, verify
from peva_env.memory.importing import ImportReport, read_csv
from peva_env.memory.table import TableMap, import_table, load_map
from peva_env.memory.table.rows import read_recording
from tests.support.pages import PAGES, blocks

SUCCESS_ONLY = OverloadConfig(cpu_overload_pct_of_capacity=None, ram_overload_pct=None)

PODS = """
functions:
- name: primes
  rate_rps: {column: requests, scale: 0.01}
  success_rate: {constant: 1}
  latency: {unit: ms, mean: duration_mean}
  replicas: pods
node:
  cpu_pct: {column: cores_used, scale: 25}
  ram_pct: {column: gib_used, scale: 6.25}
"""
PODS_TABLE = """,requests,duration_mean,pods,cores_used,gib_used
0,1300.0,128.577,2,0.9,1.5
1,4449.0,16.817,15,3.5,2
"""

TWO = """
functions:
- {name: a, rate_rps: a_rps, requests: a_sent, failures: a_failed, latency: {unit: s, p50: a_p50, p95: a_p95}}
- {name: b, rate_rps: b_rps, success_rate: {column: b_ok, scale: 0.01}, cpu_pct: b_cpu, ram_bytes: b_ram}
node: {cpu_pct: cpu, ram_pct: ram, ram_bytes: bytes}
rest_s: pause
overloaded: bad
"""
TWO_TABLE = """a_rps,a_sent,a_failed,a_p50,a_p95,b_rps,b_ok,b_cpu,b_ram,cpu,ram,bytes,pause,bad
10,290,29,0.012,0.250,20,99,5,1048576.4,40,30,4096,7,0
-,,,,,20,100,N/A,,40,30,,,
10,300,0,.1,.2,0,NULL,,,85,30,,,1
"""

ONE_A_ROW = "functions: [{name_column: function, rate_rps: rps, success_rate: ok}]"
ONE_A_ROW_TABLE = "function,rps,ok\nfiglet,10,1\nenv,20,0.5\nfiglet,10,0.99\n"


@pytest.fixture
def store() -> Iterator[DuckDBMemoryStore]:
    with closing(DuckDBMemoryStore(":memory:")) as store:
        store.startup()
        yield store


def mapped(folder: Path, text: str) -> Path:
    path = folder / "mapping.yml"
    path.write_text(text)
    return path


def bring(store: DuckDBMemoryStore, folder: Path, mapping: str, table: str, **changes: Any) -> ImportReport:
    path = folder / "runs.csv"
    path.write_text(table)
    options: dict[str, Any] = {"node": "theirs", "duration_s": 30.0}
    return import_table(store, [path], table=load_map(mapped(folder, mapping)), **(options | changes))


def events(store: DuckDBMemoryStore) -> list[ExecutionEvent]:
    contexts = store.database.connection.execute("SELECT DISTINCT context_hash FROM execution_events").fetchall()
    found = [event for (context,) in contexts for event in store.events(context)]
    return sorted(found, key=lambda event: event.started_at)


def test_a_row_is_a_run_of_one_function_in_this_packages_units(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    report = bring(store, tmp_path, PODS, PODS_TABLE)
    calm, busy = events(store)
    (primes,) = calm.functions
    assert (report.n_runs, report.refusals) == (2, ())
    assert calm.config_key == (("primes",), (13,))
    assert (primes.offered, primes.succeeded, primes.mean_ms, primes.replicas) == (390, 390, 128.577, 2)
    assert calm.node == NodeMeasurement(cpu_pct=22.5, ram_pct=9.375)
    assert busy.config_key == (("primes",), (44,))
    assert (busy.verdict, busy.reasons) == (
        Verdict.OVERLOADED, ("replicas of primes 15 >= 15", "node CPU 87.5 % > 80 %")
    )  # fmt: skip
    assert list(verify(store.database.connection)) == []


def test_several_functions_stand_in_a_row_and_a_missing_rate_is_a_missing_function(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    report = bring(store, tmp_path, TWO, TWO_TABLE)
    both, alone, idle = events(store)
    a, b = both.functions
    assert (report.n_runs, report.refusals, report.n_compared, report.n_disagreeing) == (3, (), 2, 1)
    assert (a.offered, a.succeeded, a.failed, a.success_rate) == (290, 261, {"other": 29}, 0.9)
    assert (a.mean_ms, a.p50_ms, a.p95_ms) == (None, 12.0, 250.0)
    assert (b.offered, b.success_rate, b.cpu_pct, b.ram_bytes) == (600, 0.99, 5.0, 1048576)
    assert (both.node.ram_bytes, both.cooldown_s, both.verdict) == (4096, 7.0, Verdict.OVERLOADED)
    assert alone.config_key == (("b",), (20,))
    assert (idle.config_key, idle.functions[1].success_rate) == ((("a", "b"), (10, 0)), 1.0)
    assert list(verify(store.database.connection)) == []


def test_a_negative_zero_is_zero(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    mapping = "functions: [{name: a, rate_rps: rps, success_rate: ok}]\nnode: {cpu_pct: cpu, ram_pct: {constant: -0.0}}"
    bring(store, tmp_path, mapping, "rps,ok,cpu\n10,-0.0,-0\n")
    (run,) = events(store)
    assert str((run.functions[0].success_rate, run.node.cpu_pct, run.node.ram_pct)) == "(0.0, 0.0, 0.0)"


def test_the_function_may_stand_in_a_column(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    report = bring(store, tmp_path, ONE_A_ROW, ONE_A_ROW_TABLE, rules=SUCCESS_ONLY)
    assert [(run.config_key, run.iteration, run.verdict) for run in events(store)] == [
        ((("figlet",), (10,)), 0, Verdict.OK),
        ((("env",), (20,)), 0, Verdict.OVERLOADED),
        ((("figlet",), (10,)), 1, Verdict.OK),
    ]
    again = bring(store, tmp_path, ONE_A_ROW, ONE_A_ROW_TABLE.replace(",", ";"), rules=SUCCESS_ONLY)
    assert (again.merged["execution_events"].inserted, again.merged["execution_events"].kept) == (0, 3)
    assert report.found[tmp_path / "runs.csv"] == ("UTF-8", "commas")


COUNTED = """
functions:
- name: a
  rate_rps: {constant: 10}
  requests: {column: rps, scale: SCALE}
  failures: {column: lost, scale: SCALE}
"""


@pytest.mark.parametrize(
    ("scale", "rps", "requests"),
    [(60, "16.1", 966), (60, "33.3", 1998), (3600, "4.35", 15660), (100, "1.1", 110), (1, "966.0000000000001", 966)],
)
def test_a_count_is_whole_up_to_the_error_of_floating_point_numbers(
    store: DuckDBMemoryStore, tmp_path: Path, scale: int, rps: str, requests: int
) -> None:
    mapping = COUNTED.replace("SCALE", str(scale))
    report = bring(store, tmp_path, mapping, f"rps,lost\n{rps},{rps}\n{rps},0\n", rules=SUCCESS_ONLY)
    assert report.refusals == ()
    assert [(run.functions[0].offered, run.functions[0].succeeded) for run in events(store)] == [
        (requests, 0),
        (requests, requests),
    ]


@pytest.mark.parametrize(("scale", "rps"), [(60, "16.11"), (1, "966.00001"), (1, "2000000000.5"), (0.5, "2000000001")])
def test_a_count_that_is_not_whole_is_refused(store: DuckDBMemoryStore, tmp_path: Path, scale: float, rps: str) -> None:
    mapping = COUNTED.replace("SCALE", str(scale))
    report = bring(store, tmp_path, mapping, f"rps,lost\n{rps},0\n", rules=SUCCESS_ONLY)
    assert ["not a whole number" in refusal.reason for refusal in report.refusals] == [True]


@pytest.mark.parametrize(
    ("scale", "ok", "success_rate"),
    [
        ("0.0166666667", "60", 1.0),
        ("0.01666667", "60", 1.0),
        ("0.0166666667", "30", 0.5000000010),
        ("0.0167", "60", None),
        ("0.001", "1000.1", None),
        ("1", "1.0000001", None),
    ],
)
def test_a_success_rate_is_1_up_to_the_precision_of_its_scale(
    store: DuckDBMemoryStore, tmp_path: Path, scale: str, ok: str, success_rate: float | None
) -> None:
    mapping = f"functions: [{{name: a, rate_rps: rps, success_rate: {{column: ok, scale: {scale}}}}}]"
    report = bring(store, tmp_path, mapping, f"rps,ok\n10,{ok}\n", rules=SUCCESS_ONLY)
    assert [run.functions[0].success_rate for run in events(store)] == [success_rate][: report.n_runs]
    assert (report.n_runs, len(report.refusals)) == ((0, 1) if success_rate is None else (1, 0))
    assert list(verify(store.database.connection)) == []


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ("500,500", "sent is '500' at rate 0: without a rate there are no requests"),
        ("500,0", "sent is '500' at rate 0: without a rate there are no requests"),
        ("0,500", "lost is '500' at rate 0: without a rate there are no requests"),
        ("0,0", None),
        (",-", None),
    ],
)
def test_requests_at_rate_0_are_refused(
    store: DuckDBMemoryStore, tmp_path: Path, counts: str, reason: str | None
) -> None:
    mapping = "functions: [{name: a, rate_rps: rps, requests: sent, failures: lost}]"
    report = bring(store, tmp_path, mapping, f"rps,sent,lost\n0,{counts}\n", rules=SUCCESS_ONLY)
    assert [refusal.reason for refusal in report.refusals] == ([reason] if reason else [])
    assert report.n_runs + len(report.refusals) == 1


def test_a_name_stays_as_it_is_written_in_a_file_with_decimal_commas(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    report = bring(store, tmp_path, ONE_A_ROW, "function;rps;ok\n1,5;10;0,95\na;10,0;0,95\n", rules=SUCCESS_ONLY)
    assert [refusal.reason.startswith("function is '1,5': ") for refusal in report.refusals] == [True]
    assert [run.config_key for run in events(store)] == [(("a",), (10,))]


def test_a_run_without_a_single_request_at_a_rate_is_refused(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    table = ONE_A_ROW_TABLE.replace(",10,", ",1,")
    report = bring(store, tmp_path, ONE_A_ROW, table, duration_s=0.4, rules=SUCCESS_ONLY)
    reason = "1 rps in 0.4 s are 0.4 requests, which rounds to none; is --duration right?"
    assert [(refusal.line, refusal.reason) for refusal in report.refusals] == [(2, reason), (4, reason)]
    assert (report.n_runs, [*verify(store.database.connection)]) == (1, [])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"rps": "1.5"}, "rps is '1.5', not a whole number up to 2147483647"),
        ({"rps": "1_0"}, "rps is '1_0', not a number: write it without separators, with a decimal point"),
        ({"rps": "1e10"}, "rps is '1e10', not a whole number up to 2147483647"),
        ({"rps": ""}, "function is 'figlet', its rate None"),
        ({"function": "-"}, "function is '-', its rate 10"),
        ({"function": "-", "rps": "N/A"}, "there is no function in it"),
        (
            {"function": "a:1|b"},
            "function is 'a:1|b': must start with a letter or digit and hold only letters, digits, '-', '_' or single "
            "dots",
        ),
        ({"ok": "1.2"}, "ok is '1.2': success_rate is within 0 and 1"),
        ({"ok": "null"}, "ok is 'null': success_rate is within 0 and 1"),
    ],
)
def test_a_row_that_cannot_be_right_is_refused(
    store: DuckDBMemoryStore, tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    row = {"function": "figlet", "rps": "10", "ok": "1"} | change
    table = f"function,rps,ok\n{','.join(row.values())}\nenv,20,1\n"
    report = bring(store, tmp_path, ONE_A_ROW, table, rules=SUCCESS_ONLY)
    assert (report.n_runs, report.refusals) == (1, ((tmp_path / "runs.csv", 2, reason),))


@pytest.mark.parametrize(
    ("mapping", "line", "reason"),
    [
        (TWO, TWO_TABLE.splitlines()[1].replace(",29,", ",291,"), "a_sent is '290', a_failed is '291': "),
        (TWO, TWO_TABLE.splitlines()[1].replace(",290,", ",0,"), "a_sent is '0', a_failed is '29': "),
        (TWO, TWO_TABLE.splitlines()[1].replace("0.250", "250000"), "a_p95 is 250000, no latency in s"),
        (TWO, TWO_TABLE.splitlines()[1].removesuffix("0") + "2", "overloaded is 2, neither 0 nor 1"),
        (
            TWO,
            TWO_TABLE.splitlines()[1].replace(",7,", ",1e15,"),
            "the rest before the run is 1e+15 s, more than a year",
        ),
        (
            TWO,
            TWO_TABLE.splitlines()[1].replace(",4096,", ",9007199254740993,"),
            "bytes is '9007199254740993', not a whole number up to 9007199254740991",
        ),
        (PODS, "0,1300,128,2,1e308,1.5", "cores_used is '1e308' (times 25), too large a number"),
        (PODS, "0,1300,128,2,4.5,1.5", "cores_used is '4.5' (times 25), 112.5 percent of the node's capacity"),
        (PODS, "0,1300,128,2,4,18", "gib_used is '18' (times 6.25), 112.5 percent of the node's capacity"),
        (PODS, "0,40,128,2,0.9,1.5", "requests is '40' (times 0.01), which rounds to 0 rps"),
    ],
)
def test_numbers_that_contradict_each_other_are_refused(
    store: DuckDBMemoryStore, tmp_path: Path, mapping: str, line: str, reason: str
) -> None:
    header = (TWO_TABLE if mapping is TWO else PODS_TABLE).splitlines()[0]
    report = bring(store, tmp_path, mapping, f"{header}\n{line}\n")
    ((_, _, said),) = report.refusals
    assert said.startswith(reason)


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("", "mapping.yml: must hold keys and values"),
        ("node: {cpu_pct: x}\nnode: {}", "line 2: the key 'node' stands on line 1 already"),
        ("functions: []", "functions = \\[\\]: must not be empty"),
        (
            "functions: [{name: a, rate_rps: x, success_rate: y, replica: z}]",
            "functions\\[0\\].replica: unknown key; did you mean 'replicas'",
        ),
        (
            "functions: [{name: a, rate_rp: x, success_rate: y}]",
            "functions\\[0\\].rate_rp: unknown key; did you mean 'rate_rps'",
        ),
        (
            "functions: [{name: a, rate_rps: x, success_rate: y, latency: {units: ms}}]",
            "functions\\[0\\].latency.units: unknown key; did you mean 'unit'",
        ),
        (
            "functions: [{name: a, rate_rps: 2024-01-01, success_rate: y}]",
            "rate_rps = 2024-01-01: must be the name",
        ),
        (
            "functions: [{name: a, rate_rps: yes, success_rate: y}]",
            "rate_rps = True: must be the name",
        ),
        (
            "functions: [{name: a, rate_rps: x, success_rate: y, cpu_pct: 2}]",
            "cpu_pct = 2: must be the name of a column, in",
        ),
        ("functions: [{name: a, success_rate: y}]", "functions\\[0\\].rate_rps: is required"),
        ("functions: [{rate_rps: x, success_rate: y}]", "functions\\[0\\]: give name or name_column"),
        ("functions: [{name: a, rate_rps: x}]", "functions\\[0\\]: give success_rate, or requests and failures"),
        ("functions: [{name: a, rate_rps: x, requests: y}]", "give success_rate, or requests and failures"),
        ("functions: [{name: 'a b', rate_rps: x, success_rate: y}]", "name = 'a b': must start with a letter"),
        ("functions: [{name: a, rate_rps: {scale: 2}, success_rate: y}]", "rate_rps: give column or constant"),
        (
            "functions: [{name: a, rate_rps: {column: x, scale: 0}, success_rate: y}]",
            "scale = 0: input should be greater",
        ),
        (
            "functions: [{name: a, rate_rps: x, success_rate: y, latency: {unit: min, mean: z}}]",
            "latency.unit = 'min': input should be 'ns', 'us', 'ms' or 's'",
        ),
        (
            "functions: [{name: a, rate_rps: x, success_rate: y}, {name: a, rate_rps: z, success_rate: y}]",
            "function 'a' is there twice",
        ),
    ],
)
def test_a_map_that_is_wrong_names_the_key(tmp_path: Path, mapping: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        load_map(mapped(tmp_path, mapping))
    assert str(caught.value).startswith(str(tmp_path / "mapping.yml"))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            "function,rps\nx,1\n",
            "runs.csv: column 'ok', which the map names as functions[0].success_rate, is missing; "
            "there are function, rps",
        ),
        ("function,rps,ok,ok\nx,1,1,1\n", "column 'ok', which the map names as functions[0].success_rate, is there 2"),
    ],
)
def test_a_column_that_is_not_there_is_named_with_the_file_and_the_key(
    store: DuckDBMemoryStore, tmp_path: Path, table: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        bring(store, tmp_path, ONE_A_ROW, table, rules=SUCCESS_ONLY)
    assert said in str(caught.value)


LONG = "x" * 1_000_000


@pytest.mark.parametrize(
    ("named", "there", "said"),
    [
        ("ra\u0308te", "r\u00e4te", "missing, but 'r\u00e4te' is there, in another Unicode form: copy"),
        ("Rate rps", "rate_rps", "missing, but 'rate_rps' is there: copy"),
        ("%", "", "missing; there are"),
    ],
)
def test_a_column_that_is_written_otherwise_is_named(
    store: DuckDBMemoryStore, tmp_path: Path, named: str, there: str, said: str
) -> None:
    mapping = f"functions: [{{name: a, rate_rps: '{named}', success_rate: ok}}]"
    with pytest.raises(
        ConfigError, match=re.escape(f"column {named!r}, which the map names as functions[0].rate_rps, is {said}")
    ):
        bring(store, tmp_path, mapping, f"{there},ok\n10,1\n", rules=SUCCESS_ONLY)


@pytest.mark.parametrize(
    ("mapping", "table"),
    [
        ("[{name: a, rate_rps: LONG, success_rate: ok}]", "rps,ok\n1,1\n"),
        ("[{name: a, rate_rps: rps, success_rate: LONG}]", "rps,LONG\n1,2\n"),
        ("[{name_column: LONG, rate_rps: rps, success_rate: ok}]", "LONG,rps,ok\na,,1\n"),
        ("[{name_column: LONG, rate_rps: rps, success_rate: ok}]", "LONG,rps,ok\na b,1,1\n"),
        ("[{name: LONG, rate_rps: rps, success_rate: ok}, {name: LONG, rate_rps: rps, success_rate: ok}]", ""),
    ],
)
def test_a_very_long_column_is_shortened(store: DuckDBMemoryStore, tmp_path: Path, mapping: str, table: str) -> None:
    texts = (f"functions: {mapping}".replace("LONG", LONG), table.replace("LONG", LONG))
    try:
        said = bring(store, tmp_path, *texts, rules=SUCCESS_ONLY).refusals[0].reason
    except ConfigError as error:
        said = str(error)
    assert "x…" in said
    assert len(said) < 500


def test_columns_that_the_map_does_not_name_may_stand_twice(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    table = "function,rps,ok,note,note,,\nfiglet,10,1,x,y,,\n"
    report = bring(store, tmp_path, ONE_A_ROW, table, rules=SUCCESS_ONLY)
    assert (report.n_runs, report.refusals) == (1, ())


def test_a_map_without_the_nodes_use_says_what_to_do(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no node.cpu_pct, .*: name its column, or give --without cpu"):
        bring(store, tmp_path, ONE_A_ROW, ONE_A_ROW_TABLE)
    rules = OverloadConfig(cpu_overload_pct_of_capacity=None)
    with pytest.raises(ConfigError, match="or give --without ram"):
        bring(store, tmp_path, ONE_A_ROW, ONE_A_ROW_TABLE, rules=rules)


def test_another_unit_for_the_same_table_is_an_error(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    bring(store, tmp_path, PODS, PODS_TABLE)
    with pytest.raises(MemoryStoreError, match="has latencies in ms, not s"):
        bring(store, tmp_path, PODS.replace("unit: ms", "unit: s"), PODS_TABLE)


WHOLE = """
functions:
- name: a
  rate_rps: {column: sent, scale: 0.0166666667}
  requests: sent
  failures: failed
  ram_bytes: ram
  replicas: pods
  cpu_pct: cpu
node: {cpu_pct: cpu, ram_pct: cpu, ram_bytes: {column: gib, scale: 1073741824}}
rest_s: pause
"""


@pytest.mark.parametrize("column", ["sent", "failed", "ram", "pods"])
def test_a_whole_number_that_may_be_thousands_is_refused(store: DuckDBMemoryStore, tmp_path: Path, column: str) -> None:
    cells = {
        "sent": "600",
        "failed": "0",
        "ram": "4096",
        "pods": "2",
        "cpu": "12,125",
        "gib": "1,250",
        "pause": "1,500",
    }
    lines = (";".join((cells | change).values()) for change in ({}, {column: "60,000"}))
    report = bring(store, tmp_path, WHOLE, "\n".join((";".join(cells), *lines)))
    assert [(refusal.line, refusal.reason) for refusal in report.refusals] == [
        (3, f"{column} is '60,000', which could be 60000 or 60: write 60000 or 60,0000")
    ]
    (run,) = events(store)
    assert (run.node.cpu_pct, run.node.ram_bytes, run.cooldown_s) == (12.125, 1.25 * 2**30, 1.5)


def test_a_latency_that_may_be_thousands_is_refused_where_there_are_decimal_commas_and_points(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    mapping = """
functions: [{name: a, rate_rps: rate, success_rate: {constant: 1}, latency: {unit: ms, mean: lat}}]
node: {cpu_pct: cpu, ram_pct: ram}
"""
    report = bring(store, tmp_path, mapping, "rate;cpu;ram;lat;version\n10;20,5;30,5;12,5;1\n50;85;30;1.234;1.000\n")
    assert [(refusal.line, refusal.reason.partition(", ")[0]) for refusal in report.refusals] == [
        (2, "lat is '12,5'"),
        (3, "lat is '1.234'"),
    ]
    report = bring(store, tmp_path, mapping, "rate;cpu;ram;lat;version\n50;85;30;2.5;1.000\n50;85;30;3;2,5\n")
    assert report.refusals == ()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    numbers=st.lists(st.sampled_from((1, 7, 1000, 1234, 20_000, 999_000, 3_000_000)), min_size=1, max_size=4),
    text=st.sampled_from(("{}", "{:,}", "{:,}.0", "{:,}.000", "{}.000", "{}.0000")),
    is_english=st.booleans(),
    separator=st.sampled_from(";\t|"),
    share=st.sampled_from(("1", "0.5", "0.125", "0.0625")),
)
def test_however_numbers_are_written_a_rate_is_right_or_refused(
    tmp_path: Path, numbers: list[int], text: str, *, is_english: bool, separator: str, share: str
) -> None:
    path = tmp_path / "runs.csv"
    lines = (f"x{separator}{text.format(number)}{separator}{share}" for number in numbers)
    written = "\n".join((f"function{separator}rps{separator}ok", *lines))
    path.write_text(written if is_english else written.translate(str.maketrans(",.", ".,")))
    mapping = TableMap.model_validate(yaml.safe_load(ONE_A_ROW))
    recording = read_recording(read_csv(path), mapping, 30.0)
    refused = {refusal.line for refusal in recording.refusals}
    assert [run.functions[0].rate_rps for run in recording.runs] == [
        number for line, number in enumerate(numbers, 2) if line not in refused
    ]


def test_a_header_that_is_repeated_is_no_run_where_the_map_reads_names_only(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    mapping = "functions: [{name_column: function, rate_rps: {constant: 10}, success_rate: {constant: 1}}]"
    report = bring(store, tmp_path, mapping, "function,note\nfiglet,x\nfunction,note\n", rules=SUCCESS_ONLY)
    assert [run.config_key for run in events(store)] == [(("figlet",), (10,))]
    assert [(refusal.line, refusal.reason) for refusal in report.refusals] == [(3, "it is the header once more")]


def test_another_scale_of_the_rates_of_the_same_table_is_an_error(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    bring(store, tmp_path, PODS, PODS_TABLE)
    with pytest.raises(
        MemoryStoreError, match=r"gives 2 of the 2 runs of campaign 'theirs-runs' .*, first primes 13 rps"
    ):
        bring(store, tmp_path, PODS.replace("scale: 0.01", "scale: 0.02"), PODS_TABLE)
    assert len(events(store)) == 2
    assert bring(store, tmp_path, PODS, PODS_TABLE).merged["execution_events"].kept == 2


def test_a_table_that_has_grown_by_a_function_is_an_error_that_names_it(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    bring(store, tmp_path, ONE_A_ROW, ONE_A_ROW_TABLE, rules=SUCCESS_ONLY)
    with pytest.raises(MemoryStoreError, match=r"is there already, of other functions \(new: curl, nmap\), cores, "):
        bring(store, tmp_path, ONE_A_ROW, f"{ONE_A_ROW_TABLE}nmap,10,1\ncurl,10,1\n", rules=SUCCESS_ONLY)
    assert len(events(store)) == 3


def test_tables_of_the_same_configurations_with_other_latencies_are_other_runs(
    store: DuckDBMemoryStore, tmp_path: Path
) -> None:
    mapping = load_map(
        mapped(
            tmp_path,
            "functions: [{name: a, rate_rps: rps, success_rate: {constant: 1}, latency: {unit: ms, mean: lat}}]",
        )
    )
    paths = [tmp_path / "w.csv", tmp_path / "w2.csv", tmp_path / "w3.csv"]
    for path, lines in zip(paths, ("10,5\n20,6\n", "10,7\n20,8\n", "10,5\n20,6e3\n"), strict=True):
        path.write_text(f"rps,lat\n{lines}")
    for n_new in (4, 0):
        report = import_table(store, paths[:2], table=mapping, node="x", duration_s=60.0, rules=SUCCESS_ONLY)
        assert (report.copies, report.merged["execution_events"].inserted) == ((), n_new)
    for n_new in (2, 0):
        report = import_table(store, paths[2:], table=mapping, node="x", duration_s=60.0, rules=SUCCESS_ONLY)
        assert (report.copies, report.merged["execution_events"].inserted) == ((), n_new)


def test_every_key_of_a_map_is_explained() -> None:
    schema = TableMap.model_json_schema()
    keys = {key for part in (schema, *schema["$defs"].values()) for key in part.get("properties", ())}
    page = PAGES["howto/bring-your-data"]
    assert [key for key in sorted(keys) if not re.search(rf"`[^`]*\b{key}\b[^`]*`", page)] == []


def test_the_example_of_the_page_can_be_imported(store: DuckDBMemoryStore, tmp_path: Path) -> None:
    table, mapping = (block.text for block in blocks(PAGES["howto/bring-your-data"]) if block.language == "text")
    report = bring(store, tmp_path, mapping, table, duration_s=60.0)
    assert report.refusals == ()
    assert [(run.config_key, run.verdict) for run in events(store)] == [
        ((("primes",), (10,)), Verdict.OK),
        ((("primes",), (20,)), Verdict.OK),
        ((("primes",), (100,)), Verdict.OVERLOADED),
    ]
