"""Raylets for the tests of a file."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.fleets import RAYLETS
from tests.support.raylets import raylets


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with raylets(*RAYLETS) as running:
        yield running
