"""What a report of 10,000 configurations costs: to write, to keep, and to open in a browser until its map is drawn.

Needs the extra ``report`` and, to open it, the group ``browser`` and the system's Chromium. The browser is started
anew each time and keeps nothing, so that nothing is compiled already.
"""

import importlib.util
import shutil
import tempfile
import time
from itertools import product
from pathlib import Path

from benchmarks.timing import report
from peva_env.maps import NodeMap
from peva_env.report import write_report
from peva_env.space import ConfigSpace
from tests.support.report_maps import node_map, overloaded_from, runs

_RATES_RPS = range(0, 211, 10)
_RUNS_EACH = 3
_OPENINGS = 5
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def main() -> None:
    """Print the figures of a report in which everything was measured three times."""
    one = _measured()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.html"
        started = time.perf_counter()
        write_report(one, path)
        what = f"report of {one.known.n_configs:,} configurations, {len(one.events):,} runs"
        report(f"{what}: written", time.perf_counter() - started, "s")
        report(f"{what}: size", path.stat().st_size / 1e6, "MB")
        chromium = shutil.which("chromium")
        if chromium is None or importlib.util.find_spec("playwright") is None:
            print("not opened: needs the group browser and chromium")
            return
        report(f"{what}: opened", min(_opened_s(path, chromium) for _ in range(_OPENINGS)), "s", target="< 2")


def _measured() -> NodeMap:
    space = ConfigSpace(dict.fromkeys("abc", _RATES_RPS), min_functions=3, max_functions=4)
    node = overloaded_from(300)
    configs = ([*zip("abc", rates, strict=True)] for rates in product(_RATES_RPS, repeat=3))
    return node_map(space, [run for config in configs for run in runs(config, node(config), _RUNS_EACH)])


def _opened_s(path: Path, chromium: str) -> float:
    """Return the seconds until all scripts of a page have run, which is when its map is there."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        page = browser.new_page()
        page.goto(path.as_uri())
        page.wait_for_selector("#plot .main-svg")
        ended_ms = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
        browser.close()
        return float(ended_ms) / 1000
