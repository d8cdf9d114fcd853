"""A secret is one line of a file or an environment variable, and no error shows it."""

from pathlib import Path

import pytest

from peva_env.config import Secret, read_secret
from peva_env.errors import ConfigError

PLANTED = "open-sesame-4711"


def read(file: str | None = None, variable: str | None = None) -> Secret | None:
    return read_secret("x.token", file=file, variable=variable, purpose="the token")


def test_a_secret_is_read_from_a_file_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", f" {PLANTED}")
    path = tmp_path / "token"
    path.write_text(f"{PLANTED}\r\n")
    for secret, source in (
        (read(file=str(path)), f"x.token_file = {str(path)!r}"),
        (read(variable="TOKEN"), "x.token_env = 'TOKEN'"),
    ):
        assert secret is not None
        assert (secret.value.get_secret_value(), secret.source) == (PLANTED, source)
        assert PLANTED not in repr(secret)
    assert read() is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty; it must hold the token, in one line"),
        (f"{PLANTED}\n{PLANTED}\n".encode(), "holds several lines; it must hold the token"),
        (PLANTED.encode() + b"\xff", "is not a text file in UTF-8"),
    ],
)
def test_a_file_without_exactly_one_line_is_refused(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=said) as caught:
        read(file=str(path))
    assert PLANTED not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ConfigError, match=r"x\.token_env = 'NOT_SET': there is no such environment variable"):
        read(variable="NOT_SET")
