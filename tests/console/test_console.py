"""What a campaign shows: in a terminal, in a narrow one, and where there is none."""

import io
from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from peva_env.config import DfaasConfig
from peva_env.console import (
    CampaignProgress,
    ScoutProgress,
    config_text,
    duration_text,
    print_map,
    print_plan,
    print_verdicts,
)
from peva_env.contracts import ExecutionEvent, FunctionMeasurement, NodeMeasurement, Verdict
from peva_env.env import PevaEnv
from peva_env.inference import MonotoneMap
from peva_env.space import Config, ConfigSpace, config_key


def screen(width: int = 80, *, terminal: bool = False) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, width=width, force_terminal=terminal, color_system=None, legacy_windows=False), text


def event(config: Config, verdict: Verdict = Verdict.OK, *reasons: str, cost_s: float = 2.0) -> ExecutionEvent:
    functions = tuple(FunctionMeasurement(name, rate, 100, 100, 0, 98, {}, 0.98, p95_ms=52) for name, rate in config)
    return ExecutionEvent(
        config_key(config),
        0,
        verdict,
        reasons=reasons,
        margin=0.05,
        functions=functions,
        node=NodeMeasurement(cpu_pct=21, ram_pct=5),
        cost_s=cost_s,
    )


def known(space: ConfigSpace, ok: Iterable[Config] = (), overloaded: Iterable[Config] = ()) -> MonotoneMap:
    result = MonotoneMap(space)
    for configs, verdict in ((ok, Verdict.OK), (overloaded, Verdict.OVERLOADED)):
        for config in configs:
            result.update(config, verdict)
    return result


