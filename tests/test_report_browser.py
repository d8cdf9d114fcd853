"""A report as people meet it: in a real browser, by pointer and by keyboard, in any width, in the dark and on paper."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peva_env.contracts import Verdict
from peva_env.maps import NodeMap
from peva_env.report.html import write_report
from peva_env.space import ConfigSpace, config_key, config_pairs
from tests.report_maps import node_map, overloaded_from, runs

for needed in ("jinja2", "plotly"):
    pytest.importorskip(needed, reason="needs the extra report")
playwright = pytest.importorskip("playwright.sync_api", reason="needs the group browser")
CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, of the system's packages"),
]

QUIET = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
ARGUMENTS = f"{QUIET} --disable-component-update --disable-sync".split()

EVIL = "<img src=x onerror=alert(1)>"
SPACE = ConfigSpace({"a": [10, 20, 30, 40], EVIL: [10, 20, 30], "c": [0, 5, 10, 15, 20, 25, 30]}, max_functions=4)
X, Y, OTHER = range(3)  # as the page begins: across, upwards, and on the slider
NODE = overloaded_from(60)
DRAWN = ["?", "contradicted", "OK", "(OK)", "over", "(over)"]
"""What plotly is given for a cell, by its number; from 6 on it is predicted."""

CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const linear = (one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = colour.map((one) => linear(one / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = rgb(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const element of document.querySelectorAll("body *:not(script):not(style):not(option)")) {
    if (!element.getClientRects().length || element.closest("[aria-disabled], svg, .key, .hidden, .skip")) continue;
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    const [one, other] = [rgb(getComputedStyle(element).color), behind(element)].map(light);
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) weak.push(`${element.textContent.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return weak;
}"""


@dataclass
class Report:
    """A page that is open, and what went wrong on it."""

    page: Any
    path: Path
    problems: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).inner_text())

    def await_text(self, selector: str, text: str) -> None:
        """Wait until a text is there: plotly tells of the pointer a moment later."""
        playwright.expect(self.page.locator(selector).last).to_contain_text(text)

    def await_truth(self, expression: str) -> None:
        """Wait until an expression is true. Playwright's own way needs ``eval``, which the page forbids."""
        for _ in range(100):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"never true: {expression}")

    def z(self) -> Any:
        return self.page.evaluate("document.getElementById('plot').data[0].z")

    def slide(self, level: int) -> None:
        self.page.locator(f"#level-{OTHER}").fill(str(level))

    def find(self, kind: str) -> tuple[float, float]:
        """Draw a part of the map that has such a cell, and return where on the screen its middle is."""
        for level in range(1 + len(SPACE.rates_rps[OTHER])):
            self.slide(level)
            rows = [[drawn(number) for number in row] for row in self.z()]
            for y, row in enumerate(rows):
                if kind in row:
                    return self._middle(row.index(kind), y, len(row), len(rows))
        raise AssertionError(f"no cell is {kind}")

    def _middle(self, x: int, y: int, columns: int, rows: int) -> tuple[float, float]:
        self.page.locator("#plot").scroll_into_view_if_needed()
        box = self.page.locator("#plot .nsewdrag").first.bounding_box()
        return box["x"] + box["width"] * (x + 0.5) / columns, box["y"] + box["height"] * (1 - (y + 0.5) / rows)

    def note(self, url: str) -> None:
        if url != self.path.as_uri() and not url.startswith("data:"):
            self.problems.append(f"request: {url}")

    def focused(self) -> str:
        return str(self.page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))


def drawn(number: int | None) -> str:
    """Return what the table says of a cell that is drawn so."""
    if number is None:
        return ""
    return DRAWN[number] if number < len(DRAWN) else "%"


