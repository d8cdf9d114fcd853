"""The notebooks are short, stored without outputs, and listed; ``.ci/run`` executes them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
NAMES = [
    "01_first_campaign",
    "02_memory_and_parquet",
    "03_train_offline",
    "04_your_own_policy",
    "05_compare_agents",
    "06_real_recordings",
    "07_live_k6",
    "08_from_nothing_to_limits",
    "09_offline_rl",
    "10_recheck",
]
MOST_CELLS = 12
DRAWN = re.compile(
    r"\b(subplots|budget_curves|campaign_timeline|capacity_curve|capacity_trend|load_curves|overload_maps?|scouting_curve)"
    r"\("
)
"""What makes a figure."""

SHOW = '''def show(figure, alt):
    """Display a figure with its alternative text."""
    display(figure, metadata={"image/png": {"alt": alt}})
    pyplot.close(figure)
'''

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def code_cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]


def test_all_notebooks_are_there() -> None:
    assert [path.stem for path in NOTEBOOKS] == NAMES


@each_notebook
def test_a_notebook_is_short_and_begins_with_what_it_is_about(path: Path) -> None:
    first, *others = read(path)["cells"]
    assert first["cell_type"] == "markdown"
    assert first["source"][0].startswith("# ")
    assert 1 <= len(others) < MOST_CELLS


@each_notebook
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    assert [cell["outputs"] for cell in code_cells(path)] == [[]] * len(code_cells(path))
    assert {cell["execution_count"] for cell in code_cells(path)} == {None}
    assert "widgets" not in read(path)["metadata"]


@each_notebook
def test_a_notebook_uses_public_names_only(path: Path) -> None:
    for cell in code_cells(path):
        source = "".join(cell["source"])
        assert "._" not in source
        assert "import _" not in source


@each_notebook
def test_a_figure_has_an_alternative_text(path: Path) -> None:
    sources = ["".join(cell["source"]) for cell in code_cells(path)]
    drawing = [source for source in sources if DRAWN.search(source)]
    assert all("show(" in source or "alt=" in source for source in drawing)
    assert SHOW in "\n".join(f"{source}\n" for source in sources)


@each_notebook
def test_a_notebook_is_of_a_form_that_every_jupyter_reads(path: Path) -> None:
    notebook = read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)


@each_notebook
def test_a_notebook_is_listed(path: Path) -> None:
    assert f"[{path.stem}]({path.name})" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_what_sends_real_load_is_tagged() -> None:
    live = [path.stem for path in NOTEBOOKS if "live" in read(path)["metadata"].get("tags", [])]
    assert live == ["07_live_k6", "08_from_nothing_to_limits", "10_recheck"]
    sends_load = re.compile(r'FaasLive|peva_env\(\\"(run|recheck)\\"')
    assert [path.stem for path in NOTEBOOKS if sends_load.search(path.read_text(encoding="utf-8"))] == live