def drawn(state: MonotoneMap, width: int = 80) -> list[str]:
    console, text = screen(width)
    print_map(console, state)
    return [line.rstrip() for line in text.getvalue().splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0s"),
        (59.4, "59s"),
        (59.6, "1m 00s"),
        (185, "3m 05s"),
        (7_800, "2h 10m"),
        (10 * 86_400, "10 days"),
        (4 * 365.25 * 86_400, "4 years"),
        (3e20, "9.5e+12 years"),
    ],
)
def test_durations_have_the_units_that_matter(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_a_configuration_reads_like_a_sum() -> None:
    assert config_text([("checkout", 80), ("fetch", 40)]) == "checkout 80 + fetch 40"


def test_the_map_of_two_functions_has_the_first_across_and_rates_rising_upwards() -> None:
    space = ConfigSpace({"a": [10, 20], "b": [10, 20, 30]}, max_functions=3)
    state = known(space, ok=[[("a", 10)], [("a", 10), ("b", 10)]], overloaded=[[("a", 10), ("b", 20)]])
    assert drawn(state) == [
        "Overload map (rps): a across, b upwards",
        "       none    10    20",
        "  30      ?     x     x",
        "  20      ?     X     x",
        "  10      ?     O     ?",
        "none            O     ?",
        "O measured OK  X measured overloaded  x inferred overloaded  ? unknown",
    ]


def test_the_legend_of_the_map_has_each_state_that_is_drawn() -> None:
    state = MonotoneMap(ConfigSpace({"a": [10, 20, 30, 40, 50, 60, 70, 80]}), dominance="within_sets")
    verdicts = {20: Verdict.OK, 40: Verdict.OVERLOADED, 60: Verdict.OK, 80: Verdict.OVERLOADED}
    state.update_all({(("a",), (rate,)): verdict for rate, verdict in verdicts.items()})
    console, text = screen(80)
    print_map(console, state, begun=[[("a", 70)], [("a", 20)]])
    *_, cells, legend = text.getvalue().splitlines()
    assert cells.split()[1:] == ["o", "O", "?", "!", "!", "!", "~", "X"]
    assert legend == ("O measured OK  o inferred OK  X measured overloaded  ! contradicted  ~ incomplete  ? unknown")


def test_a_mix_that_a_further_function_makes_ok_is_explained_below_the_map() -> None:
    space = ConfigSpace({"a": [10, 20], "b": [10, 20]}, max_functions=3)
    *_, last = drawn(known(space, ok=[[("a", 20), ("b", 10)]], overloaded=[[("a", 20)]]), 200)
    assert last == (
        "a 20 + b 10 is OK above a 20, which is overloaded: adding a function can make a mix OK, because the rule on "
        "the mean success averages over the functions of a mix"
    )


def test_the_map_of_functions_alone_has_one_row_each() -> None:
    space = ConfigSpace({"a": [10, 20], "b": [10], "c": [20]}, max_functions=2)
    lines = drawn(known(space, ok=[[("a", 10)]], overloaded=[[("a", 20)]]))
    assert lines[1:-1] == ["    10  20", "a    O   X", "b    ?", "c        ?"]


def test_the_map_of_a_plan_of_pairs_has_no_rows_for_functions_alone() -> None:
    space = ConfigSpace({"a": [10], "b": [10, 20]}, min_functions=2, max_functions=3)
    assert drawn(known(space))[1:-1] == ["     10", "20    ?", "10    ?"]


@pytest.mark.parametrize(("n_rates", "width"), [(21, 60), (21, 80), (40, 50), (50, 300)])
def test_a_map_of_many_rates_fits_the_terminal(n_rates: int, width: int) -> None:
    space = ConfigSpace({"a": range(0, 10 * n_rates, 10), "b": [10, 20]}, max_functions=3)
    lines = drawn(known(space), width)
    assert max(map(len, lines[:-1])) <= width
    assert lines[-4].replace(" ", "") == "20" + "?" * (n_rates + 1)


def test_labels_stand_upright_where_they_do_not_fit_side_by_side() -> None:
    space = ConfigSpace({"a": [5, 10, 150]}, max_functions=2)
    assert drawn(known(space), 9)[1:5] == ["       1", "     1 5", "   5 0 0", "a  ? ? ?"]


def test_a_map_that_fits_nowhere_is_not_drawn() -> None:
    space = ConfigSpace({"a": range(100), "b": range(100)}, max_functions=3)
    assert "101 x 101 cells are too many" in " ".join(drawn(known(space)))


def test_three_functions_at_once_have_no_map() -> None:
    assert drawn(known(ConfigSpace({"a": [1], "b": [1], "c": [1]}, max_functions=3))) == []


def test_the_table_has_one_row_per_configuration_with_means_over_its_runs() -> None:
    console, text = screen()
    config = [("f", 40)]
    runs = [event(config), event(config), event(config, Verdict.OVERLOADED), event([("f", 9)], Verdict.INVALID)]
    print_verdicts(console, runs, {config_key(config)})
    heading, row = [line.split() for line in text.getvalue().splitlines() if line]
    assert heading[-7:] == ["agree", "margin", "success", "p95", "ms", "CPU", "%"]
    assert row == ["f", "40", "OK", "2/3", "+0.05", "0.980", "52", "21"]


@pytest.mark.parametrize("width", [20, 30, 45, 60, 80, 200])
def test_a_narrow_terminal_gets_whole_verdicts(width: int) -> None:
    console, text = screen(width, terminal=True)
    config = [("checkout", 150), ("fetch", 150)]
    print_verdicts(console, [event(config, Verdict.OVERLOADED)], {config_key(config)})
    assert max(map(len, text.getvalue().splitlines())) <= width
    assert "OVERLOADED" in text.getvalue()


def test_a_long_table_ends_with_where_the_rest_is() -> None:
    console, text = screen()
    print_verdicts(console, [event([("f", rate)]) for rate in range(50)], ())
    assert text.getvalue().splitlines()[-1] == "and 10 more, see results.csv"


def test_a_configuration_that_lacks_runs_has_no_verdict_yet() -> None:
    console, text = screen()
    print_verdicts(console, [event([("f", 40)])], complete=())
    assert "incomplete" in text.getvalue()
    assert "OK" not in text.getvalue()


def test_nothing_measured_gives_no_table() -> None:
    console, text = screen()
    print_verdicts(console, [], ())
    assert text.getvalue() == ""


def progress(console: Console, state: MonotoneMap) -> CampaignProgress:
    env = cast(PevaEnv, SimpleNamespace(has_begun=True, known=state))
    return CampaignProgress(console, env, DfaasConfig(iterations=3))


def test_without_a_terminal_a_verdict_is_one_whole_line_with_counts_and_reasons() -> None:
    console, text = screen(40)
    space = ConfigSpace({"f": [10, 20, 30]})
    shown = progress(console, known(space, overloaded=[[("f", 20)]]))
    with shown:
        for verdict, why in ((Verdict.OVERLOADED, "success 0.5 < 0.9"), (Verdict.OK, ""), (Verdict.OVERLOADED, "slow")):
            shown.measured(event([("f", 20)], verdict, why, cost_s=2))
        shown.concluded([("f", 20)], Verdict.OVERLOADED, resolved=2)
    assert text.getvalue() == (
        "1 measured, 1 inferred, 1 left (about 6s or less)  f 20: OVERLOADED  slow; 1 above it need not be run\n"
    )


def test_a_contradiction_is_told_when_it_is_found_and_when_it_is_settled() -> None:
    console, text = screen(40)
    state = MonotoneMap(ConfigSpace({"f": [10, 20, 30]}), dominance="two_sided")
    shown = progress(console, state)
    state.update([("f", 10)], Verdict.OVERLOADED)
    state.update([("f", 20)], Verdict.OK)
    assert shown._counts().startswith("0 measured, 0 inferred, 3 left")
    for verdict, again in ((Verdict.OK, False), (Verdict.OVERLOADED, False), (Verdict.OVERLOADED, True)):
        state.update([("f", 20)], verdict)
        shown.concluded([("f", 20)], verdict, resolved=1 + again)
    lines = text.getvalue().splitlines()
    assert lines[1] == "contradiction: f 10 was OVERLOADED and f 20 OK: will be measured again"
    assert lines[3] == "contradiction: f 10 was OVERLOADED and f 20 OK: measured again, and one verdict changed"
    assert len(lines) == 5
    assert shown._counts().startswith("2 measured, 1 inferred, 0 left")


def test_an_invalid_run_is_shown_when_it_happens() -> None:
    console, text = screen()
    progress(console, known(ConfigSpace({"f": [10]}))).measured(event([("f", 10)], Verdict.INVALID, "k6 failed"))
    assert text.getvalue().endswith("f 10: INVALID  k6 failed\n")


def test_that_the_next_run_waits_for_other_programs_is_said() -> None:
    console, text = screen(250)
    invalid = event([("f", 10)], Verdict.INVALID, "other programs had the core that f needed")
    crowded = replace(invalid, functions=(replace(invalid.functions[0], crowded_out=50),))
    progress(console, known(ConfigSpace({"f": [10]}))).measured(crowded)
    ScoutProgress(console).stepped(crowded)
    run, step = text.getvalue().splitlines()
    told = "other programs had the core that f needed; the next run waits until other programs leave the cores"
    assert run.endswith(f"f 10: INVALID  {told}")
    assert step == f"  INVALID: f 10 rps: {told}"


def test_reasons_are_those_of_a_run_that_agrees_with_the_verdict() -> None:
    console, text = screen()
    shown = progress(console, known(ConfigSpace({"f": [10]}), overloaded=[[("f", 10)]]))
    for verdict, why in ((Verdict.OVERLOADED, "too slow"), (Verdict.OVERLOADED, "too slow"), (Verdict.OK, "")):
        shown.measured(event([("f", 10)], verdict, why))
    shown.concluded([("f", 10)], Verdict.OVERLOADED, resolved=1)
    assert text.getvalue().endswith("f 10: OVERLOADED  too slow\n")


def test_the_time_left_shrinks_with_each_run() -> None:
    console, _ = screen()
    shown = progress(console, known(ConfigSpace({"f": [10, 20]})))
    left = []
    for _ in range(3):
        shown.measured(event([("f", 10)], cost_s=4))
        left.append(shown._counts())
    assert [text.rpartition("about ")[2] for text in left] == ["20s or less)", "16s or less)", "12s or less)"]


def test_in_a_terminal_the_live_lines_never_wrap() -> None:
    console, text = screen(30, terminal=True)
    shown = progress(console, known(ConfigSpace({"function-with-a-long-name": [10]})))
    with shown:
        shown.starting([("function-with-a-long-name", 10)], 0)
        rendered = console.render_lines(shown._lines())
    assert len(rendered) == 2
    assert "\x1b[?25h" in text.getvalue()  # the cursor is back


def test_the_plan_counts_and_quotes() -> None:
    console, text = screen(250)
    rates: dict[str, Any] = {"type": "custom", "rates": [10, 20]}
    functions = [{"name": "a"}, {"name": "b", "max_rate": 10}]
    print_plan(
        console,
        DfaasConfig.model_validate(
            {
                "functions": functions,
                "rate_strategy": rates,
                "combinations": {"max_functions": 3},
                "duration": "1h",
                "iterations": 2,
                "platform": "openfaas",
                "cooldown": {"sleep_step_seconds": 1800},
            }
        ),
    )
    lines = [line.split() for line in text.getvalue().splitlines()]
    assert lines[0] == ["a:", "2", "rates,", "10", "to", "20", "rps"]
    assert lines[1] == ["b:", "1", "rate,", "10", "rps"]
    assert " ".join(lines[2]) == "5 configurations of 1 to 2 functions x 2 iterations = 10 runs of 1h"
    assert [line[:3] for line in lines[3:6]] == [
        ["load", "10.00", "h"],
        ["cooldown", "5.08", "h"],  # a pause of half an hour and six scrape intervals of 5 s
        ["total", "15.08", "h"],
    ]
    assert lines[6][:4] == ["at", "most", "40.60", "h"]
    assert " ".join(lines[8]) == "first: a 10, a 20, b 10, a 10 + b 10, a 20 + b 10"