def some() -> NodeMap:
    """Return a map with every kind of cell: no pairs in it, one contradiction, one configuration with INVALID runs."""
    configs = [config for i, config in enumerate(SPACE) if i % 3 == 0 and len(config) != 2]
    said = {config_key(config): NODE(config) for config in configs}
    said[config_key([("a", 10), (EVIL, 10), ("c", 5)])] = Verdict.OVERLOADED
    said[config_key([("a", 20), (EVIL, 20), ("c", 20)])] = Verdict.OK
    said[config_key([("c", 5)])] = Verdict.INVALID
    events = [run for key, verdict in said.items() for run in runs(config_pairs(key), verdict, 2)]
    one = node_map(SPACE, events)
    one.known.recorded = np.array([len(config) != 2 for config in SPACE])
    return one


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


Open = Callable[..., Report]


@pytest.fixture(scope="module")
def open_report(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    contexts = []

    def opened(one: NodeMap, width: int = 1200, **options: Any) -> Report:
        path = tmp_path_factory.mktemp("report") / "r.html"
        write_report(one, path)
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **options))
        report = Report(contexts[-1].new_page(), path)
        report.page.set_default_timeout(10_000)
        report.page.on("console", lambda message: report.problems.append(f"{message.type}: {message.text}"))
        report.page.on("pageerror", lambda error: report.problems.append(f"error: {error}"))
        report.page.on("request", lambda request: report.note(request.url))
        report.page.goto(path.as_uri())
        report.page.wait_for_selector("#plot .main-svg")
        return report

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def shared(open_report: Open) -> Report:
    return open_report(some())


@pytest.fixture
def report(shared: Report) -> Iterator[Report]:
    """Lend the same page to all tests, for it takes a second to open; each leaves it as it found it."""
    yield shared
    shared.page.emulate_media(media="screen", color_scheme="light")
    shared.page.set_viewport_size({"width": 1200, "height": 900})
    assert shared.problems == []


def test_it_opens_without_a_complaint_a_request_or_a_dialog(report: Report) -> None:
    assert report.page.title() == "Load map of node-7"
    assert report.problems == []
    assert EVIL in report.text("header")


def test_the_page_numbers_configurations_as_the_plan_does(report: Report) -> None:
    report.page.select_option("#kind", "all")
    listed: list[str] = []
    while True:
        listed += report.page.locator("#configurations-table tbody tr:not(.detail) th").all_inner_texts()
        following = report.page.locator("#configurations-table .pager button", has_text="Next")
        if following.get_attribute("aria-disabled") == "true":
            break
        following.click()
    there = [config for config in SPACE if len(config) != 2]
    assert [text.lstrip("▸▾ ") for text in listed] == [" + ".join(f"{n} {r}" for n, r in one) for one in there]


def test_a_slider_and_the_axes_change_what_is_drawn(report: Report) -> None:
    looks = [report.z()]
    slider = report.page.locator(f"#level-{OTHER}")
    slider.press("Home")
    assert slider.get_attribute("aria-valuetext") == "not loaded"
    looks.append(report.z())
    slider.press("End")
    assert report.text("#controls output") == "30 rps"
    assert "At c 30 rps." in report.text("#drawn")
    looks.append(report.z())
    report.page.select_option("#axis-x", str(OTHER))
    looks.append(report.z())
    assert all(before != after for before, after in pairwise(looks))
    assert report.focused() == "axis-x"
    report.page.select_option("#axis-y", str(OTHER))  # what the other axis has: they change places
    axes = report.page.locator("#controls select")
    assert [axes.nth(i).input_value() for i in range(2)] == [str(Y), str(OTHER)]
    report.page.select_option("#axis-y", str(X))
    report.page.select_option("#axis-x", str(X))


def test_pointing_at_a_cell_shows_the_numbers_behind_it(report: Report) -> None:
    report.page.mouse.move(*report.find("OK"))
    for said in ("OK, measured", "2 of 2", "0.990", "55 ms", "+0.04"):
        report.await_text("#cell", said)
        report.await_text("#tooltip", said)
    report.await_text("#cell", "30.0 %")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("over", "mean success 0.500 < 0.95"),
        ("(OK)", "OK, known without a run"),
        ("(OK)", "It follows from"),
        ("(over)", "It follows from"),
        ("contradicted", "contradict"),
    ],
)
def test_each_kind_of_cell_says_why_it_is_so(report: Report, kind: str, said: str) -> None:
    report.page.mouse.move(*report.find(kind))
    report.await_text("#cell", said)


