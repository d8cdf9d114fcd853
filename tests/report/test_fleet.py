"""The page of several nodes: what it says of each, side by side, and each node by itself in the same file."""

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from peva_env.cli import commands as cli
from peva_env.contracts import EndStatus, Verdict
from peva_env.inference import Cell
from peva_env.maps import CampaignRecord, NodeMap, read_fleet
from peva_env.memory import DuckDBMemoryStore, Session
from peva_env.report import fleet_figure
from peva_env.report.data import fleet_data
from peva_env.report.data.map_data import NOT_PREDICTED
from peva_env.report.html import render_fleet, write_fleet_report
from peva_env.report.texts import fleet
from peva_env.space import Config, ConfigSpace
from tests.report.test_browser import ARGUMENTS, CHROMIUM, CONTRAST
from tests.report.test_html import EVIL, Page, evil_map, told
from tests.support.report_maps import CONTEXT, in_order, node_map, overloaded_from, runs

pytest.importorskip("jinja2", reason="needs the extra report")
pytest.importorskip("plotly", reason="needs the extra report")

PAIRS = ConfigSpace({"a": [10, 20], "b": [10, 20]}, max_functions=3)
FOUR = ConfigSpace({name: [10, 20] for name in "abcd"}, max_functions=4)
OK, OVER, ABSENT = Cell.OK_MEASURED, Cell.OVERLOADED_MEASURED, Cell.ABSENT


def campaign(run_id: str, status: str = "complete") -> CampaignRecord:
    return CampaignRecord(run_id, status, None, "bisection", 7, None, 1.76e9, 1.76e9 + 60, "1.1.0", "0.1.0")


def node(limit_rps: int, space: ConfigSpace = PAIRS, configs: Iterable[Config] | None = None, **values: Any) -> NodeMap:
    """Return the map of a node that bears less than a total rate, from a run of each configuration, or of some."""
    verdict = overloaded_from(limit_rps)
    measured = [run for config in configs or space for run in runs(config, verdict(config))]
    return node_map(space, measured, **({"campaigns": (campaign("n.20261129T100000"),)} | values))


def two() -> dict[str, NodeMap]:
    return {"large": node(40), "small": node(20, context=CONTEXT | {"duration_s": 20.0})}


def fleet_data_of(maps: dict[str, NodeMap]) -> list[dict[str, Any]]:
    """Return the data of the small maps without predictions."""
    return fleet_data(maps, dict.fromkeys(maps))


# --- what it says ---------------------------------------------------------------------------------------------------


def test_each_map_is_drawn_at_the_same_rates_of_the_same_functions() -> None:
    large, small = fleet_data_of(two())
    assert large["x"] == small["x"] == {"function": "a", "levels": ["none", "10", "20"]}
    assert (large["y"], large["others"]) == ({"function": "b", "levels": ["none", "10", "20"]}, [])
    assert large["cells"] == [[ABSENT, OK, OK], [OK, OK, OK], [OK, OK, OVER]]
    assert small["cells"] == [[ABSENT, OK, OVER], [OK, OVER, OVER], [OVER, OVER, OVER]]


def test_a_rate_that_only_one_node_has_is_blank_on_the_others() -> None:
    rates = [10, 20, 30, 40]
    one, other = fleet_data_of({"x": node(25, ConfigSpace({"a": rates})), "y": node(25, ConfigSpace({"a": rates[:3]}))})
    assert one["cells"] == [[OK, OK, OVER, OVER]]
    assert other["cells"] == [[OK, OK, OVER, ABSENT]]
    assert (one["y"], other["x"]["levels"]) == (None, ["10", "20", "30", "40"])


def test_nodes_with_rates_of_their_own_show_their_own() -> None:
    spaces = {name: ConfigSpace({"a": rates}) for name, rates in (("x", [10, 20, 30]), ("y", [100, 200]))}
    parts = fleet_data_of({name: node(25, space) for name, space in spaces.items()})
    assert [part["x"]["levels"] for part in parts] == [["10", "20", "30"], ["100", "200"]]


def test_other_functions_are_at_the_rates_with_most_runs_on_all_nodes() -> None:
    space = ConfigSpace({"a": [10, 20], "b": [10, 20], "c": [5, 15]}, min_functions=3, max_functions=4)
    few = [config for config in space if dict(config)["c"] == 5]
    one, other = fleet_data_of({"x": node(40, space, few), "y": node(40, space)})
    assert one["others"] == other["others"] == ["c 5 rps"]
    assert other["cells"] == [[OK, OK], [OK, OVER]]


