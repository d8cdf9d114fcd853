"""What stands in the folder in which a report is made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from peva_env import datasets
from tests.support.commands import write_hiding_modules

pytest.importorskip("plotly", reason="needs the `report` extra")


def test_files_of_the_working_folder_hide_no_module_from_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_hiding_modules()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for args in (
        ["memory", "preload", "m.duckdb", "--core", str(datasets.load("local-node-v1"))],
        ["report", "--memory", "m.duckdb"],
    ):
        command = [str(Path(sys.executable).with_name("peva-env")), *args]
        ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
        assert (ended.returncode, ended.stderr) == (0, ""), args
