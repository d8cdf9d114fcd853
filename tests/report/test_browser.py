"""A report as people meet it: in a real browser, by pointer and by keyboard, in any width, in the dark and on paper."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peva_env.console.text import config_text
from peva_env.contracts import EventKind, ExecutionEvent, Verdict
from peva_env.inference import cell_codes
from peva_env.maps import NodeMap
from peva_env.report.data.map_data import inferred_from
from peva_env.report.html import write_report
from peva_env.rules import majority
from peva_env.space import Config, ConfigSpace, config_key, config_pairs
from tests.support.report_maps import CONTEXT, node_map, overloaded_from, runs

for needed in ("jinja2", "plotly"):
    pytest.importorskip(needed, reason="needs the extra report")
playwright = pytest.importorskip("playwright.sync_api", reason="needs the group browser")
playwright.expect.set_options(timeout=60_000)  # ms; a machine with all cores busy needs more than the default of 5 s
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
SPLIT: Config = [("a", 20)]
DRAWN = ["OK", "(OK)", "over", "(over)", "contradicted", "incomplete", "?"]
"""What plotly is given for a cell, by its number; from 7 on it is predicted."""

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
        for _ in range(1_000):
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
                    return self.middle(row.index(kind), y, len(row), len(rows))
        raise AssertionError(f"no cell is {kind}")

    def middle(self, x: int, y: int, columns: int, rows: int) -> tuple[float, float]:
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
    """Return a map with every kind of cell: no pairs in it, one contradiction, one split vote, some INVALID runs."""
    configs = [config for i, config in enumerate(SPACE) if i % 3 == 0 and len(config) != 2]
    said = {config_key(config): NODE(config) for config in [*configs, SPLIT]}
    said[config_key([("a", 10), (EVIL, 10), ("c", 5)])] = Verdict.OVERLOADED
    said[config_key([("a", 20), (EVIL, 20), ("c", 20)])] = Verdict.OK
    said[config_key([("c", 5)])] = Verdict.INVALID
    events = [run for key, verdict in said.items() for run in runs(config_pairs(key), verdict, 2)]
    events += runs(SPLIT, Verdict.OVERLOADED, first=2) + runs(SPLIT, Verdict.INVALID, first=3)
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
        report.page.set_default_timeout(60_000)
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


def test_small_maps_show_the_other_loads_and_lead_to_them(report: Report) -> None:
    small = report.page.locator(".slice")
    assert small.count() == 1 + len(SPACE.rates_rps[OTHER])
    for number, load in ((0, "c not loaded"), (3, "c 10 rps")):
        small.nth(number).click()
        assert f"At {load}." in report.text("#drawn")
        assert load in small.nth(number).inner_text()
        assert [one.get_attribute("aria-pressed") for one in small.all()].index("true") == number
        cells = Counter(drawn(one).strip("()") for row in report.z() for one in row)
        assert f"{cells['OK']} OK, {cells['over']} overloaded" in small.nth(number).inner_text()
    assert small.first.evaluate(
        "one => one.querySelector('canvas').getContext('2d').getImageData(10, 10, 1, 1).data[3]"
    )


def test_pointing_at_a_cell_shows_the_numbers_behind_it(report: Report) -> None:
    report.page.set_viewport_size({"width": 800, "height": 900})
    report.page.mouse.move(*report.find("OK"))
    for said in ("measured OK", "2 of 2", "0.989", "57 ms", "+0.04", "43.7 %", "30.7 %"):
        report.await_text("#cell", said)
        report.await_text("#tooltip", said)
    report.slide(0)
    report.page.mouse.move(*report.middle(0, 2, 4, 5))
    for said in ("a 20\n", "2 of 3", "1 INVALID"):
        report.await_text("#cell", said)
        report.await_text("#tooltip", said)


def test_beside_the_panel_the_pointer_needs_no_label(report: Report) -> None:
    report.page.mouse.move(*report.find("OK"))
    report.await_text("#cell", "measured OK")
    assert not report.page.locator("#tooltip").is_visible()


def test_the_panel_says_what_it_is_for_until_somebody_points_at_a_cell(open_report: Open) -> None:
    report = open_report(some())
    assert "Point at a cell of the map" in report.text("#cell")
    report.page.locator("#plot").focus()
    report.page.keyboard.press("ArrowRight")
    assert "Point at a cell of the map" not in report.text("#cell")


def test_the_frontier_lies_between_ok_and_overloaded(open_report: Open) -> None:
    space = ConfigSpace({"a": [10, 20, 30, 40], "b": [10, 20, 30]}, max_functions=3)
    some_of_it = [config for i, config in enumerate(space) if i % 4]
    report = open_report(node_map(space, [run for one in some_of_it for run in runs(one, overloaded_from(50)(one))]))
    rows = [[drawn(number).strip("()") for number in row] for row in report.z()]
    across = {(x - 0.5, y) for y, row in enumerate(rows) for x in range(1, len(row)) if meet(row[x - 1], row[x])}
    upwards = {(x, y - 0.5) for y in range(1, len(rows)) for x in range(5) if meet(rows[y - 1][x], rows[y][x])}
    proved, likely = (
        {tuple(middle) for middle in line}
        for line in report.page.evaluate(
            """document.getElementById('plot').data.slice(-2).map(({x, y}) => x.flatMap(
            (at, i) => (i % 3 ? [] : [[(at + x[i + 1]) / 2, (y[i] + y[i + 1]) / 2]])))"""
        )
    )
    assert proved == across | upwards != set()
    assert not proved & likely
    for said in ("frontier: OK below, overloaded above", "frontier, predicted"):
        assert said in report.text("#legend")


def meet(one: str, other: str) -> bool:
    return {one, other} == {"OK", "over"}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("over", "mean success 0.500 < 0.95"),
        ("(OK)", "inferred OK"),
        ("(OK)", "It is inferred from"),
        ("(over)", "It is inferred from"),
        ("contradicted", "contradict"),
    ],
)
def test_each_kind_of_cell_says_why_it_is_so(report: Report, kind: str, said: str) -> None:
    report.page.mouse.move(*report.find(kind))
    report.await_text("#cell", said)


def test_a_click_goes_to_the_runs_and_back_to_the_map(report: Report) -> None:
    report.page.mouse.move(*(place := report.find("OK")))
    report.await_text("#cell", "measured OK")
    report.page.mouse.click(*place)
    name = report.text("#cell h3")
    assert report.focused() == name
    detail = report.page.locator("#configurations-table .detail").last
    assert "Run 2: OK" in detail.inner_text()
    assert "machine time\n34.1 s" in detail.inner_text()
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
    second = report.text("#cell h3")
    for modifier in ("Alt", "Control", "Meta"):
        handled = report.page.evaluate(
            """(modifier) => !document.getElementById("plot").dispatchEvent(
              new KeyboardEvent("keydown", {key: "ArrowLeft", cancelable: true, [modifier]: true}))""",
            {"Alt": "altKey", "Control": "ctrlKey", "Meta": "metaKey"}[modifier],
        )
        assert (handled, report.text("#cell h3")) == (False, second)
    report.page.keyboard.press("ArrowLeft")
    report.page.keyboard.press("Enter")
    assert report.focused() == first
    report.page.keyboard.press("Enter")
    assert report.page.locator("#configurations-table [aria-expanded=true]").count() == 0


def test_the_keyboard_meets_everything_in_order_and_sees_where_it_is(report: Report) -> None:
    report.page.locator("a").first.focus()
    assert report.focused() == "Skip to the report"
    met = []
    for _ in range(14):
        report.page.keyboard.press("Tab")
        met.append(report.focused())
        style = "getComputedStyle(document.activeElement).outlineStyle"
        assert report.page.evaluate(style) != "none", met[-1]
    sections = ["Summary", "Map", "Curves", "Frontier", "Configurations", "Failures", "Timeline", "Contradictions"]
    assert met[:9] == [*sections, "Provenance"]
    assert met[9:14] == ["and 1 more", "axis-x", "axis-y", f"level-{OTHER}", "plot"]


def test_the_table_beneath_says_what_the_map_shows(report: Report) -> None:
    report.find("%")
    report.page.locator("#map-table summary").click()
    rows = report.page.locator("#map-table tbody tr")
    playwright.expect(rows).to_have_count(len(report.z()))
    texts = [rows.nth(i).locator("td").all_inner_texts() for i in reversed(range(rows.count()))]
    for row, shown in zip(report.z(), texts, strict=True):
        assert [drawn(number) for number in row] == [text.lstrip("0123456789 ") for text in shown]
    report.page.locator("#map-table summary").click()


TABLES = """() => [...document.querySelectorAll("#configurations-table > .scroll > table > tbody > tr")].map((row) => ({
  texts: [...row.cells].map((cell) => cell.textContent),
  runs: [...row.querySelectorAll(".run")].map((run) => ({
    title: run.querySelector("h4").textContent,
    reasons: [...run.querySelectorAll("li")].map((one) => one.textContent),
    facts: Object.fromEntries([...run.querySelectorAll("dl > div")].map((one) => [...one.children].map(
      (part) => part.textContent))),
    functions: [...run.querySelectorAll(":scope table tbody tr")].map((one) => [...one.cells].map(
      (cell) => cell.textContent)),
  })),
}))"""
OPEN_ALL = """() => {
  for (let one; (one = document.querySelector("#configurations-table [aria-expanded=false]"));) one.click();
}"""


def rows_with_details(report: Report, kind: str) -> Iterator[tuple[list[str], Any]]:
    """Open each configuration of a kind; yield the texts of its row, and what is shown beneath."""
    report.page.fill("#search", "")
    report.page.select_option("#kind", kind)
    following = report.page.locator("#configurations-table .pager button", has_text="Next")
    while True:
        report.page.evaluate(OPEN_ALL)
        listed = report.page.evaluate(TABLES)
        report.page.evaluate(OPEN_ALL.replace("=false", "=true"))
        for row, detail in zip(listed[::2], listed[1::2], strict=True):
            yield row["texts"], detail
        if not following.is_visible() or following.get_attribute("aria-disabled") == "true":
            break
        following.click()
    report.page.select_option("#kind", "that were run")


def is_shown(text: str, value: float | None, unit: str = "") -> bool:
    """Tell whether a text is a number to as many digits as it has."""
    if value is None:
        return text == "–"
    number = text.removesuffix(unit).replace("−", "-")
    half_a_digit = 0.5 * 10.0 ** -len(number.partition(".")[2])
    return text.endswith(unit) and abs(float(number) - value) <= half_a_digit * 1.001


def mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def test_what_is_shown_of_each_configuration_run_and_function_is_what_was_measured(report: Report) -> None:
    one = some()
    of: dict[str, list[ExecutionEvent]] = {}
    for event in one.events:
        of.setdefault(config_text(event.config_pairs), []).append(event)
    n_shown = 0
    for (name, verdict, n_runs, *numbers), detail in rows_with_details(report, "that were run"):
        own = of[name]
        valid = [run for run in own if run.verdict is not Verdict.INVALID]
        means = (
            mean(each.success_rate for run in valid for each in run.functions if each.offered),
            mean(each.p95_ms for run in valid for each in run.functions),
            mean(run.node.cpu_pct for run in valid),
            mean(run.node.ram_pct for run in valid),
            mean(run.margin for run in valid),
        )
        assert [is_shown(*pair) for pair in zip(numbers, means, strict=True)] == [True] * 5, (name, numbers, means)
        assert n_runs == {"a 20": "2 of 3, 1 INVALID", "c 5": "0, 2 INVALID"}.get(name, "2")
        assert not valid or str(majority(run.verdict for run in valid)).lower() in verdict.lower()
        for run, shown in zip(own, detail["runs"], strict=True):
            n_shown += 1
            assert shown["title"] == f"Run {run.iteration + 1}: {run.verdict}"
            assert shown["reasons"] == list(run.reasons)
            facts = {
                "margin": (run.margin, ""), "CPU": (run.node.cpu_pct, " %"), "RAM": (run.node.ram_pct, " %"),
                "cooldown": (run.cooldown_s, " s"), "load": (run.duration_s, " s"), "machine time": (run.cost_s, " s"),
            }  # fmt: skip
            wrong = [term for term, (value, unit) in facts.items() if not is_shown(shown["facts"][term], value, unit)]
            assert wrong == [], (name, shown)
            assert shown["facts"]["began"] == f"{datetime.fromtimestamp(run.started_at, UTC):%Y-%m-%d %H:%M:%S} UTC"
            for each, (function, *texts) in zip(run.functions, shown["functions"], strict=bool(run.functions)):
                counts, times_ms = (each.offered, each.dropped, each.success_rate), (each.p50_ms, each.p95_ms)
                values = (*counts, *times_ms, each.cpu_pct, each.replicas)
                assert function == each.name
                assert [is_shown(*pair) for pair in zip(texts, values, strict=True)] == [True] * 7, (texts, values)
    assert n_shown == len(one.events)


def test_what_follows_from_a_configuration_lies_on_its_other_side(report: Report) -> None:
    known, n_inferred = some().known, 0
    for (name, verdict, *_), detail in rows_with_details(report, "inferred"):
        (said,) = re.findall(r"It is inferred from (.*?)\.", detail["texts"][0])
        rates, of = (dict(pair.rsplit(" ", 1) for pair in text.split(" + ")) for text in (name, said))
        source = [(function, int(rate)) for function, rate in of.items()]
        is_ok = known.measured[config_key(source)] is Verdict.OK
        assert (is_ok, rates.keys()) == (verdict == "inferred OK", of.keys())
        assert all(int(rates[one]) <= int(of[one]) if is_ok else int(rates[one]) >= int(of[one]) for one in of)
        n_inferred += 1
    cells = cell_codes(known, some().begun)
    sides = known.frontier()
    proof = [known.space.index(config) for side in sides for config in side]
    follows = Counter(inferred_from(known, cells, proof).tolist())
    assert n_inferred == sum(n for number, n in follows.items() if number)
    first = 1
    for host, side in zip(("overloaded", "ok"), sides, strict=True):
        rows = report.page.locator(f"#{host}-table tbody tr").all_inner_texts()
        shown = [(row.split("\t")[0], int(row.split("\t")[-1])) for row in rows]
        expected = [(config_text(config), follows[first + i]) for i, config in enumerate(side)]
        assert shown == expected[:25]
        first += len(side)


def test_the_panel_has_the_means_and_says_which_runs_gave_the_reasons(report: Report) -> None:
    report.slide(0)
    report.page.mouse.move(*report.middle(0, 2, 4, 5))
    report.await_text("#cell h3", "a 20")
    facts = dict(zip(*(report.page.locator(f"#cell {tag}").all_inner_texts() for tag in ("dt", "dd")), strict=True))
    own = some().runs[config_key(SPLIT)]
    assert facts["runs"] == "2 of 3 agree, 1 INVALID"
    for term, value in (("CPU", mean(run.node.cpu_pct for run in own)), ("RAM", mean(run.node.ram_pct for run in own))):
        assert is_shown(facts[term], value, " %")
    assert report.page.locator("#cell li").count() == 0  # the run that was OVERLOADED was outvoted
    report.page.mouse.move(*report.find("over"))
    report.await_text("#cell", "measured overloaded")
    assert report.page.locator("#cell li").all_inner_texts() == [
        "Run 1: mean success 0.500 < 0.95",
        "Run 2: mean success 0.499 < 0.95",
    ]


def test_the_timeline_has_the_sums_of_all_runs(report: Report) -> None:
    report.page.locator("#timeline").scroll_into_view_if_needed()
    report.page.wait_for_selector("#timeline-table tbody tr")
    events = some().events
    sums = {
        "cooldown": sum(run.cooldown_s for run in events),
        "load": sum(run.duration_s for run in events),
        "overhead": sum(run.cost_s - run.cooldown_s - run.duration_s for run in events),
        "machine time": sum(run.cost_s for run in events),
    }
    rows = [row.split("\t") for row in report.page.locator("#timeline-table tbody tr").all_inner_texts()]
    assert [row[0] for row in rows] == [*sums]
    for (_, whole, each, share), seconds in zip(rows, sums.values(), strict=True):
        assert is_shown(whole, *((seconds / 60, " min") if seconds >= 60 else (seconds, " s")))
        assert is_shown(each, seconds / len(events), " s")
        assert is_shown(share, 100 * seconds / sums["machine time"], " %")


def test_curves_show_the_runs_of_each_function_the_objective_and_the_scouting(open_report: Open) -> None:
    space = ConfigSpace({"a": [10, 20, 30], "b": [10, 20]}, max_functions=3)
    events = [run for config in space for run in runs(config, overloaded_from(40)(config), 2)]
    steps = [
        replace(run, kind=EventKind.SCOUTED)
        for rate in (10, 40)
        for run in runs([("a", rate)], NODE([("a", rate + 30)]))
    ]
    context = CONTEXT | {"overload": {"p95_ms_max": 60.0, "success_rate_function_min": 0.9}}
    report = open_report(node_map(space, events, context=context, scouted=tuple(steps)))
    report.page.locator("#curves").scroll_into_view_if_needed()
    traces = "[...document.querySelectorAll('{} .plot')].map(({{data}}) => data.map(({{x, y}}) => [[...x], [...y]]))"
    for host, n_plots in (("#curves-plots", 2), ("#scouting-plots", 1)):
        report.page.locator(f"{host} .plot").last.scroll_into_view_if_needed()
        report.await_truth(f"document.querySelectorAll('{host} .main-svg').length >= {n_plots}")
    (of_a, _), (scouted,) = (report.page.evaluate(traces.format(host)) for host in ("#curves-plots", "#scouting-plots"))
    assert [sorted(x) for x, _ in of_a[:2]] == [[10] * 6 + [20] * 4 + [30] * 2, [20] * 2 + [30] * 4]
    assert of_a[2] == [[10, 20, 30], [57, 58, 59]]  # the medians of the runs alone
    assert of_a[3][1] == [60, 60]
    assert "objective 60 ms" in report.text("#curves-plots .curve:first-child")
    assert [x for x, _ in scouted[:2]] == [[10], [40]]
    assert "the limit is between a 10 rps and a 40 rps" in report.text("#scouting-plots")
    report.page.select_option("#quantity", label="successful requests (% of offered)")
    (of_a, _) = report.page.evaluate(traces.format("#curves-plots"))
    assert of_a[3][1] == [90, 90]
    assert max(of_a[0][1]) == pytest.approx(99, abs=0.01)
    assert report.problems == []


def test_a_verdict_that_is_not_sure_has_a_ring(open_report: Open) -> None:
    space = ConfigSpace({"a": [10, 20, 30]})
    margins = {10: 0.2, 20: 0.01, 30: -0.2}
    verdict = {rate: Verdict.OK if margin > 0 else Verdict.OVERLOADED for rate, margin in margins.items()}
    events = [run for rate, margin in margins.items() for run in runs([("a", rate)], verdict[rate], margin=margin)]
    report = open_report(node_map(space, events, context={}))
    rings = "[...document.getElementById('plot').data].filter(({marker}) => marker?.symbol === 'circle-open')[0]"
    assert report.page.evaluate(f"[...{rings}.x]") == [1]
    assert "ringed, less than 95 % sure: 1" in report.text("#legend")
    report.page.locator("#plot").focus()
    report.page.keyboard.press("Home")
    report.page.keyboard.press("ArrowRight")
    report.await_text("#cell", "63.1 %")
    assert report.problems == []


def test_canaries_and_suspect_runs_stand_above_the_timeline_and_drift_below_it(open_report: Open) -> None:
    space = ConfigSpace({"a": [10, 20, 30]})
    suspect = runs([("a", 30)], Verdict.INVALID, reasons=("suspect: the canary failed",))
    events = [*runs([("a", 10)], Verdict.OK, 4), *runs([("a", 20)], Verdict.OK, 4), *suspect]
    one = node_map(space, events)
    made = [*runs([("a", 10)], Verdict.OK, 2), *runs([("a", 10)], Verdict.OVERLOADED, first=2)]
    canaries = [
        replace(run, kind=EventKind.CANARY, started_at=one.events[3 * i].started_at - 1) for i, run in enumerate(made)
    ]
    report = open_report(replace(one, canaries=tuple(canaries)))
    report.page.locator("#timeline-plot").scroll_into_view_if_needed()
    report.page.wait_for_selector("#drift-plot .main-svg")
    marks = report.page.evaluate(
        "document.getElementById('timeline-plot').data.slice(3).map(({name, x}) => [name, [...x]])"
    )
    assert marks == [["canary OK", [0.5, 3.5]], ["canary OVERLOADED", [6.5]], ["suspect run", [9]]]
    assert "The p95 latency of the canary was 56.0 ms in the first third and 60.0 ms in the last" in report.text(
        "#drift"
    )
    assert "idle" not in report.text("#drift-text")
    assert report.problems == []


def test_configurations_are_searched_sorted_and_turned(report: Report) -> None:
    cells = report.page.locator("#configurations-table tbody tr td:nth-child(4)")
    report.page.select_option("#kind", "that were run")
    report.page.get_by_role("button", name="success").last.click()
    assert cells.first.inner_text() == "0.495"
    report.page.get_by_role("button", name="success").last.click()
    assert cells.first.inner_text() == "0.989"
    assert report.page.locator("#configurations-table th[aria-sort=descending]").inner_text().startswith("success")
    report.page.get_by_role("button", name="success").last.click()
    report.page.fill("#search", "c 5")
    found = report.page.locator("#configurations-table tbody th").all_inner_texts()
    assert found
    assert all(" 5" in text for text in found)
    report.page.fill("#search", "")
    report.page.select_option("#kind", "with runs that disagree")
    row = report.page.locator("#configurations-table tbody tr").first
    assert row.inner_text().lstrip("▸ ").split("\t")[:3] == ["a 20", "measured OK, 2 of 3", "2 of 3, 1 INVALID"]
    report.page.fill("#search", "c 5")
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


def test_a_table_that_is_wider_than_the_page_says_that_it_scrolls(report: Report) -> None:
    hint = "getComputedStyle(document.querySelector('#configurations-table > .scroll'), '::before').content"
    report.await_truth(f"{hint} === 'none'")
    report.page.set_viewport_size({"width": 380, "height": 900})
    report.await_truth(f"{hint}.includes('Scroll sideways')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_is_readable_in_the_light_and_in_the_dark(report: Report, scheme: str) -> None:
    report.page.emulate_media(color_scheme=scheme)
    report.page.locator("#plot").focus()
    assert report.page.evaluate(CONTRAST) == []


def test_the_dark_has_colours_of_its_own_plots_included(report: Report) -> None:
    look = """() => [getComputedStyle(document.body).backgroundColor,
      document.querySelector("#plot .xtick text").style.fill, document.getElementById("plot").data[0].colorscale]"""
    ink = "document.querySelector('#plot .xtick text').style.fill === 'rgb({})'"
    report.await_truth(ink.format("27, 31, 36"))  # a test before may have left it in the dark a moment ago
    light = report.page.evaluate(look)
    report.page.emulate_media(color_scheme="dark")
    report.await_truth(ink.format("230, 232, 235"))
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


def test_long_names_and_such_from_the_right_have_room_on_a_narrow_screen(open_report: Open) -> None:
    long, right = "checkout-" * 6 + "across", "\u05d0\u05d1\u05d2"
    space = ConfigSpace({long: [10, 20], "z" * 60: [10, 20], right: [10, 20]}, max_functions=4)
    report = open_report(node_map(space, [run for config in space for run in runs(config, NODE(config))]), width=380)
    report.await_truth("document.documentElement.scrollWidth <= innerWidth")
    for i in range(2):
        assert report.page.locator("#controls select").nth(i).bounding_box()["width"] <= 380
    for axis, side in (("x", "width"), ("y", "height")):
        title = report.page.locator(f"#plot .{axis}title")
        assert "\u2026" in title.evaluate("one => one.textContent")
        assert title.bounding_box()[side] <= report.page.locator("#plot .main-svg").first.bounding_box()[side]
    assert f"\u2068{right}\u2069" in report.text("#drawn")
    assert report.problems == []


def test_one_function_has_a_map_of_one_row(open_report: Open) -> None:
    name = "<b>so</b>&amp;"  # which plotly would read as markup
    space = ConfigSpace({name: [10, 20, 30]})
    report = open_report(node_map(space, [run for config in space for run in runs(config, NODE(config))]), width=380)
    assert report.z() == [[0, 0, 0]]
    assert report.page.locator("#plot .xtitle").evaluate("one => one.textContent") == f"{name} (rps)"
    assert report.page.locator("#controls select, #controls input").count() == 0
    assert report.problems == []


def test_of_a_million_cells_some_are_drawn_and_it_says_which(open_report: Open) -> None:
    space = ConfigSpace({"x": range(1000), "y": range(1000)}, min_functions=2, max_functions=3)
    report = open_report(node_map(space, runs([("x", 500), ("y", 500)], Verdict.OVERLOADED)))
    assert len(report.z()) == len(report.z()[0]) == 143
    assert "Of the 1,000 rates of x every 7th is drawn." in report.text("#drawn")
    assert "Some measured configurations are not drawn" in report.text("#drawn")
    report.page.locator("#plot").focus()
    report.page.keyboard.press("Home")
    report.await_text("#cell", "unknown")
    assert report.page.locator("#cell button").count() == 0  # it is not listed
    report.page.keyboard.press("Enter")
    assert report.focused() == "plot"
    assert "only those that were run are listed" in report.text("#configurations-table")
    report.page.get_by_role("button", name="x 500 + y 500").last.click()
    report.page.get_by_role("button", name="Show it in the map").click()
    assert report.text("#cell h3") == "x 500 + y 500"
    assert report.problems == []


def test_without_any_valid_run_there_is_a_page(open_report: Open) -> None:
    report = open_report(node_map(SPACE, runs([("c", 5)], Verdict.INVALID)))
    assert report.problems == []
    assert report.page.locator("#configurations-table tbody tr").count() == 1
