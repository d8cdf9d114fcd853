"""Times and failures as people read them, and numbers and JSON from other programs."""

import pytest

from peva_env.system import exception_text, failure_text, json_value, moment_text, plain_number


class UnprintableError(Exception):
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise ValueError("not me")


def test_an_exception_of_a_user_is_shown_shortened_or_by_its_class() -> None:
    assert exception_text(ValueError("boom")) == "ValueError('boom')"
    assert exception_text(UnprintableError()) == "UnprintableError"
    assert len(exception_text(ValueError("x" * 10**7))) == 1000


@pytest.mark.parametrize(
    ("seconds", "timespec", "text"),
    [
        (None, "seconds", "-"),
        (1764457809.9, "seconds", "2025-11-29 23:10:09 UTC"),
        (1764457809.5, "microseconds", "2025-11-29 23:10:09.500000 UTC"),
        (1e300, "seconds", "1e+300 s"),
        (float("nan"), "seconds", "nan s"),
    ],
)
def test_a_moment_is_a_date_and_a_number_that_is_none_stays_a_number(
    seconds: float | None, timespec: str, text: str
) -> None:
    assert moment_text(seconds, timespec) == text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(36, "File name too long", "x.yml"), "x.yml: File name too long"),
        (OSError(24, "Too many open files"), "Too many open files"),
        (OSError("timed out"), "timed out"),
    ],
)
def test_a_failure_of_the_machine_has_no_number(error: OSError, text: str) -> None:
    assert failure_text(error) == text


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a":' * 100_000])
def test_what_is_no_json_or_nested_too_deeply_is_one_kind_of_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - one of two texts
        json_value(text)


@pytest.mark.parametrize("text", ["0", "-1", "+2.5", ".5", "1e9", "inf"])
def test_a_plain_number_is_returned(text: str) -> None:
    assert plain_number(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1_0", "not a number: write it without separators, with a decimal point"),
        ("١٢", "not a number: only the digits 0 to 9 count"),
        ("nan", "not a number"),
        ("", "not a number"),
        ("9" * 200_000 + "x", "not a number"),  # at once: it took minutes
    ],
)
def test_what_is_a_number_for_python_alone_is_none(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}$"):
        plain_number(text)