def test_functions_that_are_not_loaded_are_named() -> None:
    pair, both = [[("a", 10), ("b", 10)]], [[("a", 10), ("b", 10), ("c", 20)]]
    assert [fleet_data_of({"x": node(90, FOUR, some)})[0]["others"] for some in (pair, both)] == [
        ["others not loaded"],
        ["c 20 rps", "d not loaded"],
    ]


def test_a_configuration_without_a_verdict_is_incomplete_and_an_unknown_one_has_its_prediction() -> None:
    space = ConfigSpace({"a": [10, 20, 30, 40]})
    (part,) = fleet_data({"x": incomplete(space)}, {"x": np.array([0.321])})
    assert part["cells"] == [[OK, Cell.INCOMPLETE, Cell.UNKNOWN, Cell.OVERLOADED_MEASURED]]
    assert part["predicted"] == [[NOT_PREDICTED, NOT_PREDICTED, 32, NOT_PREDICTED]]


def incomplete(space: ConfigSpace) -> NodeMap:
    """Return a map of one function: the first rate is OK, the run of the second is INVALID, the last is overloaded."""
    (first, second, *_, last) = space
    return node_map(space, [*runs(first, Verdict.OK), *runs(second, Verdict.INVALID), *runs(last, Verdict.OVERLOADED)])


def test_of_very_many_rates_some_are_drawn_the_highest_among_them() -> None:
    (part,) = fleet_data_of({"x": node(500, ConfigSpace({"a": range(1, 1001)}), [[("a", 1)], [("a", 1000)]])})
    assert len(part["cells"][0]) == 40
    assert part["x"]["levels"][-1] == "1000"


@pytest.mark.parametrize(
    ("limit_rps", "said"),
    [(15, "OK to 10, overloaded from 20"), (50, "OK to 20"), (5, "overloaded from 10")],
)
def test_the_limits_of_a_function_alone(limit_rps: int, said: str) -> None:
    assert fleet.limit_alone(node(limit_rps), "a") == said


def test_a_function_that_is_not_alone_or_not_there_has_no_limit_alone() -> None:
    together = node(40, ConfigSpace({"a": [10], "b": [10]}, min_functions=2, max_functions=3))
    assert [fleet.limit_alone(together, name) for name in "ac"] == ["not alone", "–"]
    assert fleet.limit_alone(node(40, configs=[[("b", 10)]]), "a") == "unknown"


def test_a_row_says_the_state_the_counts_and_the_cost_of_a_node() -> None:
    assert fleet.node_row(node(40)) == [
        "complete",
        "8 of 8 known, 8 measured",
        "8",
        "4m 20s",
        "1.1.0",
        "a 10 + b 20 rps",
    ]
    assert fleet.node_row(node(5, campaigns=()))[-1] == "–"


def test_the_highest_load_is_one_that_needs_no_help_of_a_further_function() -> None:
    space = ConfigSpace({"a": [10], "b": [10]}, max_functions=3)
    alone, together = [("a", 10)], [("a", 10), ("b", 10)]
    events = [*runs(alone, Verdict.OVERLOADED), *runs([("b", 10)], Verdict.OK), *runs(together, Verdict.OK)]
    assert fleet.node_row(node_map(space, events))[-1] == "b 10 rps"


def test_contexts_are_compared_to_the_last_letter_and_shown_shortened() -> None:
    functions = [{"f": {"sha256": f"{'a' * 63}{digit}", "body": f"{'x' * 99}{digit}"}} for digit in "12"]
    maps = {str(i): node(40, context=CONTEXT | {"node": {"functions": one}}) for i, one in enumerate(functions)}
    keys, rows = fleet.differing(maps)
    assert keys == ["node.functions.f.body", "node.functions.f.sha256"]
    assert rows["0"] == [f"{'x' * 59}…", f"{'a' * 12}…"]


def test_the_name_that_a_node_is_shown_by_is_no_difference() -> None:
    maps = {name: node(40, context=CONTEXT | {"node": {"name": name}}) for name in ("large", "small")}
    assert fleet.differing(maps)[0] == []


def test_the_page_says_all_of_it() -> None:
    maps = two()
    maps["small"] = replace(maps["small"], campaigns=(campaign("small.20261129T100000", EndStatus.RUNNING),))
    text = told(Page(render_fleet(maps, made_at=1.76e9)))
    for said in (
        "Load maps of 2 nodes",
        "2 nodes, 16 runs, 8m 40s of machine time. Still running: small.",
        "large complete 8 of 8 known, 8 measured 8 4m 20s 1.1.0 a 10 + b 20 rps",
        "small OK to 10, overloaded from 20 OK to 10, overloaded from 20",
        "node duration_s large 30.0 small 20.0",
        "Load map of n",  # the page of a node, in its template
        "n bears a 10 + b 20 requests/s together, with p95 latency",
        "Rules that OVERLOADED runs broke",
    ):
        assert said in text


