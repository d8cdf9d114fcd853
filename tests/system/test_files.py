"""A file is replaced as a whole or stays as it was, and a path is read as its user wrote it."""

from pathlib import Path

import pytest

from peva_env.system import local_path, replacing, write_text
from tests.support.builders import full, small_disk


def test_a_file_is_replaced_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.parent == tmp_path
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_raises_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as partial:
        partial.write_text(f"{1 / 0}")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_error_names_the_file_and_not_the_temporary_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        write_text(tmp_path / "none" / "a.txt", "new")
    assert caught.value.filename == str(tmp_path / "none" / "a.txt")
    with (
        small_disk(tmp_path / "disk") as disk,
        full(disk),
        pytest.raises(OSError, match="No space left on device") as caught,
    ):
        write_text(disk / "a.txt", "new" * 10_000)
    assert caught.value.filename == str(disk / "a.txt")


def test_a_text_ends_with_a_newline(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "käse")
    assert (tmp_path / "a.txt").read_bytes() == "käse\n".encode()


@pytest.mark.parametrize("text", ["./~", "./~/m.duckdb", ".//~nobody-of-this-name"])
def test_a_name_with_a_tilde_can_be_written_so_that_it_is_not_expanded(text: str) -> None:
    path = local_path(text)
    assert path == Path.cwd() / Path(text)
    assert local_path(str(path)) == path
