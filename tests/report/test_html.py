"""A report as a file: what it says, that nothing in it leads out of it, and what is refused."""

import base64
import hashlib
import json
import re
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from peva_env.cli import commands as cli
from peva_env.contracts import EndStatus, EventKind, ExecutionEvent, Verdict
from peva_env.errors import ConfigError, PevaError
from peva_env.inference import Cell, Status
from peva_env.maps import CampaignRecord, NodeMap, savings_of
from peva_env.report import html, map_figure
from peva_env.report.data.map_data import NOT_PREDICTED, map_data
from peva_env.report.data.run_data import run_data
from peva_env.report.html import render, write_report
from peva_env.report.texts import certificate, formats, savings, summary
from peva_env.space import Config, ConfigSpace, Dominance
from peva_env.system import install_text
from tests.support.builders import full, function, small_disk, without_privileges
from tests.support.report_maps import CONTEXT, node_map, overloaded_from, remember, runs
from tests.support.report_pages import unpacked

pytest.importorskip("jinja2", reason="needs the extra report")
pytest.importorskip("plotly", reason="needs the extra report")

SPACE = ConfigSpace({"a": [0, 10, 20, 30], "b": [0, 10, 20, 30]}, max_functions=3)
EVIL = '<script>alert("1")</script><img src=http://evil.example/x onerror=alert(2)>&amp;{{ 7 * 7 }}'
VERDICTS = {
    Cell.OK_MEASURED: Verdict.OK,
    Cell.OK_INFERRED: Verdict.OK,
    Cell.OVERLOADED_MEASURED: Verdict.OVERLOADED,
    Cell.OVERLOADED_INFERRED: Verdict.OVERLOADED,
}
VOID = {"meta", "input", "br", "img", "link"}


def measured(*configs: Config, limit_rps: int = 40, n: int = 3) -> list[ExecutionEvent]:
    node = overloaded_from(limit_rps)
    return [run for config in configs for run in runs(config, node(config), n)]


def some() -> list[ExecutionEvent]:
    return measured([("a", 20)], [("a", 10), ("b", 20)], [("a", 30), ("b", 20)], [("a", 20), ("b", 30)])