def test_the_figure_shows_the_parts_of_the_page() -> None:
    panels = fleet_figure({**two(), "n$1": node(40, FOUR, [[("a", 10), ("b", 10), ("c", 20)]])}).figure.axes
    assert [ax.get_title() for ax in panels] == ["large", "small", "n\\$1\nc at 20 rps, d not loaded"]
    assert (panels[0].get_xlabel(), panels[0].get_ylabel()) == ("a (rps)", "b (rps)")


def test_the_figure_of_nodes_that_load_one_function_at_a_time_has_a_row_for_each() -> None:
    spaces = [ConfigSpace({"a": [10, 20]}), ConfigSpace({"a": [10, 20], "b": [10, 20]}, max_functions=2)]
    panels = fleet_figure({str(i): node(15, space) for i, space in enumerate(spaces)}).figure.axes
    assert [[label.get_text() for label in ax.get_yticklabels()] for ax in panels] == [[""], ["a", "b"]]


def test_a_figure_of_very_many_nodes_has_the_first_ones_and_says_so() -> None:
    figure = fleet_figure({str(i): node(15, ConfigSpace({"a": [10, 20]})) for i in range(25)}).figure
    assert (len(figure.axes), figure.get_suptitle()) == (24, "24 of 25 nodes")


# --- what it is made of ---------------------------------------------------------------------------------------------


def test_nothing_in_it_leads_out_of_it_and_its_policy_allows_its_own_scripts() -> None:
    page = Page(render_fleet({EVIL: evil_map(), "plain": node(40)}, made_at=1.76e9))
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    for _, attributes in page.elements:
        assert not attributes.keys() & {"src", "srcset", "action"}
        assert re.match(r"#|\?$|\?node=[\w%./-]+$", attributes.get("href") or "#")
    types = [attributes for tag, attributes in page.elements if tag == "script"]
    own = [script for script, kind in zip(page.scripts, types, strict=True) if kind.get("type") != "application/json"]
    (policy,) = (one["content"] for tag, one in page.elements if tag == "meta" and "http-equiv" in one)
    assert set(re.findall(r"sha256-([^']+)", str(policy))) == {
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in own
    }
    assert page.open == []


# --- the command ----------------------------------------------------------------------------------------------------


def remember_nodes(path: Path, *functions: str, names: Iterable[str] = ("large", "small")) -> Path:
    """Write the memory of a fleet, whose nodes bear different loads."""
    store = DuckDBMemoryStore(path)
    store.startup()
    for i, (name, function) in enumerate(zip(names, functions, strict=True)):
        run_id, limit_rps = f"{name}.20261129T100000", 15 + 10 * i
        store.open_session(Session(run_id, 1, f"c{i}", CONTEXT, k6_version="1.1.0"))
        made = (
            run
            for rate in (10, 20, 30)
            for run in runs([(function, rate)], overloaded_from(limit_rps)([(function, rate)]))
        )
        store.insert_events([replace(one, context_hash=f"c{i}", run_id=run_id) for one in in_order(made)])
        store.close_session(run_id, EndStatus.COMPLETE)
    store.close()
    return path


def reported(memory: Path, *options: str) -> tuple[str, str]:
    out = memory.with_name("r.html")
    done = CliRunner().invoke(cli.app, ["report", "--memory", str(memory), "--out", str(out), *options])
    assert done.exit_code == 0, done.output
    return done.output, out.read_text()


def test_a_memory_of_several_nodes_is_shown_side_by_side_unless_one_is_chosen(tmp_path: Path) -> None:
    memory = remember_nodes(tmp_path / "fleet.duckdb", "a", "a")
    said, page = reported(memory)
    assert "MB, 2 nodes)" in said
    assert "<title>Load maps of 2 nodes</title>" in page
    for option in (("--context", "small"), ("--repetition", "1")):
        said, page = reported(memory, *option)
        assert "2 nodes)" not in said
    assert "<title>Load map of small</title>" in reported(memory, "--context", "small")[1]