def test_a_click_goes_to_the_runs_and_back_to_the_map(report: Report) -> None:
    report.page.mouse.move(*(place := report.find("OK")))
    report.await_text("#tooltip", "OK, measured")
    report.page.mouse.click(*place)
    name = report.text("#cell h3")
    assert report.focused() == name
    detail = report.page.locator("#configurations-table .detail").last
    assert "Run 2: OK" in detail.inner_text()
    assert "machine time\n32.5 s" in detail.inner_text()
    detail.locator("button", has_text="Show it in the map").click()
    assert (report.focused(), report.text("#cell h3")) == ("plot", name)
    report.page.locator("#configurations-table [aria-expanded=true]").click()


def test_the_map_is_walked_by_keyboard(report: Report) -> None:
    report.slide(0)
    report.page.locator("#plot").focus()
    for key in (*["ArrowDown"] * 5, "Home", "ArrowRight"):
        report.page.keyboard.press(key)
    first = report.text("#cell h3")
    report.page.keyboard.press("ArrowRight")
    assert report.text("#cell h3") != first
    report.page.keyboard.press("ArrowLeft")
    report.page.keyboard.press("Enter")
    assert report.focused() == first
    report.page.keyboard.press("Enter")
    assert report.page.locator("#configurations-table [aria-expanded=true]").count() == 0


def test_the_keyboard_meets_everything_in_order_and_sees_where_it_is(report: Report) -> None:
    report.page.locator("a").first.focus()
    assert report.focused() == "Skip to the report"
    met = []
    for _ in range(12):
        report.page.keyboard.press("Tab")
        met.append(report.focused())
        style = "getComputedStyle(document.activeElement).outlineStyle"
        assert report.page.evaluate(style) != "none", met[-1]
    assert met[:7] == ["Summary", "Map", "Frontier", "Configurations", "Timeline", "Contradictions", "Provenance"]
    assert met[7:11] == ["axis-x", "axis-y", f"level-{OTHER}", "plot"]


def test_the_table_beneath_says_what_the_map_shows(report: Report) -> None:
    report.find("%")
    report.page.locator("#map-table summary").click()
    rows = report.page.locator("#map-table tbody tr")
    playwright.expect(rows).to_have_count(len(report.z()))
    texts = [rows.nth(i).locator("td").all_inner_texts() for i in reversed(range(rows.count()))]
    for row, shown in zip(report.z(), texts, strict=True):
        assert [drawn(number) for number in row] == [text.lstrip("0123456789 ") for text in shown]
    report.page.locator("#map-table summary").click()


def test_configurations_are_searched_sorted_and_turned(report: Report) -> None:
    cells = report.page.locator("#configurations-table tbody tr td:nth-child(4)")
    report.page.select_option("#kind", "that were run")
    report.page.get_by_role("button", name="success").last.click()
    assert cells.first.inner_text() == "0.500"
    report.page.get_by_role("button", name="success").last.click()
    assert cells.first.inner_text() == "0.990"
    assert report.page.locator("#configurations-table th[aria-sort=descending]").inner_text().startswith("success")
    report.page.get_by_role("button", name="success").last.click()
    report.page.fill("#search", "c 5")
    found = report.page.locator("#configurations-table tbody th").all_inner_texts()
    assert found
    assert all(" 5" in text for text in found)
    report.page.select_option("#kind", "with INVALID runs")
    report.page.locator("#configurations-table tbody th button").first.click()
    assert "k6 failed" in report.text("#configurations-table .detail")
    report.page.locator("#configurations-table tbody th button").first.click()
    report.page.fill("#search", "")
    report.page.select_option("#kind", "that were run")


