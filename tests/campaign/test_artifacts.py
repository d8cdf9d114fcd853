"""The artifacts: PEVA-FAAS's columns and order, appended as it happens, whole again after a process died."""

import ast
import csv
import json
from pathlib import Path

import pytest

from peva_env.campaign.artifacts import ArtifactWriter
from peva_env.contracts import EventKind, ExecutionEvent, NodeMeasurement, Verdict
from peva_env.errors import PevaError
from peva_env.space import config_key
from tests.support.builders import event, full, function, small_disk

FUNCTION_COLUMNS = (
    "function_{0},rate_function_{0},success_rate_function_{0},cpu_usage_function_{0},ram_usage_function_{0},"
    "power_usage_function_{0},replica_{0},overloaded_function_{0},medium_latency_function_{0}"
)
NODE_COLUMNS = (
    "cpu_usage_idle_node,cpu_usage_node,ram_usage_idle_node,ram_usage_node,ram_usage_idle_node_percentage,"
    "ram_usage_node_percentage,power_usage_idle_node,power_usage_node,rest_seconds,overloaded_node"
)
RESULTS_HEADER = f"{FUNCTION_COLUMNS.format('a')},{FUNCTION_COLUMNS.format('b')},{NODE_COLUMNS}"
SKIPPED_HEADER = "function_a,rate_function_a,function_b,rate_function_b"


def overloaded_b() -> ExecutionEvent:
    """Return a run of b alone in which every column has something to say."""
    measured = function("b", 40, success_rate=0.5, mean_ms=12.6, cpu_pct=33.3333, ram_bytes=2**20, replicas=2)
    made: ExecutionEvent = event(
        [("b", 40)],
        verdict=Verdict.OVERLOADED,
        functions=(measured,),
        overloaded_functions=("b",),
        node=NodeMeasurement(cpu_pct=81.5, ram_bytes=1000, idle_cpu_pct=1.0, idle_ram_pct=20.0),
        cooldown_s=5,
    )
    return made


