"""The section of a report on savings, compared with the cartesian agent."""

from collections.abc import Iterator

from peva_env.maps import NodeMap, Savings
from peva_env.report.texts.formats import Entry, count_text, span_text


def savings_entries(savings: Savings) -> Iterator[Entry]:
    """Yield the runs and machine time of the cartesian agent and of these campaigns, and the difference."""
    cartesian_s = savings.runs * savings.mean_run_s
    yield "cartesian agent", f"{count_text(savings.runs, 'run')}, {span_text(cartesian_s)}"
    yield "these campaigns", f"{count_text(savings.n_runs, 'run')}, {span_text(savings.cost_s)}"
    term = "saved" if savings.is_final else "saved so far"
    if savings.runs_saved > 0:
        share = savings.runs_saved / savings.runs
        yield term, f"{count_text(savings.runs_saved, 'run')} ({100 * share:.1f} %), {span_text(savings.saved_s)}"
    else:
        n_more = -savings.runs_saved
        more = f"; {count_text(n_more, 'run')} more {'was' if n_more == 1 else 'were'} made" if n_more else ""
        yield term, f"nothing{more}"


def method_text(node_map: NodeMap, savings: Savings) -> str:
    """Explain how the savings are computed."""
    known, is_last_short = node_map.known, savings.n_missing > 0
    last = ", except the last one, which is not finished and counts with its runs so far" if is_last_short else ""
    left = f" Configurations without a verdict ({known.n_unknown:,}) do not count." if known.n_unknown else ""
    return (
        "The cartesian agent goes from low rates to high ones and skips every configuration above an overloaded one of "
        f"the same functions. To know the same {known.n_configs - known.n_unknown:,} of {known.n_configs:,} "
        f"configurations, it would measure {savings.configs:,}, each with {count_text(savings.iterations, 'run')}, the "
        f"largest number of valid runs of any undisputed configuration here{last}. Its machine time is that number of "
        f"runs times {savings.mean_run_s:.1f} s, the mean time of a run here with its cooldown.{left}"
    )