class Page(HTMLParser):
    """What a browser makes of a page: its elements, and its text without that of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.scripts: list[str] = []
        self.style = self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.text += " "

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["script"]:
            self.scripts[-1] += data
        elif self.open[-1:] == ["style"]:
            self.style += data
        else:
            self.text += data

    @property
    def data(self) -> Any:
        return json.loads(self.scripts[0]) | json.loads(self.scripts[1])


def page_of(one: NodeMap) -> Page:
    return Page(render(one, made_at=1.76e9))


def told(page: Page) -> str:
    return " ".join(page.text.split())


# --- what it says ---------------------------------------------------------------------------------------------------


def test_the_summary_says_what_was_asked_found_taken_and_saved() -> None:
    campaign = CampaignRecord("run", "budget", None, "bisection", 7, "online", 1.76e9, 1.76e9 + 60, "1.1.0", "0.1.0")
    text = told(page_of(node_map(SPACE, some(), campaigns=(campaign,))))
    for said in (
        "Load map of node-7",
        "function a 0 to 30 rps, 4 rates",
        "24, of 1 to 2 functions at once",
        "3 of each configuration, the majority decides; 30 s load; 5 s timeout of a request",
        "mean success under 95 %; CPU over 80 %",
        "OK 9: 2 measured, 7 inferred",
        "OVERLOADED 3: 2 measured, 1 inferred",
        "unknown 12",
        "runs 12",
        "machine time 6m 49s",
        "agent bisection",
        "run budget bisection 7 online 2025-10-09 08:53:20 UTC",
        "m.duckdb",
        '"timeout_s": 5.0',
    ):
        assert said in text
    assert "/somewhere" not in text


def test_savings_are_against_what_the_cartesian_agent_would_run() -> None:
    said = savings_of(node_map(SPACE, some()))
    # All 12 that are known but the one above an overloaded one of the same functions.
    assert (said.configs, said.runs, said.runs_saved) == (11, 33, 21)
    assert said.saved_s == pytest.approx(21 * 34.1)


BUDGET = CampaignRecord("run", "budget", None, "cartesian", 7, "online", 1.76e9, 1.76e9 + 60, "1.1.0", "0.1.0")


@pytest.mark.parametrize("dominance", ["one_sided", "within_sets", "two_sided"])
@pytest.mark.parametrize("n_runs", range(1, 27))
def test_a_cartesian_campaign_that_is_not_done_saved_nothing(n_runs: int, dominance: Dominance) -> None:
    space = ConfigSpace({"a": [10, 20, 30], "b": [10, 20, 30]}, min_functions=2, max_functions=3)
    one = node_map(space, measured(*space, limit_rps=100)[:n_runs], campaigns=(BUDGET,), dominance=dominance)
    said, n_known = savings_of(one), (n_runs + 2) // 3
    assert dict(savings.savings_entries(said))["saved so far"] == "nothing"
    assert f"To know the same {n_known} of 9 configurations, it would measure {n_known}, " in (
        savings.method_text(one, said)
    )


def test_canaries_and_suspect_runs_are_counted() -> None:
    canaries = [*runs([("a", 10)], Verdict.OVERLOADED), *runs([("a", 10)], Verdict.OK, first=1)]
    suspect = runs([("a", 30)], Verdict.INVALID, reasons=("suspect: the canary failed",))
    one = node_map(ConfigSpace({"a": [10, 20, 30]}), [*measured([("a", 10)]), *suspect])
    assert "canaries" not in dict(summary.run_costs(one))
    one = replace(one, canaries=tuple(replace(run, kind=EventKind.CANARY, cost_s=30.0) for run in canaries))
    assert dict(summary.run_costs(one))["canaries"] == "2, in 1m 00s: 1 OVERLOADED; 1 run became suspect"


def test_adaptive_repeats_are_told_and_compared_with_all_that_could_be_made() -> None:
    events = [*runs([("a", 10)], Verdict.OK), *runs([("a", 20)], Verdict.OK), *measured([("a", 30)], limit_rps=30)]
    one = node_map(ConfigSpace({"a": [10, 20, 30]}), events)
    assert "1 to 3 of each configuration, the majority decides;" in dict(summary.campaign_settings(one))["runs"]
    said = savings_of(one)
    assert (said.runs, said.runs_saved) == (9, 4)
    assert "each with 3 runs, the largest number of valid runs of any undisputed configuration here." in (
        savings.method_text(one, said)
    )


@pytest.mark.parametrize(("status", "said"), [("budget", " of what was recorded so far"), ("complete", "")])
def test_without_a_plan_all_numbers_of_an_unfinished_campaign_are_of_what_was_recorded(status: str, said: str) -> None:
    space = ConfigSpace({"a": [10, 20]})
    one = node_map(space, measured(*space), campaigns=(replace(BUDGET, status=status),))
    assert "Nothing is left to measure." in certificate.certificate_text(one)
    one.known.recorded = np.array([True, True])
    assert certificate.certificate_text(one).endswith(f"Nothing{said} is left to measure.")
    assert dict(summary.map_counts(one))["unknown"] == f"0{said}"
    assert dict(summary.campaign_settings(one))["configurations"] == f"2{said}, of 1 function at once"


def test_what_is_in_quarantine_stands_for_itself() -> None:
    events = [*measured([("a", 0)], n=1), *runs([("a", 10)], Verdict.OVERLOADED, 2), *runs([("a", 30)], Verdict.OK, 2)]
    one = node_map(SPACE, events)
    assert "contradict each other" not in certificate.certificate_text(one)
    one.known.quarantine([("a", 10)], [("a", 30)])
    assert "and the highest that are OK (1), except 2 measured configurations that contradict each other." in (
        certificate.certificate_text(one)
    )
    assert (
        "2 measured configurations contradict each other after they were measured again: each has its own verdict on "
        "the map, and nothing is inferred from it."
    ) in told(page_of(one))


def test_other_sets_of_functions_are_not_compared_and_said_so() -> None:
    events = [*runs([("a", 20)], Verdict.OVERLOADED), *runs([("a", 20), ("b", 10)], Verdict.OK)]
    for dominance in ("within_sets", "one_sided"):
        one = node_map(SPACE, events, dominance=dominance)
        said = certificate.contradictions_text(one, one.known.disputes())
        assert (
            "such as a 20 + b 10 above a 20: adding a function can make a mix OK, because the rule on the mean" in said
        )
    one = node_map(SPACE, measured([("a", 20)]))
    assert certificate.contradictions_text(one, []) == (
        "None: no OK configuration lies above an overloaded one of the same functions. "
        "Only configurations of the same functions are compared."
    )


def test_the_highest_loads_that_are_ok_come_first_and_split_votes_are_counted() -> None:
    space = ConfigSpace({name: [10, 20, 30] for name in "abcdefgh"}, max_functions=3)
    oks = [runs([(name, 30)], Verdict.OK, 3) for name in "abcdefg"]
    top = [*runs([("g", 10), ("h", 20)], Verdict.OK, 2), *runs([("g", 10), ("h", 20)], Verdict.OVERLOADED)]
    page = page_of(node_map(space, [run for own in oks for run in own] + top))
    assert "highest OK loads g 10 + h 20 rps a 30 rps b 30 rps c 30 rps d 30 rps and 3 more OK" in told(page)
    assert "split votes 1 of 8 measured configurations, by 2 to 1" in told(page)
    assert ("a", {"href": "#ok-title"}) in page.elements
    assert dict(summary.map_counts(node_map(SPACE, some())))["split votes"] == "none of 4 measured configurations"


def test_a_share_is_written_one_way() -> None:
    limits = {"success_rate_function_min": 0.9, "success_rate_node_min": 0.955, "ram_overload_pct": 90.0, "backlog": 0}
    one = node_map(SPACE, some(), context=CONTEXT | {"overload": limits})
    assert dict(summary.campaign_settings(one))["overloaded is"] == (
        "success of a function under 90 %; mean success under 95.5 %; RAM over 90 %"
    )
    assert dict(savings.savings_entries(savings_of(one)))["saved so far"].startswith("21 runs (63.6 %), ")
    assert not re.search(r"\d%", told(page_of(one)))


def test_the_least_sure_verdict_of_the_certificate_is_told() -> None:
    clear, near = (
        runs([("a", rate)], verdict, margin=margin)
        for rate, verdict, margin in ((10, Verdict.OK, 0.2), (20, Verdict.OVERLOADED, -0.03))
    )
    one = node_map(ConfigSpace({"a": [10, 20, 30]}), [*clear, *near], context={})
    said = "Each of these verdicts is at least 84.1 % sure; the least sure is that of a 20."
    assert said in certificate.certificate_text(one)


def test_a_name_written_from_the_right_is_isolated() -> None:
    space = ConfigSpace({"אבג": [10], "a": [10]}, max_functions=3)
    assert formats.load_text([("a", 10), ("אבג", 10)]) == "a 10 + \u2068אבג\u2069 10"
    assert "function \u2068אבג\u2069" in dict(summary.campaign_settings(node_map(space, runs([("a", 10)], Verdict.OK))))


def test_who_made_more_runs_than_the_cartesian_agent_saved_nothing() -> None:
    one = node_map(ConfigSpace({"a": [10, 20, 30]}), measured(*([("a", rate)] for rate in (10, 20, 30)), limit_rps=20))
    assert dict(savings.savings_entries(savings_of(one)))["saved"] == "nothing; 3 runs more were made"


def test_a_campaign_that_runs_is_told_with_the_time() -> None:
    campaign = CampaignRecord("run", "running", None, None, None, None, 1.76e9, None, None, None)
    assert "still running when this report was made, at 2025-10-09 08:53:20 UTC" in told(
        page_of(node_map(SPACE, some(), campaigns=(campaign,)))
    )


def test_notes_are_sentences() -> None:
    page = page_of(node_map(SPACE, some(), notes=("other contexts: x, ...", "ends.", "ends")))
    assert "Other contexts: x, ... Ends. Ends. Campaign" in told(page)


@pytest.mark.parametrize("dominance", ["one_sided", "within_sets"])
def test_contradictions_are_told(dominance: Dominance) -> None:
    events = [*runs([("a", 10)], Verdict.OVERLOADED), *runs([("a", 30)], Verdict.OK)]
    page = page_of(node_map(SPACE, events, dominance=dominance))
    assert "0 of " in told(page)
    assert "highest OK loads" not in told(page)
    assert "contradicted 3: measured runs contradict each other, so these count as unknown" in told(page)
    assert "1 pair of configurations of which the higher one was OK" in told(page)
    assert page.data["disputes"] == [[1, 3, "open"]]
    assert list(unpacked(page.data["cells"])[:4]) == [Cell.UNKNOWN, *3 * [Cell.CONTRADICTED]]


def test_runs_that_measured_nothing_make_a_page_too() -> None:
    page = page_of(node_map(SPACE, runs([("a", 10)], Verdict.INVALID, 2)))
    assert "2, 2 of them INVALID, which do not count" in told(page)
    assert page.data["reasons"] == [["k6 failed"]]


# --- what is drawn --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dominance", ["one_sided", "within_sets", "two_sided"])
def test_each_cell_is_as_the_map_has_it_and_what_is_inferred_names_its_evidence(dominance: Dominance) -> None:
    known = (one := node_map(SPACE, some(), dominance=dominance)).known
    data = map_data(one)
    cells, evidence, proof = (unpacked(data[name]) for name in ("cells", "evidence", "proof"))
    for config, cell, status, number in zip(SPACE, cells, known.status(), evidence, strict=True):
        verdict = known.verdict(config)
        assert VERDICTS.get(Cell(cell)) == verdict
        assert (status == Status.INFERRED) == (cell in (Cell.OK_INFERRED, Cell.OVERLOADED_INFERRED)) == (number > 0)
        if number:
            assert known.measured[tuple(zip(*SPACE.config(proof[number - 1]), strict=True))] is verdict  # type: ignore[index]


def test_what_is_of_no_recorded_set_of_functions_is_not_of_the_map() -> None:
    one = node_map(SPACE, some())
    one.known.recorded = np.arange(SPACE.n_configs) >= 8
    assert set(unpacked(map_data(one)["cells"])[:8]) == {Cell.ABSENT}


def test_runs_are_columns_in_which_nothing_is_lost() -> None:
    one = node_map(SPACE, [*some(), *runs([("b", 10)], Verdict.INVALID, reasons=("k6 failed", "and more"))])
    configs, data = unpacked(map_data(one)["configs"]), run_data(one)
    columns = data["runs"]
    for i, run in enumerate(one.events):
        assert SPACE.config(configs[unpacked(columns["config"])[i]]) == run.config_pairs
        assert data["reasons"][unpacked(columns["reasons"])[i]] == run.reasons
        assert unpacked(columns["margin"])[i] == pytest.approx(
            np.nan if run.margin is None else run.margin, nan_ok=True
        )
        assert unpacked(columns["startedAt"])[i] == run.started_at
    successes = [function.success_rate for run in one.events for function in run.functions]
    assert list(unpacked(data["runFunctions"]["success"])) == pytest.approx(successes)
    without = node_map(SPACE, runs([("b", 10)], Verdict.OK, functions=(function("b", 10),)))
    assert run_data(without)["runFunctions"]["cpuPct"] is None  # measured nowhere, so there is no column


def test_what_the_runs_of_a_configuration_say_together_leaves_out_those_that_measured_nothing() -> None:
    config = [("a", 10), ("b", 0)]
    events = [*runs(config, Verdict.OK, 2), *runs(config, Verdict.OVERLOADED, first=2), *runs(config, Verdict.INVALID)]
    events += runs([("a", 10)], Verdict.INVALID)
    said = {name: unpacked(one) for name, one in map_data(node_map(SPACE, events))["summaries"].items()}
    assert [list(said[name]) for name in ("verdict", "nRuns", "nValid", "nAgreeing")] == [
        [0, 2],
        [4, 1],
        [3, 0],
        [2, 0],
    ]
    assert said["success"] == pytest.approx([(0.99 + 0.988 + 0.496) / 3, np.nan], nan_ok=True)  # b was offered nothing
    assert said["p95Ms"] == pytest.approx([56 + 2 + 3.5, np.nan], nan_ok=True)


def test_probabilities_are_in_percent_and_of_what_is_unknown() -> None:
    one = node_map(SPACE, some())
    n_unknown = one.known.n_unknown
    predicted = unpacked(map_data(one, np.linspace(0, 1, n_unknown))["predicted"])
    cells = unpacked(map_data(one)["cells"])
    assert list(predicted[cells == Cell.UNKNOWN]) == [1, *np.rint(np.linspace(0, 100, n_unknown))[1:-1], 99]
    assert set(predicted[cells != Cell.UNKNOWN]) == {255}


def test_what_is_unknown_is_predicted() -> None:
    assert page_of(node_map(SPACE, some())).data["predicted"] is not None


def test_nothing_is_predicted_ok_where_no_measured_load_with_a_function_is_ok() -> None:
    """As ``ask`` does, which says unknown there."""
    page = page_of(node_map(SPACE, measured([("a", 30)], [("a", 30), ("b", 30)], [("b", 10)], limit_rps=20)))
    cells, predicted = (unpacked(page.data[name]) for name in ("cells", "predicted"))
    configs = [SPACE.config(int(index)) for index in np.flatnonzero(cells == Cell.UNKNOWN)]
    likely = dict(zip(map(str, configs), predicted[cells == Cell.UNKNOWN].tolist(), strict=True))
    without = {config: percent for config, percent in likely.items() if "'a'" not in config or "('a', 0)" in config}
    assert set(without.values()) <= set(range(1, 100))
    assert {likely[config] for config in likely.keys() - without.keys()} <= {*range(50, 100), NOT_PREDICTED}
    assert likely["[('a', 10)]"] == NOT_PREDICTED


def test_a_cell_costs_a_few_bytes() -> None:
    space = ConfigSpace({"a": range(300), "b": range(300)}, min_functions=2, max_functions=3)
    one = node_map(space, measured([("a", 100), ("b", 100)], limit_rps=150))
    assert len(json.dumps(map_data(one))) < 9 * space.n_configs


def test_a_million_cells_are_not_predicted_and_said_so() -> None:
    space = ConfigSpace({"a": range(1000), "b": range(1000)}, min_functions=2, max_functions=3)
    text = told(page_of(node_map(space, measured([("a", 800), ("b", 800)]))))
    assert "configurations are unknown, too many to predict each." in text
    assert "too many to compute a lower bound on the runs left" in text


# --- what it is made of ---------------------------------------------------------------------------------------------


def evil_map() -> NodeMap:
    space = ConfigSpace({EVIL: [10, 20], "b": [10]}, max_functions=3)
    campaign = CampaignRecord(EVIL, EVIL, EVIL, EVIL, 1, EVIL, 1.0, 2.0, EVIL, EVIL)
    values: dict[str, Any] = {"campaigns": (campaign,), "notes": (EVIL,), "context_hash": EVIL, "memory": f"m{EVIL}"}
    context = {"node": {"name": EVIL}, "duration_s": EVIL, "overload": {"ram_overload_pct": EVIL}, EVIL: EVIL}
    events = runs([(EVIL, 10)], Verdict.OVERLOADED, reasons=(EVIL, "</script><script>alert(3)</script>"), run_id=EVIL)
    return node_map(space, events, context=context, **values)


def test_names_from_strangers_become_neither_markup_nor_script() -> None:
    kind = Counter(tag for tag, _ in page_of(evil_map()).elements)
    plain = Counter(tag for tag, _ in page_of(node_map(SPACE, some())).elements)
    page = page_of(evil_map())
    assert kind["script"] == plain["script"] == 4
    assert kind.keys() <= plain.keys() | {"td"}
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert EVIL in page.text
    assert page.data["functions"] == [EVIL, "b"]


@pytest.mark.parametrize("one", [node_map(SPACE, some()), evil_map()], ids=["plain", "evil"])
def test_nothing_in_it_leads_out_of_it(one: NodeMap) -> None:
    page = page_of(one)
    for tag, attributes in page.elements:
        assert not attributes.keys() & {"src", "srcset", "action", "formaction", "poster"}
        assert attributes.get("href", "#").startswith("#")  # type: ignore[union-attr]
        assert tag not in {"link", "iframe", "object", "embed", "base"}
    assert not re.search(r"url\(|@import", page.style)


def test_the_policy_of_the_page_allows_its_two_scripts_and_no_request() -> None:
    page = page_of(evil_map())
    (policy,) = (one["content"] for tag, one in page.elements if tag == "meta" and "http-equiv" in one)
    digests = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts[2:]}
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert set(re.findall(r"sha256-([^']+)", policy)) == digests
    assert not re.search(r"http|\*|connect|unsafe-eval", policy)


def test_headings_labels_and_ids_are_in_order() -> None:
    page = page_of(node_map(SPACE, some(), notes=("said",)))
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert max(ids.values()) == 1
    named = [one.get("aria-labelledby") or one.get("aria-describedby") for _, one in page.elements]
    assert {name for name in named if name} <= ids.keys()
    assert {str(one["href"])[1:] for _, one in page.elements if "href" in one} <= ids.keys()
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(level <= before + 1 for before, level in pairwise(levels))
    assert ("html", {"lang": "en"}) in page.elements
    assert {"header", "nav", "main", "footer", "title"} <= {tag for tag, _ in page.elements}
    assert page.open == []


# --- the file and the command ---------------------------------------------------------------------------------------


def report(*args: str) -> tuple[int, str]:
    """Run the command; return its exit code, and the line that it printed or complained with."""
    done = CliRunner().invoke(cli.app, ["report", *args])
    if isinstance(done.exception, PevaError):
        return (2 if isinstance(done.exception, ConfigError) else 1), str(done.exception)
    return done.exit_code, done.output


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return remember(tmp_path / "m.duckdb", some())


def test_the_command_writes_a_report_and_replaces_an_older_one(memory: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    for _ in range(2):
        code, said = report("--memory", str(memory), "--out", str(out))
        assert (code, said.startswith(f"wrote {out} (")) == (0, True)
    assert "node-7" in Page(out.read_text()).text
    assert out.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert {path.name for path in tmp_path.iterdir()} == {"m.duckdb", "r.html"}


@pytest.mark.parametrize(("name", "begin"), [("m.svg", b"<?xml"), ("m.png", b"\x89PNG")])
def test_the_map_is_drawn_into_a_file_of_its_own(memory: Path, tmp_path: Path, name: str, begin: bytes) -> None:
    figure = tmp_path / name
    code, said = report("--memory", str(memory), "--out", str(tmp_path / "r.html"), "--figure", str(figure))
    assert (code, said.splitlines()[1]) == (0, f"wrote {figure}")
    assert figure.read_bytes().startswith(begin)


def test_three_functions_are_drawn_as_small_maps(tmp_path: Path) -> None:
    space = ConfigSpace({"a": [10, 20], "b": [10, 20], "c": [10, 20]}, max_functions=4)
    panels = map_figure(node_map(space, measured(*space))).figure.axes
    assert [ax.get_title() for ax in panels] == ["c not loaded", "c at 10 rps", "c at 20 rps"]


def test_a_report_and_its_figure_are_two_files(memory: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.svg"
    code, said = report("--memory", str(memory), "--out", str(out), "--figure", str(out))
    assert (code, said) == (2, f"--figure {out}: is another file of this command; give another name")
    assert not out.exists()


def test_a_figure_of_another_kind_is_refused_before_the_report_is_written(memory: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    code, said = report("--memory", str(memory), "--out", str(out), "--figure", str(tmp_path / "m.pdf"))
    assert (code, said.endswith("must end in .svg or .png"), out.exists()) == (2, True, False)


def _umask() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_the_command_explains_its_options() -> None:
    code, said = report("--help")
    options = ("--memory", "--out", "--context", "--repetition", "--functions", "--dominance", "--config", "--figure")
    assert code == 0
    assert [option for option in options if option not in said] == []


def test_only_some_functions_and_a_rule_can_be_asked_for(memory: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    report("--memory", str(memory), "--out", str(out), "--functions", "a", "--dominance", "two_sided")
    page = Page(out.read_text())
    assert page.data["functions"] == ["a"]
    assert "OK, if an OK configuration has no lower rate of any function" in told(page)


def planned(memory: Path, plan: str) -> Page:
    """Return the page of a memory, of a campaign with this plan."""
    config, out = memory.with_name("peva.yml"), memory.with_name("r.html")
    config.write_text(plan)
    assert report("--memory", str(memory), "--out", str(out), "--config", str(config))[0] == 0
    return Page(out.read_text())


def test_with_the_campaigns_file_the_map_is_the_whole_plan(memory: Path) -> None:
    page = planned(
        memory,
        "functions: [{name: a}, {name: b}, {name: c}]\ncombinations: {max_functions: 4}\n"
        "rate_strategy: {type: custom, rates: [10, 20, 30, 40]}\n",
    )
    assert page.data["rates"] == [[10, 20, 30, 40]] * 3
    assert "configurations 124, of 1 to 3 functions at once" in told(page)


def test_of_a_campaign_that_is_not_complete_the_plan_is_asked_for(tmp_path: Path) -> None:
    memory, out = remember(tmp_path / "m.duckdb", some(), status=EndStatus.BUDGET), tmp_path / "r.html"
    report("--memory", str(memory), "--out", str(out))
    assert "with --config it spans the campaign's whole plan." in told(Page(out.read_text()))


def test_a_plan_that_is_too_large_is_left_for_what_was_recorded(memory: Path) -> None:
    page = planned(
        memory,
        "functions: [{name: a}, {name: b}]\ncombinations: {max_functions: 3}\n"
        "rate_strategy: {type: linear, min_rate: 0, max_rate: 2000, step: 1}\n",
    )
    assert "more than the 1,048,576 that can be shown: this map spans what was recorded." in told(page)


def test_of_several_contexts_one_is_shown_and_the_others_are_named(memory: Path, tmp_path: Path) -> None:
    remember(memory, some(), context_hash="decaf")
    out = tmp_path / "r.html"
    report("--memory", str(memory), "--out", str(out), "--context", "c0")
    page = told(Page(out.read_text()))
    assert "context c0ffee" in page
    assert report("--memory", str(memory), "--out", str(out), "--context", "x")[0] == 2


def test_a_memory_without_events_is_an_error_and_no_page(tmp_path: Path) -> None:
    empty = remember(tmp_path / "m.duckdb", [], status=EndStatus.RUNNING)
    code, said = report("--memory", str(empty), "--out", str(tmp_path / "r.html"))
    assert (code, said) == (2, f"memory {empty}: it has no measured events yet; `peva-env run` measures some")
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize("name", ["m.duckdb", "m.duckdb.wal", "m.duckdb.tmp"])
def test_a_report_has_no_name_of_the_memorys_own_files(memory: Path, tmp_path: Path, name: str) -> None:
    before = sorted(tmp_path.iterdir())
    code, said = report("--memory", str(memory), "--out", str(tmp_path / name))
    assert (code, said) == (2, f"--out {tmp_path / name}: is another file of this command; give another name")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["notes.txt", "folder"])
def test_what_is_no_report_is_not_replaced(memory: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "folder").mkdir()
    code, said = report("--memory", str(memory), "--out", str(tmp_path / name))
    assert (code, said) == (2, f"--out {tmp_path / name}: exists and is not a report; give another name")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_of_a_symbolic_link_the_file_behind_is_written(memory: Path, tmp_path: Path) -> None:
    link, target = tmp_path / "latest.html", tmp_path / "r.html"
    link.symlink_to(target)
    for _ in range(2):
        assert report("--memory", str(memory), "--out", str(link))[0] == 0
        assert (link.is_symlink(), target.is_symlink()) == (True, False)
        assert "node-7" in target.read_text()
    target.write_text("mine")
    said = f"--out {link}: exists and is not a report; give another name"
    assert report("--memory", str(memory), "--out", str(link)) == (2, said)
    assert target.read_text() == "mine"
    link.unlink()
    link.symlink_to(link)
    said = f"--out {link}: is a symbolic link that leads back to itself; give another name"
    assert report("--memory", str(memory), "--out", str(link)) == (2, said)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--out", ".", "--out: names no file; give a file name"),
        ("--out", "-", "--out -: a report is written to a file, not to the standard output; give a file name"),
        ("--functions", "", "--functions '': a name is empty; write them as in a,b"),
        ("--functions", "a,,b", "--functions 'a,,b': a name is empty; write them as in a,b"),
    ],
)
def test_what_names_nothing_is_refused(memory: Path, option: str, value: str, said: str) -> None:
    assert report("--memory", str(memory), option, value) == (2, said)


@pytest.mark.parametrize(
    ("functions", "said"),
    [
        ("[{name: c}, {name: d}]", "c, d, was run; memory {} has a, b"),
        ("[{name: a}, {name: b}]", "a, b, was run; memory {} has a, b, at other rates or in other numbers at once"),
    ],
)
def test_a_plan_of_which_nothing_was_run_is_an_error_and_no_page(
    memory: Path, tmp_path: Path, functions: str, said: str
) -> None:
    plan, out = tmp_path / "peva.yml", tmp_path / "r.html"
    plan.write_text(f"functions: {functions}\nrate_strategy: {{type: custom, rates: [7]}}\n")
    assert report("--memory", str(memory), "--out", str(out), "--config", str(plan)) == (
        2,
        f"--config {plan}: no configuration of its plan, {said.format(memory)}",
    )
    assert not out.exists()


def test_a_folder_that_is_not_there_is_named(memory: Path, tmp_path: Path) -> None:
    out = tmp_path / "none" / "r.html"
    said = f"--out {out}: cannot be written: No such file or directory"
    assert report("--memory", str(memory), "--out", str(out)) == (1, said)


def test_a_folder_that_may_not_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    one = node_map(SPACE, some())
    monkeypatch.setattr(html, "render", lambda *_, **__: "page")  # what it reads may be out of reach without privileges
    with without_privileges() as folder:
        folder.chmod(0o500)
        with pytest.raises(PevaError, match=r"r\.html: cannot be written: Permission denied"):
            write_report(one, folder / "r.html")


def test_on_a_full_disk_the_older_report_stays(tmp_path: Path) -> None:
    one = node_map(SPACE, some())
    with small_disk(tmp_path / "disk", size_mib=12) as disk:
        write_report(one, disk / "r.html")
        before = (disk / "r.html").read_bytes()
        with full(disk), pytest.raises(PevaError, match=r"cannot be written: No space left on device"):
            write_report(one, disk / "r.html")
        assert (disk / "r.html").read_bytes() == before
        assert [path.name for path in disk.iterdir()] == ["r.html"]


@pytest.mark.parametrize("library", ["jinja2", "plotly"])
def test_a_library_that_is_missing_is_named_with_the_extra(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with suppress(KeyError):
        monkeypatch.delitem(sys.modules, f"{library}.offline")
    with pytest.raises(ConfigError) as caught:
        render(node_map(SPACE, some()), made_at=0)
    assert str(caught.value) == f"a report needs {library}, which is not installed: {install_text('report')}"