def skip(rate_rps: int) -> ExecutionEvent:
    made: ExecutionEvent = event(
        [("b", rate_rps)], -1, Verdict.OVERLOADED, kind=EventKind.SKIPPED, functions=(), node=NodeMeasurement()
    )
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def lines(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text(encoding="utf-8").splitlines()


def test_the_headers_are_those_of_the_sorted_functions(tmp_path: Path) -> None:
    writer = ArtifactWriter(tmp_path / "new" / "folder", ["b", "a"])
    assert lines(writer.folder, "results.csv") == [RESULTS_HEADER]
    assert lines(writer.folder, "skipped.csv") == [SKIPPED_HEADER]
    assert lines(writer.folder, "index.csv") == ["functions;rates;results_file"]


def test_a_run_is_one_row_with_empty_cells_for_absent_functions(tmp_path: Path) -> None:
    ArtifactWriter(tmp_path, ["b", "a"]).record_run(overloaded_b())
    assert lines(tmp_path, "results.csv")[1:] == [
        ",,,,,,,,,"
        "b,40,0.500,33.333,1048576.000,nan,2,1,13,"
        "1.000,81.500,nan,1000.000,20.000,nan,nan,nan,5.000,1"
    ]  # fmt: skip


def test_rows_stay_in_the_folder_when_a_policy_changes_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("here", "elsewhere"):
        (tmp_path / name / "out").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    writer = ArtifactWriter("out", ["a", "b"])
    monkeypatch.chdir(tmp_path / "elsewhere")
    writer.record_run(overloaded_b())
    assert len(lines(tmp_path / "here" / "out", "results.csv")) == 2
    assert list((tmp_path / "elsewhere" / "out").iterdir()) == []
    assert Path("out/results.csv") in writer.paths, "as the user has called it"


def test_what_was_not_measured_is_nan(tmp_path: Path) -> None:
    ArtifactWriter(tmp_path, ["a"]).record_run(event(node=NodeMeasurement()))
    assert lines(tmp_path, "results.csv")[1:] == [
        "a,10,1.000,nan,nan,nan,nan,0,nan,nan,nan,nan,nan,nan,nan,nan,nan,0.000,0"
    ]


def test_every_run_is_one_line_of_json_but_an_invalid_one_is_no_result(tmp_path: Path) -> None:
    writer = ArtifactWriter(tmp_path, ["b"])
    writer.record_run(overloaded_b())
    writer.record_run(event([("b", 40)], 1, Verdict.INVALID, functions=(), reasons=("k6 said\nno",)))
    first, second = map(json.loads, lines(tmp_path, "events.jsonl"))
    assert first["config"] == {"b": 40}
    assert (first["verdict"], first["functions"][0]["mean_ms"]) == ("OVERLOADED", 12.6)
    assert (second["verdict"], second["reasons"]) == ("INVALID", ["k6 said\nno"])
    assert "raw_summary" not in first
    assert len(lines(tmp_path, "results.csv")) == 2


def test_skipped_and_complete_configurations_have_their_rows(tmp_path: Path) -> None:
    writer = ArtifactWriter(tmp_path, ["a", "b"])
    writer.record_skips([config_key([("b", 50)]), config_key([("a", 10), ("b", 60)])])
    writer.record_complete(config_key([("a", 10), ("b", 40)]))
    assert lines(tmp_path, "skipped.csv")[1:] == [",,b,50", "a,10,b,60"]
    ((names, rates, file),) = csv.reader(lines(tmp_path, "index.csv")[1:], delimiter=";")
    assert (ast.literal_eval(names), ast.literal_eval(rates), file) == (["a", "b"], [10, 40], "results.csv")
    assert lines(tmp_path, "index.csv")[1] == "['a', 'b'];[10, 40];results.csv"


def test_a_second_start_appends(tmp_path: Path) -> None:
    ArtifactWriter(tmp_path, ["b"]).record_run(overloaded_b())
    before = contents(tmp_path)
    second = ArtifactWriter(tmp_path, ["b"])
    assert contents(tmp_path) == before | {"events.jsonl": before["events.jsonl"]}
    second.record_run(overloaded_b())
    assert contents(tmp_path)["results.csv"].startswith(before["results.csv"])
    assert len(lines(tmp_path, "results.csv")) == 3


def test_the_paths_are_those_of_the_files_that_are_there(tmp_path: Path) -> None:
    writer = ArtifactWriter(tmp_path, ["b"])
    writer.record_run(overloaded_b())
    assert {path.name for path in writer.paths} == {"results.csv", "skipped.csv", "index.csv", "events.jsonl"}
    assert all(path.parent == tmp_path for path in writer.paths)


# Folders that cannot be used


@pytest.mark.parametrize("name", ["results.csv", "skipped.csv"])
@pytest.mark.parametrize("ending", ["\n", ""])
def test_results_of_other_functions_are_refused_before_anything_is_written(
    tmp_path: Path, name: str, ending: str
) -> None:
    (tmp_path / name).write_text(f"function_c,rate_function_c{ending}")
    before = contents(tmp_path)
    with pytest.raises(PevaError, match=f"{name} has the columns of other functions"):
        ArtifactWriter(tmp_path, ["a", "b"])
    assert contents(tmp_path) == before


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_bytes(b"\xff\xfe\x00\n")
    with pytest.raises(PevaError, match="of other functions"):
        ArtifactWriter(tmp_path, ["a"])


def test_a_folder_that_cannot_be_made_or_read_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PevaError, match="cannot be created"):
        ArtifactWriter(tmp_path / "file", ["a"])
    (tmp_path / "out" / "results.csv").mkdir(parents=True)
    with pytest.raises(PevaError, match=r"results.csv cannot be read"):
        ArtifactWriter(tmp_path / "out", ["a"])


