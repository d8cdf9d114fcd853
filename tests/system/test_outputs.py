"""What a command may write to: nothing that is not an earlier output of its own."""

import os
from pathlib import Path

import pytest

from peva_env.errors import ConfigError, PevaError
from peva_env.system import begins_with, output_file, output_folder

MARK = b"# mine\n"


def asked(path: Path, *inputs: Path) -> Path:
    return output_file("--out", path, what="a list", is_own=begins_with(MARK), inputs=inputs)


def test_a_new_file_and_an_earlier_output_may_be_written(tmp_path: Path) -> None:
    path, link = tmp_path / "list", tmp_path / "link"
    assert asked(path) == path
    path.write_bytes(MARK + b"1\n")
    link.symlink_to(path)
    assert (asked(path), asked(link)) == (path, path)


def test_what_is_no_output_is_refused(tmp_path: Path) -> None:
    path, link = tmp_path / "notes", tmp_path / "link"
    path.write_text("mine")
    for taken in (path, tmp_path):
        with pytest.raises(ConfigError, match=f"--out {taken}: exists and is not a list; give another name"):
            asked(taken)
    link.symlink_to(link)
    with pytest.raises(ConfigError, match="is a symbolic link that leads back to itself"):
        asked(link)


def test_what_cannot_be_read_is_named() -> None:
    with pytest.raises(
        PevaError, match=r"^--out /proc/self/mem: cannot be read: Input/output error; give another name$"
    ):
        asked(Path("/proc/self/mem"))


def test_what_is_no_regular_file_is_refused_unread(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for taken in (pipe, Path("/dev/zero")):  # one never answers, the other one never ends
        with pytest.raises(ConfigError, match=f"--out {taken}: exists and is not a list; give another name"):
            output_file("--out", taken, what="a list", is_own=lambda path: pytest.fail(f"{path} would be read"))


def test_a_pipe_that_a_descriptor_names_is_refused() -> None:
    """As ``--out /dev/stdout`` before ``| cat``: the path of the link does not lead there."""
    reading, writing = os.pipe()
    try:
        with pytest.raises(ConfigError, match="exists and is not a list; give another name"):
            asked(Path(f"/dev/fd/{writing}"))
    finally:
        os.close(reading)
        os.close(writing)


def test_a_file_of_the_command_is_refused_whatever_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(MARK)
    for given in (path, tmp_path / "new"):
        with pytest.raises(ConfigError, match="is another file of this command; give another name"):
            asked(given, tmp_path / "." / given.name)


@pytest.mark.parametrize(
    ("folder", "said"),
    [("none", "No such file or directory"), ("file", "Not a directory"), ("/proc", "No such file or directory")],
)
def test_a_folder_that_takes_no_file_is_told_before_any_work(tmp_path: Path, folder: str, said: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / folder / "list"
    with pytest.raises(PevaError, match=f"^--out {path}: cannot be written: {said}$"):
        asked(path)


def test_nothing_is_left_in_the_folder_of_an_output(tmp_path: Path) -> None:
    asked(tmp_path / "list")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "said"), [("", "names no file"), ("-", "a list is written to a file, not to the")])
def test_what_names_no_file_is_refused(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        asked(Path(name))


def test_a_folder_is_new_or_empty_or_was_begun_before(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    assert output_folder("--out", folder, what="arena", mark="mark") == folder
    for make in (folder.mkdir, (folder / "mark").touch):
        make()
        assert output_folder("--out", folder, what="arena", mark="mark") == folder
    with pytest.raises(ConfigError, match="is not empty and holds no arena; give another folder"):
        output_folder("--out", tmp_path, what="arena", mark="mark")
    with pytest.raises(ConfigError, match="is a file; give another name"):
        output_folder("--out", folder / "mark", what="arena", mark="mark")