def test_frontier_and_contradictions_are_tables_that_lead_to_the_runs(report: Report) -> None:
    assert "was OVERLOADED" in report.text("#contradictions-table")
    link = report.page.locator("#overloaded-table tbody button").first
    name = link.inner_text()
    link.click()
    assert report.focused() == name
    report.await_text("#configurations-table .detail", "mean success 0.500 < 0.95")
    report.page.locator("#configurations-table [aria-expanded=true]").click()


@pytest.mark.parametrize("width", [380, 768, 1600])
def test_no_width_needs_scrolling_sideways(report: Report, width: int) -> None:
    report.page.set_viewport_size({"width": width, "height": 900})
    report.page.locator("#timeline").scroll_into_view_if_needed()
    report.page.wait_for_selector("#timeline-plot .main-svg")
    report.await_truth("document.documentElement.scrollWidth <= innerWidth")
    plot = report.page.locator("#plot .main-svg").first.bounding_box()
    assert plot["x"] + plot["width"] <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_is_readable_in_the_light_and_in_the_dark(report: Report, scheme: str) -> None:
    report.page.emulate_media(color_scheme=scheme)
    report.page.locator("#plot").focus()
    assert report.page.evaluate(CONTRAST) == []


def test_the_dark_has_colours_of_its_own_plots_included(report: Report) -> None:
    look = """() => [getComputedStyle(document.body).backgroundColor,
      document.querySelector("#plot .xtick text").style.fill, document.getElementById("plot").data[0].colorscale]"""
    light = report.page.evaluate(look)
    report.page.emulate_media(color_scheme="dark")
    report.await_truth(f"document.querySelector('#plot .xtick text').style.fill !== {light[1]!r}")
    dark = report.page.evaluate(look)
    assert [one == other for one, other in zip(light, dark, strict=True)] == [False, False, False]


def test_on_paper_it_is_light_and_whole(report: Report) -> None:
    page = report.page
    n_rows = "document.querySelectorAll('#configurations-table tbody tr').length"
    screen = page.evaluate("getComputedStyle(document.body).backgroundColor"), page.evaluate(n_rows)
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    printed = page.evaluate("getComputedStyle(document.body).backgroundColor"), page.evaluate(n_rows)
    assert (screen[0], printed[0]) == ("rgb(255, 255, 255)",) * 2
    assert screen[1] == 25 < printed[1] == len(some().runs) + 1
    assert not any(one.is_visible() for one in page.locator("nav, .controls, .pager button").all())
    assert page.locator("#plot .main-svg").first.bounding_box()["width"] <= 660
    assert page.locator("#timeline-plot .main-svg").count() > 0
    page.emulate_media(media="screen", color_scheme="light")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(n_rows) == 25
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_one_function_has_a_map_of_one_row(open_report: Open) -> None:
    space = ConfigSpace({"solo": [10, 20, 30]})
    report = open_report(node_map(space, [run for config in space for run in runs(config, NODE(config))]), width=380)
    assert report.z() == [[2, 2, 2]]
    assert report.page.locator("#controls select, #controls input").count() == 0
    assert report.problems == []


def test_of_a_million_cells_some_are_drawn_and_it_says_which(open_report: Open) -> None:
    space = ConfigSpace({"x": range(1000), "y": range(1000)}, min_functions=2, max_functions=3)
    report = open_report(node_map(space, runs([("x", 500), ("y", 500)], Verdict.OVERLOADED)))
    assert len(report.z()) == len(report.z()[0]) == 143
    assert "Of the 1,000 rates of x one in 7 is drawn." in report.text("#drawn")
    assert "only those that were run are listed" in report.text("#configurations-table")
    report.page.get_by_role("button", name="x 500 + y 500").last.click()
    report.page.get_by_role("button", name="Show it in the map").click()
    assert report.text("#cell h3") == "x 500 + y 500"
    assert report.problems == []


def test_without_any_valid_run_there_is_a_page(open_report: Open) -> None:
    report = open_report(node_map(SPACE, runs([("c", 5)], Verdict.INVALID)))
    assert report.problems == []
    assert report.page.locator("#configurations-table tbody tr").count() == 1