def test_a_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        writer = ArtifactWriter(disk / "out", ["b"])
        with full(disk), pytest.raises(PevaError, match="No space left"):
            writer.record_skips([config_key([("b", 50)])] * 10_000)


# Catching up with the memory


def test_what_the_memory_has_and_the_files_lack_is_appended_once(tmp_path: Path) -> None:
    runs = [overloaded_b(), event([("b", 10)]), event([("b", 10)], 1, Verdict.INVALID, functions=())]
    events, complete = [*runs, skip(50), skip(60)], [config_key([("b", 40)]), config_key([("b", 10)])]
    writer = ArtifactWriter(tmp_path, ["a", "b"])
    writer.record_run(runs[0])
    writer.record_skips([skip(50).config_key])
    for _ in range(2):
        writer.catch_up(events, complete)
        assert [json.loads(line)["iteration"] for line in lines(tmp_path, "events.jsonl")] == [0, 0, 1]
        assert [row.split(",")[10] for row in lines(tmp_path, "results.csv")[1:]] == ["40", "10"]
        assert lines(tmp_path, "skipped.csv")[1:] == [",,b,50", ",,b,60"]
        assert len(lines(tmp_path, "index.csv")) == 3


def test_runs_that_measured_the_very_same_are_all_kept(tmp_path: Path) -> None:
    alike = [event([("b", 10)], iteration) for iteration in range(3)]
    writer = ArtifactWriter(tmp_path, ["b"])
    writer.record_run(alike[0])
    writer.catch_up(alike, [])
    assert len(lines(tmp_path, "results.csv")) == 4


def test_whole_and_decimal_numbers_are_the_same_event(tmp_path: Path) -> None:
    writer = ArtifactWriter(tmp_path, ["b"])
    writer.record_run(event([("b", 10)], cost_s=2))
    writer.catch_up([event([("b", 10)], cost_s=2.0)], [])
    assert len(lines(tmp_path, "events.jsonl")) == 1


@pytest.mark.parametrize("name", ["results.csv", "skipped.csv", "index.csv", "events.jsonl"])
def test_whatever_a_file_was_torn_at_it_is_whole_again(tmp_path: Path, name: str) -> None:
    events, complete = [overloaded_b(), event([("b", 10)]), skip(50), skip(60)], [config_key([("b", 40)])]
    ArtifactWriter(tmp_path, ["a", "b"]).catch_up(events, complete)
    whole = (tmp_path / name).read_bytes()
    for size in range(0, len(whole), 7):
        (tmp_path / name).write_bytes(whole[:size])
        ArtifactWriter(tmp_path, ["a", "b"]).catch_up(events, complete)
        assert (tmp_path / name).read_bytes() == whole, f"torn after {size} bytes"


def test_half_a_character_is_cut_off_with_its_line(tmp_path: Path) -> None:
    writer = ArtifactWriter(tmp_path, ["é"])
    writer.record_complete(config_key([("é", 1)]))
    whole = (tmp_path / "index.csv").read_bytes()
    (tmp_path / "index.csv").write_bytes(whole + "['é".encode()[:-1])
    ArtifactWriter(tmp_path, ["é"])
    assert (tmp_path / "index.csv").read_bytes() == whole


def test_a_file_that_is_removed_during_a_campaign_begins_anew_and_is_whole_at_the_next_start(tmp_path: Path) -> None:
    writer = ArtifactWriter(tmp_path, ["a"])
    events = [event(iteration=iteration) for iteration in range(3)]
    writer.record_run(events[0])
    for name in ("results.csv", "events.jsonl"):
        (tmp_path / name).unlink()
    writer.record_run(events[1])
    header, *rows = (tmp_path / "results.csv").read_text().splitlines()
    assert header.startswith("function_a,")
    assert len(rows) == 1
    ArtifactWriter(tmp_path, ["a"]).catch_up(events, [])
    assert len((tmp_path / "results.csv").read_text().splitlines()) == 4
    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 3
