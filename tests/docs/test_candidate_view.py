"""The page on the candidate view names every feature, with its formula and its range, in the order of the code."""

import re

from peva_env.features import Feature
from peva_env.views import CONTEXT, ROW
from tests.support.pages import PAGES


def row(feature: Feature) -> tuple[str, str, str]:
    return feature.name, feature.formula, f"{round(feature.low, 2):g} to {round(feature.high, 2):g}"


def test_the_page_has_the_features_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (\S+ to \S+) \|$", PAGES["environments/candidate-view"], re.MULTILINE)
    assert rows == [row(feature) for feature in (*ROW, *CONTEXT)]


def test_the_page_says_how_many_there_are() -> None:
    text = PAGES["environments/candidate-view"]
    assert f"each by the same {len(ROW)} numbers" in text
    assert f"float32 (K, {len(ROW)})" in text
    assert f"float32 ({len(CONTEXT)},)" in text