def test_the_figure_of_several_nodes_is_a_small_map_of_each(tmp_path: Path) -> None:
    memory, figure = remember_nodes(tmp_path / "fleet.duckdb", "a", "a"), tmp_path / "map.svg"
    assert f"wrote {figure}" in reported(memory, "--figure", str(figure))[0]
    assert {"large", "small"} <= set(re.findall(r"<!-- (.*?) -->", figure.read_text()))
    assert f"wrote {figure}" in reported(memory, "--context", "small", "--figure", str(figure))[0]
    assert "<!-- large -->" not in figure.read_text()


def test_only_nodes_with_the_functions_in_question_are_shown(tmp_path: Path) -> None:
    memory = remember_nodes(tmp_path / "fleet.duckdb", "a", "b", "b", names=("x", "y", "z"))
    assert "<title>Load maps of 2 nodes</title>" in reported(memory, "--functions", "b")[1]
    assert "<title>Load map of x</title>" in reported(memory, "--functions", "a")[1]


def test_rules_in_question_judge_all_nodes(tmp_path: Path) -> None:
    memory = remember_nodes(tmp_path / "fleet.duckdb", "a", "a")
    strict = read_fleet(memory, rules={"p95_ms_max": 1})
    assert {str(verdict) for one in strict.values() for verdict in one.known.measured.values()} == {"OVERLOADED"}
    assert {str(verdict) for one in read_fleet(memory).values() for verdict in one.known.measured.values()} == {
        Verdict.OK,
        Verdict.OVERLOADED,
    }


# --- in a browser ---------------------------------------------------------------------------------------------------


class Opened:
    """A page of nodes that is open, and what went wrong on it."""

    def __init__(self, context: Any, path: Path, query: str = "") -> None:
        self.page, self.url, self.problems = context.new_page(), path.as_uri(), list[str]()
        self.page.set_default_timeout(60_000)
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.note(request.url))
        self.page.goto(f"{self.url}{query}")

    def note(self, url: str) -> None:
        if url.partition("?")[0] != self.url and not url.startswith("data:"):
            self.problems.append(f"request: {url}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the group browser")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    nodes = {**two(), EVIL: evil_map(), "begun": incomplete(ConfigSpace({"a": [10, 20, 30, 40, 50]}))}
    write_fleet_report(nodes, tmp_path / "r.html")
    return tmp_path / "r.html"


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (380, "dark")])
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, of the system's packages")
def test_the_maps_are_drawn_and_all_is_readable(browser: Any, path: Path, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened = Opened(context, path)
    opened.page.wait_for_selector(".small-map svg")
    maps = opened.page.locator(".small-map svg")
    assert maps.count() == 4
    assert maps.first.get_attribute("aria-label") == "measured OK: 7, measured overloaded: 1"
    counts = "measured OK: 1, measured overloaded: 1, incomplete: 1, predicted: 2"
    assert maps.nth(3).get_attribute("aria-label") == counts
    legend = opened.page.locator("#fleet-legend li").all_inner_texts()
    assert [text.lstrip("●○✖×♦–") for text in legend][-5:] == [
        "incomplete",
        "unknown",
        "predicted, from likely OK to likely overloaded",
        "frontier: OK below, overloaded above",
        "frontier, predicted",
    ]
    assert opened.page.evaluate(CONTRAST) == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    assert opened.problems == []
    context.close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, of the system's packages")
def test_a_node_is_a_click_away_and_so_is_the_way_back(browser: Any, path: Path) -> None:
    context = browser.new_context()
    opened = Opened(context, path)
    for name in ("small", EVIL):
        opened.page.locator("#maps").get_by_role("link", name=name, exact=True).click()
        opened.page.wait_for_selector("#plot .main-svg")
        assert opened.page.title() == f"Load map of {name}"
        for drawn in ("#curves-plots", "#timeline-plot"):
            opened.page.locator(drawn).scroll_into_view_if_needed()
            opened.page.wait_for_selector(f"{drawn} .main-svg")
        opened.page.get_by_role("link", name="All nodes").click()
        opened.page.wait_for_selector(".small-map svg")
    opened.page.goto(f"{opened.url}?node=nobody")
    opened.page.wait_for_selector(".small-map svg")
    assert opened.page.locator("#missing").inner_text() == "This report has no node nobody."
    assert opened.problems == []
    context.close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, of the system's packages")
def test_an_address_within_a_node_is_gone_to(browser: Any, path: Path) -> None:
    context = browser.new_context(viewport={"width": 1200, "height": 600})
    opened = Opened(context, path, "?node=small#provenance")
    opened.page.wait_for_selector("#plot .main-svg")
    assert opened.page.locator("#provenance-title").bounding_box()["y"] < 600
    assert json.loads(opened.page.locator("#data").text_content())["functions"] == ["a", "b"]
    assert opened.problems == []
    context.close()
