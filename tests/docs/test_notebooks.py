"""The notebooks are short, stored without outputs, and listed; ``.ci/run`` executes them."""

import json
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
]
MOST_CELLS = 12

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
    assert live == ["07_live_k6"]
    assert [path.stem for path in NOTEBOOKS if "FaasLive" in path.read_text(encoding="utf-8")] == live
