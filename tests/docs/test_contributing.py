"""The map of the house in ``CONTRIBUTING.md`` leads to files that are there and hold what it says."""

import re

import pytest

from tests.support.pages import ROOT

MAP = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## A map of the house")[2]
QUESTIONS = re.findall(r"^\| (\S[^|]*\?) \| ([^|]*) \| ([^|]*) \|$", MAP, re.MULTILINE)


@pytest.mark.parametrize(("question", "files", "names"), QUESTIONS, ids=[question for question, _, _ in QUESTIONS])
def test_each_file_of_the_map_is_there_and_holds_the_name(question: str, files: str, names: str) -> None:
    paths = re.findall(r"`([^`]+/[^`]+)`", files)
    symbols = re.findall(r"`([^`]+)`", names)
    assert len(paths) == len(symbols) >= 1
    for path, symbol in zip(paths, symbols, strict=True):
        assert re.search(rf"\b{re.escape(symbol)}\b", (ROOT / path).read_text(encoding="utf-8")), path


def test_the_map_answers_at_least_ten_questions() -> None:
    assert len(QUESTIONS) >= 10
