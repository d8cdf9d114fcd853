"""The file with which a driver tells other processes of its fleet: what is not its status is refused in one line."""

from pathlib import Path

import pytest

from peva_agents.fleet.status import read_status
from peva_env.errors import PevaError


@pytest.mark.parametrize("text", ["", "[]", '{"nodes": 3}', '{"nodes": {"a": {}}}', "[" * 100_000], ids=len)
def test_what_is_no_status_is_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_text(text)
    with pytest.raises(PevaError, match="is no status of a fleet") as caught:
        read_status(path)
    assert "\n" not in str(caught.value)
