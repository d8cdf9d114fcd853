"""The figures show what is known: the right cells, points and bars, on the axes that are given."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from peva_env.config import OverloadConfig
from peva_env.contracts import EventKind, ExecutionEvent, NodeMeasurement, Verdict
from peva_env.errors import ConfigError
from peva_env.inference import MonotoneMap
from peva_env.maps import Capacity
from peva_env.report import figure_file, fleet_figure, map_figure, write_figure
from peva_env.report.figures.style import short_name
from peva_env.report.plots import (
    budget_curves,
    campaign_timeline,
    capacity_curve,
    load_curves,
    overload_map,
    overload_maps,
    scouting_curve,
)
from peva_env.space import Config, ConfigSpace, Dominance
from tests.support.builders import event, function
from tests.support.report_maps import node_map, runs

pyplot = pytest.importorskip("matplotlib.pyplot", reason="needs the extra `report`")
colors = pytest.importorskip("matplotlib.colors")
cbook = pytest.importorskip("matplotlib.cbook")

OK, OVERLOADED, INVALID = Verdict.OK, Verdict.OVERLOADED, Verdict.INVALID
MEASURED_OK, INFERRED_OK, MEASURED_OVERLOADED, INFERRED_OVERLOADED = "#56B4E9", "#B5DDF4", "#D55E00", "#E08D4D"
UNKNOWN, CONTRADICTED, OUTSIDE = "#EEEEEE", "#F0E442", "#FFFFFF00"
PAIR = {"a": [10, 20, 30], "b": [10, 20, 30]}
TRIO = PAIR | {"c": [5, 50]}


@pytest.fixture(autouse=True)
def _without_a_screen() -> Iterator[None]:
    pyplot.switch_backend("agg")
    yield
    pyplot.close("all")


def known_of(
    rates_rps: dict[str, list[int]],
    verdicts: dict[tuple[tuple[str, int], ...], Verdict],
    dominance: Dominance = "two_sided",
    **bounds: int,
) -> MonotoneMap:
    known = MonotoneMap(ConfigSpace(rates_rps, **({"max_functions": 3} | bounds)), dominance=dominance)
    for config, verdict in verdicts.items():
        known.update(list(config), verdict)
    return known


PARTLY = known_of(PAIR, {(("a", 10), ("b", 20)): OK, (("a", 20), ("b", 30)): OVERLOADED})


def fills(ax: Any) -> list[list[str]]:
    """Return the colours of the cells, row by row from below."""
    (image,) = ax.get_images()
    assert image.origin == "lower"
    return [
        [colors.to_hex(fill, keep_alpha=fill[3] < 1).upper() for fill in row] for row in np.asarray(image.get_array())
    ]


def marks(ax: Any, name: str) -> list[tuple[int, int]]:
    """Return the row and column of the cells that have a mark, by what it means."""
    (collection,) = (one for one in ax.collections if one.get_label() == name)
    extents = (path.get_extents() for path in collection.get_paths())
    return [(round((box.y0 + box.y1) / 2), round((box.x0 + box.x1) / 2)) for box in extents]


def edges(ax: Any, name: str = "frontier") -> set[tuple[tuple[float, float], tuple[float, float]]]:
    (collection,) = (one for one in ax.collections if one.get_label() == name)
    return {(tuple(first), tuple(second)) for first, second in np.asarray(collection.get_segments()).tolist()}


def legend(owner: Any) -> list[str]:
    holder = owner.get_legend() if hasattr(owner, "get_legend") else owner.legends[0]
    return [text.get_text() for text in holder.get_texts()]


def ticks(axis: Any) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


def test_a_map_of_two_functions_tells_measured_inferred_and_unknown() -> None:
    _, ax = pyplot.subplots()
    assert overload_map(PARTLY, ax) is ax
    assert fills(ax) == [
        [OUTSIDE, INFERRED_OK, UNKNOWN, UNKNOWN],
        [INFERRED_OK, INFERRED_OK, UNKNOWN, UNKNOWN],
        [INFERRED_OK, MEASURED_OK, UNKNOWN, UNKNOWN],
        [UNKNOWN, UNKNOWN, MEASURED_OVERLOADED, INFERRED_OVERLOADED],
    ]
    assert marks(ax, "measured OK") == [(2, 1)]
    assert marks(ax, "measured overloaded") == [(3, 2)]
    assert legend(ax) == [
        "measured OK",
        "inferred OK",
        "measured overloaded",
        "inferred overloaded",
        "unknown",
    ]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("a (rps)", "b (rps)", "")
    assert ticks(ax.xaxis) == ticks(ax.yaxis) == ["none", "10", "20", "30"]


def test_the_first_function_is_drawn_across_and_the_second_upwards() -> None:
    ax = overload_map(PARTLY, functions=["b", "a"])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("b (rps)", "a (rps)")
    assert marks(ax, "measured OK") == [(1, 2)]


def test_what_was_run_without_a_verdict_is_incomplete() -> None:
    ax = overload_map(PARTLY, begun=[[("a", 30)], [("a", 10)], [("a", 35)], [("z", 10)]])  # two are of no plan
    assert marks(ax, "incomplete") == [(0, 3)]
    assert legend(ax)[-2:] == ["incomplete", "unknown"]


def test_the_frontier_runs_where_ok_and_overloaded_meet() -> None:
    known = known_of({"a": [10, 20], "b": [10, 20]}, {(("a", 20), ("b", 10)): OVERLOADED, (("a", 10), ("b", 20)): OK})
    ax = overload_map(known)
    assert edges(ax) == {((1.5, 0.5), (1.5, 1.5)), ((1.5, 1.5), (1.5, 2.5))}
    assert legend(ax)[-1] == "frontier"


def test_what_is_unknown_is_shaded_by_its_prediction() -> None:
    predicted = PARTLY.grid.rates_rps.sum(axis=0) / 60 if PARTLY.grid else np.empty(0)
    ax = overload_map(PARTLY, predicted=predicted)
    (squares,) = (one for one in ax.collections if one.get_label() == "predicted")
    assert len(squares.get_paths()) == PARTLY.n_unknown == len(marks(ax, "predicted"))
    shades = dict(zip(marks(ax, "predicted"), squares.get_facecolor().tolist(), strict=True))
    ok, overloaded = (np.array(colors.to_rgba(colour)) for colour in (INFERRED_OK, MEASURED_OVERLOADED))
    assert shades[2, 3] == pytest.approx((ok + 5 * overloaded) / 6)  # 30 + 20 of 60
    assert ((1.5, 0.5), (2.5, 0.5)) in edges(ax, "frontier, predicted")  # from 20 to 30 of 60
    assert legend(ax)[-2:] == ["predicted: 0, 50, 100 %\nlikely overloaded", "frontier, predicted"]


def test_what_is_contradicted_is_hatched() -> None:
    known = known_of(PAIR, {(("a", 10), ("b", 10)): OVERLOADED, (("a", 20), ("b", 10)): OK})
    ax = overload_map(known)
    assert marks(ax, "contradicted") == [(1, 1), (1, 2)]
    assert fills(ax)[1][1] == fills(ax)[1][2] == CONTRADICTED
    (hatched,) = (one for one in ax.collections if one.get_label() == "contradicted")
    assert hatched.get_hatch()


def test_the_figure_of_a_node_shows_what_is_contradicted_where_nothing_is_inferred_ok() -> None:
    events = [*runs([("a", 10), ("b", 10)], OVERLOADED), *runs([("a", 10), ("b", 20)], OK)]
    one = node_map(ConfigSpace({"a": [10, 20], "b": [10, 20]}, max_functions=3), events, dominance="one_sided")
    assert "contradicted" in legend(map_figure(one))
    (of_fleet,) = fleet_figure({"n": one, "m": one}).figure.legends
    assert "contradicted" in [text.get_text() for text in of_fleet.get_texts()]


def test_measurements_in_quarantine_are_hatched_over_their_verdicts() -> None:
    known = known_of(PAIR, {(("a", 10), ("b", 10)): OVERLOADED, (("a", 20), ("b", 10)): OK, (("a", 30),): OVERLOADED})
    known.quarantine(*known.disputed())
    ax = overload_map(known)
    assert marks(ax, "measured, contradicted") == [(1, 1), (1, 2)]
    assert [fills(ax)[1][column] for column in (1, 2)] == [MEASURED_OVERLOADED, MEASURED_OK]
    (hatched,) = (one for one in ax.collections if one.get_label() == "measured, contradicted")
    assert hatched.get_hatch()
    assert "measured, contradicted" in legend(ax)
    assert "measured, contradicted" not in legend(overload_map(PARTLY))


def test_configurations_that_were_not_recorded_are_left_blank() -> None:
    space = ConfigSpace(PAIR, max_functions=3)
    recorded = np.zeros(space.n_configs, np.bool_)
    recorded[space.index([("a", 10), ("b", 10)])] = True
    shown = fills(overload_map(MonotoneMap(space, recorded=recorded)))
    assert shown[1][1] == UNKNOWN
    assert sum(row.count(OUTSIDE) for row in shown) == 15


def test_one_function_is_a_row() -> None:
    known = known_of({"a": [10, 20, 30]}, {(("a", 20),): OVERLOADED}, max_functions=2)
    ax = overload_map(known)
    assert fills(ax) == [[UNKNOWN, MEASURED_OVERLOADED, INFERRED_OVERLOADED]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a (rps)", "")


def test_the_legend_of_a_row_is_not_cut_off() -> None:
    known = known_of({"a": list(range(1, 101))}, {(("a", 30),): OK, (("a", 70),): OVERLOADED}, max_functions=2)
    ax = overload_map(known, predicted=np.linspace(0, 1, 100))
    ax.figure.canvas.draw()
    assert ax.get_legend().get_window_extent().y0 > 0


def test_a_row_of_a_million_rates_is_drawn() -> None:
    ax = overload_map(known_of({"a": list(range(2**20))}, {}, max_functions=2))
    assert ticks(ax.xaxis)[:2] == ["0", "100000"]
    ax.figure.canvas.draw()


def test_functions_loaded_one_at_a_time_have_a_row_each_and_no_frontier_between_them() -> None:
    known = known_of({"a": [10, 20], "b": [20, 30]}, {(("a", 20),): OVERLOADED, (("b", 20),): OK}, max_functions=2)
    ax = overload_map(known)
    assert fills(ax) == [[UNKNOWN, MEASURED_OVERLOADED, OUTSIDE], [OUTSIDE, MEASURED_OK, UNKNOWN]]
    assert (ticks(ax.xaxis), ticks(ax.yaxis)) == (["10", "20", "30"], ["a", "b"])
    assert not edges(ax)


def test_plans_of_two_at_once_have_no_row_of_one() -> None:
    ax = overload_map(known_of(PAIR, {}, min_functions=2))
    assert (np.array(fills(ax)) == UNKNOWN).all()
    assert ticks(ax.xaxis) == ["10", "20", "30"]


def test_of_three_functions_a_slice_is_drawn_and_the_title_says_which() -> None:
    known = known_of(TRIO, {(("a", 10), ("b", 10), ("c", 50)): OK}, max_functions=4)
    ax = overload_map(known)
    assert ax.get_title() == "1 of 3 slices: c not loaded"
    assert fills(ax)[1][1] == INFERRED_OK
    ax = overload_map(known, functions=("a", "b"), at={"c": 50})
    assert ax.get_title() == "c at 50 rps"
    assert fills(ax)[:2] == [[INFERRED_OK, INFERRED_OK, *[UNKNOWN] * 2], [INFERRED_OK, MEASURED_OK, *[UNKNOWN] * 2]]
    assert overload_map(known_of(TRIO, {}, min_functions=3, max_functions=4)).get_title() == "1 of 2 slices: c at 5 rps"


def test_maps_of_three_functions_are_one_for_each_rate_of_the_third() -> None:
    known = known_of(TRIO, {(("a", 20), ("c", 5)): OVERLOADED}, max_functions=4)
    panels = overload_maps(known)
    assert [ax.get_title() for ax in panels] == ["c not loaded", "c at 5 rps", "c at 50 rps"]
    assert [sum(row.count(MEASURED_OVERLOADED) for row in fills(ax)) for ax in panels] == [0, 1, 0]
    figure = panels[0].figure
    assert legend(figure) == ["measured overloaded", "inferred overloaded", "unknown"]
    assert not figure.get_suptitle()
    assert [ax.get_ylabel() for ax in panels] == ["b (rps)", "", ""]
    assert [ax.get_xlabel() for ax in panels] == ["a (rps)"] * 3


def test_where_only_some_maps_are_drawn_the_title_says_so() -> None:
    known = known_of(PAIR | {"c": [1, 2, 3, 4, 5], "d": [1]}, {}, max_functions=5)
    panels = overload_maps(known, max_panels=4)
    assert len(panels) == 4
    assert (panels[0].get_title(), panels[-1].get_title()) == ("others not loaded", "c at 5 rps, d at 1 rps")
    assert panels[0].figure.get_suptitle() == "4 of 12 maps, evenly spread"


@pytest.mark.parametrize("name", ["f", "fetch-the-orders-of-a-customer-of-"])
def test_titles_and_names_of_many_functions_do_not_overlap(name: str) -> None:
    known = known_of({f"{name}{number}": [10, 20, 30] for number in range(8)}, {}, max_functions=9)
    panels = overload_maps(known)
    figure = panels[0].figure
    figure.canvas.draw()
    texts = [text for ax in panels for text in (ax.title, ax.xaxis.label, ax.yaxis.label) if text.get_text()]
    boxes = [owner.get_window_extent() for owner in (*texts, *figure.legends)]
    assert len(boxes) == 9 + 3 + 3 + 1
    assert not [pair for pair in combinations(boxes, 2) if pair[0].overlaps(pair[1])]
    titles = [ax.get_title().replace("\n", " ") for ax in panels]
    assert titles[0] == "others not loaded"
    assert titles[1].endswith(" at 10 rps, others not loaded")
    assert len(set(titles)) == 9


def test_a_long_name_keeps_its_ends() -> None:
    assert short_name("fetch-the-orders-of-a-customer-7") == "fetch-the-…ustomer-7"
    assert short_name("a-name-of-20-letters") == "a-name-of-20-letters"


def test_a_dollar_in_a_name_begins_no_formula() -> None:
    known = known_of({"a$x$": [10], "b$y$": [10], "c$z$": [10]}, {}, max_functions=4)
    (*_, ax) = overload_maps(known)
    texts = [ax.get_title(), load_curves([a_run([("a$x$", 10)])], "a$x$").get_xlabel()]
    texts += [ax.get_xlabel(), overload_map(known).get_ylabel()]
    texts += ticks(overload_map(known_of({"a$x$": [10], "b$y$": [10]}, {}, max_functions=2)).yaxis)
    assert len([text for text in texts if "$" in text]) == 6
    assert not [text for text in texts if cbook.is_math_text(text)]


def test_maps_of_a_plan_of_pairs_are_one_for_each_pair() -> None:
    panels = overload_maps(known_of(TRIO, {}))
    names = [(ax.get_xlabel(), ax.get_ylabel()) for ax in panels]
    assert names == [("a (rps)", "b (rps)"), ("a (rps)", "c (rps)"), ("b (rps)", "c (rps)")]


def test_a_million_cells_are_drawn_without_marks_and_the_title_says_so() -> None:
    rates = list(range(1000))
    known = known_of({"a": rates, "b": rates}, {(("a", 500), ("b", 500)): OVERLOADED})
    ax = overload_map(known)
    assert ax.get_images()[0].get_array().shape[:2] == (1001, 1001)
    assert ax.get_title() == "too many cells to mark what was measured"
    assert ticks(ax.xaxis)[:3] == ["none", "100", "200"]
    ax.figure.canvas.draw()


def test_where_cells_are_too_small_for_squares_predictions_are_pale_and_dotted() -> None:
    rates = list(range(1, 101))
    known = known_of({"a": rates, "b": rates}, {(("a", 70), ("b", 70)): OVERLOADED, (("a", 30), ("b", 30)): OK})
    predicted = np.where(known.grid.rates_rps.sum(axis=0) > 100, 1.0, 0.0) if known.grid else np.empty(0)
    ax = overload_map(known, predicted=predicted)
    cells, proved = np.array(fills(ax)), {MEASURED_OK, INFERRED_OK, MEASURED_OVERLOADED, INFERRED_OVERLOADED}
    assert {cells[30, 30], cells[10, 10], cells[70, 70], cells[80, 80]} == proved
    assert not {cells[31, 31], cells[69, 69]} & {*proved, UNKNOWN}
    (dotted,) = ax.patches
    assert dotted.get_hatch()
    at = np.array([(column, row) for row in range(101) for column in range(101)])
    is_dotted = dotted.get_path().contains_points(at).reshape(101, 101)
    assert is_dotted.sum() == known.n_unknown
    assert not is_dotted[:31, :31].any()
    assert not is_dotted[70:, 70:].any()
    assert "predicted, dotted:\n0, 50, 100 %\nlikely overloaded" in legend(ax)
    ends = edges(ax, "frontier, predicted")
    assert 0 < len(ends) < 150  # about half of 200: a line around each of so small cells would look solid
    ax.figure.canvas.draw()


def test_a_slice_of_a_space_too_large_for_labels_is_looked_up() -> None:
    rates = list(range(0, 2000, 20))
    known = known_of(dict.fromkeys("abcd", rates), {(("a", 20), ("b", 20)): OVERLOADED}, max_functions=5)
    assert known.labels is None
    ax = overload_map(known)
    assert (fills(ax)[2][2], fills(ax)[3][3]) == (MEASURED_OVERLOADED, INFERRED_OVERLOADED)
    huge = known_of({"a": list(range(2000)), "b": list(range(2000))}, {})
    with pytest.raises(ConfigError, match=r"a map of 2,001 x 2,001 cells is too large to draw; the limit is 65,536"):
        overload_map(huge)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"functions": ["a", "x"]}, "functions: 'x' is not one of a, b, c"),
        ({"functions": ["a"]}, "functions: must be 2 different ones, not a"),
        ({"functions": ["a", "a"]}, "functions: must be 2 different ones, not a, a"),
        ({"at": {"a": 10}}, "at: 'a' must be one of the functions not drawn: c"),
        ({"at": {"c": 6}}, "at: c has no rate of 6 rps in the plan, only 5, 50"),
        ({"predicted": np.zeros(3)}, "predicted: has 3 values, must have one for each of 47 configurations"),
    ],
)
def test_what_a_map_cannot_draw_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        overload_map(known_of(TRIO, {}, max_functions=4), **arguments)


def test_maps_that_cannot_be_drawn_are_named() -> None:
    with pytest.raises(ConfigError, match="max_panels: must be at least 1, not 0"):
        overload_maps(PARTLY, max_panels=0)
    with pytest.raises(ConfigError, match="one function at a time: overload_map draws all of it"):
        overload_maps(known_of(PAIR, {}, max_functions=2))
    with pytest.raises(
        ConfigError, match="at: the plan has no configuration of a and b with c at 5 rps, d at 5 rps, e"
    ):
        overload_map(known_of(PAIR | {"c": [5], "d": [5], "e": [5]}, {}), at={"c": 5, "d": 5, "e": 5})


def a_run(config: Config, verdict: Verdict = OK) -> ExecutionEvent:
    functions = tuple(function(name, rate, p95_ms=float(rate)) for name, rate in config)
    node = NodeMeasurement(cpu_pct=sum(rate for _, rate in config), ram_pct=10)
    run: ExecutionEvent = event(config, verdict=verdict, functions=functions, node=node)
    return run


RUNS = [
    a_run([("a", 10)]),
    a_run([("a", 10), ("b", 30)], OVERLOADED),
    a_run([("a", 20)]),
    a_run([("a", 20)], INVALID),
    a_run([("b", 20)]),
]


def points(ax: Any, verdict: Verdict) -> list[tuple[float, float]]:
    (collection,) = (one for one in ax.collections if one.get_label() == verdict)
    return [tuple(point) for point in collection.get_offsets().tolist()]


def test_runs_are_points_by_their_verdict_with_a_median_line() -> None:
    _, ax = pyplot.subplots()
    assert load_curves(RUNS, "a", ax) is ax
    assert points(ax, OK) == [(10, 10), (20, 20)]
    assert points(ax, OVERLOADED) == [(10, 10)]
    (line,) = ax.get_lines()
    assert line.get_xydata().tolist() == [[10, 10], [20, 20]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a (rps offered)", "p95 latency of successful requests (ms)")
    assert legend(ax) == ["OK", "OVERLOADED", "median"]
    assert ax.get_title() == "of 4 runs left out: 1 INVALID"


def test_cpu_and_success_have_the_limits_of_the_rules() -> None:
    ax = load_curves(RUNS, "a", quantity="cpu_pct", rules=OverloadConfig(cpu_overload_pct_of_capacity=70))
    assert points(ax, OVERLOADED) == [(10, 40)]
    assert legend(ax)[-1] == "limit, 70 %"
    assert ax.get_lines()[-1].get_ydata() == [70, 70]
    ax = load_curves(RUNS, "b", quantity="success_rate", rules=OverloadConfig())
    assert points(ax, OK) == [(20, 100)]
    assert legend(ax)[-1] == "limit, 90 %"
    assert len(load_curves(RUNS, "a", rules=OverloadConfig()).get_lines()) == 1


def test_cpu_above_all_of_a_node_is_seen() -> None:
    assert load_curves(RUNS, "a", quantity="cpu_pct").get_ylim() == (0, 103)
    ax = load_curves([*RUNS, a_run([("a", 250)])], "a", quantity="cpu_pct")
    assert ax.get_ylim()[1] > 250


def test_what_is_not_a_number_is_not_measured() -> None:
    broken = replace(RUNS[0], functions=(function("a", 10, p95_ms=float("nan")),))
    ax = load_curves([*RUNS, broken], "a")
    assert ax.get_lines()[0].get_xydata().tolist() == [[10, 10], [20, 20]]
    assert ax.get_title() == "of 5 runs left out: 1 INVALID, 1 without p95_ms"


def test_latencies_far_apart_have_a_logarithmic_axis() -> None:
    far = a_run([("a", 1000)])
    assert load_curves(RUNS, "a").get_yscale() == "linear"
    assert load_curves([*RUNS, far], "a").get_yscale() == "log"


@pytest.mark.parametrize(
    ("events", "arguments", "message"),
    [
        ([], {}, "events: there is no run among them"),
        ([replace(RUNS[0], kind=EventKind.SKIPPED)], {}, "events: there is no run among them"),
        (RUNS, {"function": "x"}, "function 'x': no run loads it, only a, b"),
        (RUNS, {"quantity": "p95"}, "quantity 'p95': must be one of mean_ms, p95_ms, cpu_pct, success_rate"),
        (RUNS[3:4], {}, "no run has a value to draw: of 1 runs left out: 1 INVALID"),
        ([event()], {}, "no run has a value to draw: of 1 runs left out: 1 without p95_ms"),
    ],
)
def test_what_load_curves_cannot_draw_is_named(
    events: list[ExecutionEvent], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_curves(events, **({"function": "a"} | arguments))


def timed(number: int, *, after_s: float = 0.0, verdict: Verdict = OK) -> ExecutionEvent:
    """Return a run of 10 s, of which 2 are cooldown and 7 load; each begins 11 s after the one before."""
    started_at = 1000.0 + 11 * number + after_s
    times: dict[str, Any] = {
        "started_at": started_at,
        "ended_at": started_at + 10,
        "cooldown_s": 2.0,
        "duration_s": 7.0,
    }
    return replace(a_run([("a", 10)], verdict), iteration=number, **times)


def bars(ax: Any) -> dict[str, list[tuple[float, float, float]]]:
    """Return left edge, width and height of the bars that are there, by what they mean."""
    return {
        part.get_label(): [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in part if bar.get_height()]
        for part in ax.containers
    }


def test_each_run_is_a_bar_of_cooldown_load_and_overhead() -> None:
    _, ax = pyplot.subplots()
    assert campaign_timeline([timed(1, verdict=OVERLOADED), timed(0)], ax) is ax
    assert bars(ax) == {
        "cooldown": [(0, 10, 2), (10, 11, 2)],
        "load, OK": [(0, 10, 7)],
        "load, OVERLOADED": [(10, 11, 7)],
        "overhead": [(0, 10, 1), (10, 11, 2)],  # what passed between the runs is the second one's
    }
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("time since the start (s)", "time of a run (s)", "")
    assert legend(ax) == list(bars(ax))


def test_a_canary_is_a_run_of_the_timeline() -> None:
    ax = campaign_timeline([timed(0), replace(timed(1), kind=EventKind.CANARY)])
    assert len(bars(ax)["load, OK"]) == 2


def test_a_pause_is_cut_out_and_said() -> None:
    ax = campaign_timeline([timed(0), timed(1, after_s=7199)])
    assert [left for left, _, _ in bars(ax)["cooldown"]] == [0, 10]
    assert ax.get_title() == "1 pause of 2.0 h in all cut out"


def test_a_run_that_failed_before_its_load_took_no_longer_than_it_took() -> None:
    ax = campaign_timeline([replace(timed(0, verdict=INVALID), ended_at=1003.0)])
    assert bars(ax) == {"cooldown": [(0, 3, 2)], "load, INVALID": [(0, 3, 1)]}


def test_ten_thousand_runs_are_drawn_as_sums() -> None:
    ax = campaign_timeline([timed(number) for number in range(10_000)])
    assert not ax.containers
    assert [part.get_label() for part in ax.collections] == ["cooldown", "load, OK", "overhead"]
    assert ax.get_title() == "10,000 runs, too many for a bar each"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time since the start (h)", "time of all runs so far (h)")
    top = max(y for _, y in ax.collections[-1].get_paths()[0].vertices)
    assert top == pytest.approx((10_000 * 11 - 1) / 3600)
    ax.figure.canvas.draw()


def test_a_timeline_without_runs_is_refused() -> None:
    with pytest.raises(ConfigError, match="events: there is no run among them"):
        campaign_timeline([])


def test_runs_without_times_are_left_out_and_said() -> None:
    nan = float("nan")
    unknown: list[dict[str, Any]] = [{"started_at": nan}, {"ended_at": nan}, {"cooldown_s": nan}, {"duration_s": nan}]
    untimed = [replace(timed(1), **times) for times in unknown]
    instant = replace(timed(1), ended_at=timed(1).started_at)
    ax = campaign_timeline([*untimed, instant, timed(0)])
    assert bars(ax) == {"cooldown": [(0, 10, 2)], "load, OK": [(0, 10, 7)], "overhead": [(0, 10, 1)]}
    assert ax.get_title() == "of 6 runs left out: 5 without times"
    for run in (*untimed, instant):
        with pytest.raises(ConfigError, match="events: none of the 1 runs took time that is known"):
            campaign_timeline([run])


def test_runs_that_overlap_in_time_stand_one_after_the_other() -> None:
    ax = campaign_timeline([timed(0), timed(0, after_s=4), timed(1, after_s=4)])
    assert [(left, width) for left, width, _ in bars(ax)["cooldown"]] == [(0, 10), (10, 10), (20, 11)]
    assert ax.get_title() == "runs that began before others had ended are drawn after them: 1"
    assert ax.get_xlabel() == "time of all runs so far (s)"


def arena_of(*agents: str) -> dict[str, Any]:
    accuracy = {"iqm": 0.5, "low": 0.4, "high": 0.6}
    rows = [{"agent": agent, "budget": budget, "proved_accuracy": accuracy} for agent in agents for budget in (1, 10)]
    return {"arena": {"budgets": [1, 10]}, "budgets": rows}


def test_the_legend_has_agents_of_any_name() -> None:
    labels = legend(budget_curves(arena_of("_mine:P", "a$x$", "learnt")))
    assert [label.strip().replace("\\", "") for label in labels] == ["_mine:P", "a$x$", "learnt"]
    assert not [label for label in labels if cbook.is_math_text(label)]


def test_an_arena_without_budgets_is_refused() -> None:
    with pytest.raises(ConfigError, match="budgets: the arena has no results at any budget"):
        budget_curves(arena_of())


def capacity(objective: str, total_rps: int | None, most_rps: int | None = 60) -> Capacity:
    rates = {"a": total_rps and total_rps - 10, "b": None if total_rps is None else 10}
    return Capacity(objective, 1, 2, 3, None, total_rps, most_rps, rates)


def test_a_sweep_is_drawn_over_its_limits_and_what_is_not_known_is_a_gap() -> None:
    ax = capacity_curve([capacity("p95_ms_max=50", None), capacity("p95_ms_max=100", 40)], sweep="p95_ms_max")

    lines = {line.get_label(): line.get_xydata() for line in ax.get_lines()}
    assert lines["highest total measured OK"].tolist() == [[50, 0], [100, 40]]
    assert lines["highest total not overloaded, or unknown"].tolist() == [[50, 60], [100, 60]]
    assert lines["a"][1].tolist() == [100, 30]
    assert np.isnan(lines["a"][0][1])
    assert ax.get_xlabel() == "objective: limit of p95_ms_max"


def test_objectives_of_any_name_stand_side_by_side() -> None:
    ax = capacity_curve([capacity("p95_ms_max=50,a$x$.p95_ms_max=9", 30), capacity("usual", 40)])

    assert [label.get_text().replace("\\", "") for label in ax.get_xticklabels()] == [
        "p95_ms_max=50,a$x$.p95_ms_max=9", "usual",
    ]  # fmt: skip


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_figure_replaces_an_earlier_figure_and_nothing_else(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"slo.{ending}"
    write_figure(capacity_curve([capacity("usual", 40)]), path)
    first = path.read_bytes()

    write_figure(capacity_curve([capacity("usual", 50)]), path)

    assert path.read_bytes() != first
    path.write_bytes(b"a picture of somebody else")
    with pytest.raises(ConfigError, match="exists and is not a figure of peva-env"):
        figure_file(path)
    assert path.read_bytes() == b"a picture of somebody else"


def scouted_step(rate: int, verdict: Verdict, **values: Any) -> ExecutionEvent:
    made: ExecutionEvent = event([("a$x", rate)], 0, verdict, reasons=("why",), **values)
    return replace(made, kind=EventKind.SCOUTED)


def test_a_scouting_is_drawn_as_a_breakpoint_test(tmp_path: Path) -> None:
    measured = function("a$x", 10, p95_ms=50.0)
    steps = [scouted_step(rate, Verdict.OK, functions=(measured,)) for rate in (10, 20)]
    broken = replace(measured, success_rate=0.5, p95_ms=None)
    steps += [scouted_step(40, Verdict.OVERLOADED, functions=(broken,)), scouted_step(80, Verdict.INVALID)]
    success = scouting_curve(steps)
    (line,) = success.lines
    assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == ([10, 20, 40], [100, 100, 50])
    latency = success.figure.axes[1]
    assert latency.lines[0].get_ydata().tolist() == [50, 50]
    assert latency.get_ylim()[1] > 50, "the highest marker is not cut off"
    (band,) = success.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == (20, 40)
    write_figure(success, tmp_path / "scout.svg")
    with pytest.raises(ConfigError, match="no step of a scouting among them is valid"):
        scouting_curve([scouted_step(80, Verdict.INVALID)])
