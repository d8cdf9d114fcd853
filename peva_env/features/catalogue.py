"""The features by name, in their order: formula and range of each.

Notation: ``x`` is the candidate; rates are shares of each function's highest rate. ``d1``, ``dmax`` and ``d2`` are
distances by sum, greatest and root of squares over the functions. *From OK* counts what ``x`` exceeds an OK
configuration by, *to overloaded* what it stays below an overloaded one by; the nearest one counts. No load at all is
taken for OK, and 1.3 times the highest rates for overloaded. A *margin* is a signed distance to a limit of the success
rates as a share of it, positive = OK. Views clip features to their ranges.
"""

from dataclasses import dataclass
from math import log


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature: its range in views, and whether all candidates of a campaign share it."""

    name: str
    low: float
    high: float
    formula: str
    of_campaign: bool = False


_DISTANCE = log(0.025), 4.0
_MARGIN = -0.3, 0.06
_COUNT = 0.0, 30.0
_SHARE = 0.0, 1.0


def _distances() -> list[Feature]:
    norms = {"sum": "d1", "greatest": "dmax", "root": "d2"}
    ratios = [
        Feature(f"between_{norm}", -8.0, 8.0, f"log({d} from OK + 0.025) - log({d} to overloaded + 0.025)")
        for norm, d in norms.items()
    ]
    parts = [
        Feature(f"{side}_{norm}", *_DISTANCE, f"log({norms[norm]} {text} + 0.025)")
        for norm in ("sum", "greatest")
        for side, text in (("from_ok", "from OK"), ("to_overloaded", "to overloaded"))
    ]
    where = "down / (down + up), distances to the nearest OK and overloaded one that differ in one rate only"
    kinds = ("mean", "min", "max")
    along = [Feature(f"along_{kind}", *_SHARE, f"{kind} over the functions of {where}") for kind in kinds]
    return [*ratios, *parts, *along]


def _neighbours() -> list[Feature]:
    found = []
    for name, width in (("near", 0.1), ("around", 0.25)):
        found += [
            Feature(f"label_{name}", -1.0, 1.0, f"sum(w label) / (sum(w) + 0.05), w = exp(-d2^2 / (2 {width}^2))"),
            Feature(f"weight_{name}", log(1e-3), 7.0, f"log(sum(w) + 0.001), w = exp(-d2^2 / (2 {width}^2))"),
        ]
    for name, length in (("medium", 0.3), ("long", 1.0), ("short", 0.12)):
        process = f"of a Gaussian process on the labels, length {length}"
        found += [
            Feature(f"label_{name}_mean", -5.0, 5.0, f"mean {process}"),
            Feature(f"label_{name}_deviation", 0.0, 5.0, f"standard deviation {process}"),
        ]
    return found


def _carried() -> list[Feature]:
    as_there = "margin of x if each function serves as many requests as in an overloaded run"
    return [
        Feature("served_near", *_MARGIN, f"{as_there}; mean over those runs, weights exp(-d2^2 / (2 0.08^2))"),
        Feature("served_around", *_MARGIN, f"{as_there}; mean over those runs, weights exp(-d2^2 / (2 0.25^2))"),
        Feature("served_nearest", *_MARGIN, f"{as_there}, the nearest by d2"),
        Feature("served_median", *_MARGIN, f"{as_there}; median over those runs"),
        Feature("any_overloaded", *_SHARE, "1 after an overloaded run, else 0 (then the four margins are 0.06)", True),
    ]


def _limits() -> list[Feature]:
    found = []
    for use in ("cpu", "ram"):
        process = f"of a Gaussian process on {use.upper()} / its limit, length 1"
        found += [
            Feature(f"{use}_excess", -1.0, 1.0, f"mean {process}, minus 1; 0 without a limit or a value"),
            Feature(f"{use}_deviation", *_SHARE, f"standard deviation {process}; 1 without a limit or a value"),
            Feature(f"{use}_ratio", -5.0, 5.0, f"{use}_excess / hypot({use}_deviation, 0.03)"),
        ]
    return found


def _load() -> list[Feature]:
    full = "log(rate x mean latency / slots), Little's law, latency by a Gaussian process, length 0.5"
    return [
        Feature("fullness", -3.0, 2.0, f"{full}; the fullest function's"),
        Feature("fullness_deviation", 0.0, 5.0, "standard deviation of fullness"),
        Feature("slots_known", *_SHARE, "1 if the fullest function was seen short of slots, else 0 (slots 0.3 above)"),
        Feature("success_margin", *_MARGIN, "margin of the success rates (1 + exp(16 fullness))^(-1/16)"),
        Feature("fullness_ratio", -6.0, 6.0, "fullness / hypot(fullness_deviation, sqrt(0.05))"),
        Feature("slots_known_share", *_SHARE, "share of the functions that were seen short of slots", True),
    ]


def _counts() -> list[Feature]:
    return [
        Feature("log_above", *_COUNT, "log(unknown configurations that an overloaded verdict on x resolves)"),
        Feature("log_below", *_COUNT, "log(unknown configurations that an OK verdict on x resolves)"),
        Feature("log_above_to_below", -30.0, 30.0, "log_above - log_below"),
        Feature("log_above_share", -30.0, 0.0, "log_above - log_unknown"),
        Feature("log_below_share", -30.0, 0.0, "log_below - log_unknown"),
        Feature("log_unknown", *_COUNT, "log(unknown configurations)", True),
    ]


def _progress() -> list[Feature]:
    return [
        Feature("measured", 0.0, 100.0, "measured configurations / 100", True),
        Feature("overloaded_share", *_SHARE, "share of the measured configurations that is overloaded", True),
        Feature("rate_mean", *_SHARE, "mean of the functions' rates"),
        Feature("rate_max", *_SHARE, "highest of the functions' rates"),
        Feature("rate_min", *_SHARE, "lowest of the functions' rates"),
    ]


FEATURES = (*_distances(), *_neighbours(), *_carried(), *_limits(), *_load(), *_counts(), *_progress())
"""All features in the order of ``Features.of``."""

N_OF_CANDIDATE = sum(not feature.of_campaign for feature in FEATURES)
"""Number of features that differ between the candidates of a campaign."""
