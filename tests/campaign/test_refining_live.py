"""Refining with the real command line: real k6, a real function on 127.0.0.1."""

import re
from pathlib import Path

import pytest

pytest.importorskip("functions_framework")

from tests.support.campaigns import WAITS_200_MS, campaign, function, query, run, write

pytestmark = pytest.mark.live


@pytest.mark.alone
def test_a_complete_map_is_refined_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    limited = function("limited", WAITS_200_MS, concurrency=11)  # serves 55 requests/s
    write(campaign(limited, rates=[30, 100], overload={}, max_invalid_retries=20))
    code, output, errors = run("--refine", "50%")
    assert (code, errors) == (0, "")
    assert "refining each limit of this map to 50%" in output
    found = re.search(r"limited +alone +(\d+) +(\d+)", output)
    assert found is not None
    assert found.groups() == ("45", "67"), "of 30, 45, 67, 100"
    columns = "agent, status, repetition, context_json LIKE '%refined%'"
    sessions = query(f"SELECT {columns} FROM run_sessions ORDER BY started_at")  # noqa: S608
    assert sessions == [("cartesian", "complete", 1, False), ("bisection", "complete", 1, True)]
    n_runs = query("SELECT count(*) FROM execution_events WHERE kind = 'measured'")

    code, output, errors = run("--refine", "50%")
    assert (code, errors) == (0, "")
    assert found.group() in output
    assert query("SELECT count(*) FROM execution_events WHERE kind = 'measured'") == n_runs
