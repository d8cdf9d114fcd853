"""The contract of a node under test.

For a platform of your own, in a test file (pytest collects classes whose names begin with ``Test``)::

    from peva_env.testing import PlatformContract

    class TestMyPlatform(PlatformContract):
        functions = ("figlet", "env")

        def make(self):
            return MyPlatform(self.functions)

The suite leaves unchecked: whether the measured use is right, whether ``describe`` changes when the node does, what the
platform does under load, and whether ``failure`` names a function that dies during a campaign. Addresses with https
must have a certificate that the machine trusts.
"""

# ruff: noqa: S101

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import urlsplit

from peva_env.errors import PlatformError
from peva_env.platforms import NodeUsage, Platform
from peva_env.system import HttpClient

_ABSENT = "no-such-function"
_NOT_ALLOWED = HTTPStatus.METHOD_NOT_ALLOWED
_TIMEOUT_S = 30.0


class PlatformContract:
    """The behaviour of a ``Platform``: override ``functions`` and ``make``, if possible also ``make_broken``."""

    functions: Sequence[str] = ()
    """Names of functions that the platform serves, and that answer a GET or a POST without a body with success."""

    def make(self) -> Platform:
        """Return a new platform of the same node each time; not started."""
        raise NotImplementedError

    def make_broken(self) -> Platform | None:
        """Return a platform that cannot start, None to skip the test of it."""
        return None

    @contextmanager
    def _started(self) -> Iterator[Platform]:
        platform = self.make()
        try:
            platform.start()
            yield platform
        finally:
            platform.stop()

    def test_it_is_a_platform_with_a_name_of_one_line(self) -> None:
        platform = self.make()
        with self._started() as started:
            assert isinstance(started, Platform)
            assert started.name == platform.name
        assert platform.name.strip()
        assert platform.name.isprintable()

    def test_after_start_every_function_answers_at_its_address(self) -> None:
        assert self.functions, "override functions"
        with self._started() as platform:
            for function in self.functions:
                url = platform.url(function)
                assert urlsplit(url).scheme in ("http", "https")
                assert platform.url(function) == url
                assert 200 <= _status(url) < 300
            assert platform.failure() is None

    def test_the_address_of_an_unknown_function_is_an_error_that_names_it(self) -> None:
        with self._started() as platform:
            message = _refusal(lambda: platform.url(_ABSENT))
        assert _ABSENT in message
        assert all(function in message for function in self.functions)

    def test_it_may_be_stopped_twice_and_without_start(self) -> None:
        platform = self.make()
        platform.stop()
        platform.start()
        platform.stop()
        platform.stop()

    def test_it_may_be_started_again(self) -> None:
        platform = self.make()
        try:
            for _ in range(2):
                platform.start()
                assert platform.failure() is None
                platform.stop()
        finally:
            platform.stop()

    def test_the_description_is_plain_data_and_the_same_for_the_same_node(self) -> None:
        with self._started() as platform:
            described = json.loads(json.dumps(platform.describe(), allow_nan=False))
            assert described
            assert json.loads(json.dumps(platform.describe())) == described
        with self._started() as other:
            assert json.loads(json.dumps(other.describe())) == described

    def test_the_use_of_the_shortest_window_is_measured_when_it_has_passed(self) -> None:
        with self._started() as platform:
            min_window_s = platform.min_window_s
            assert 0 < min_window_s < math.inf
            start_at = time.time()
            end_at = start_at + min_window_s
            usage = platform.usage(start_at, end_at)
            assert time.time() >= end_at
            _check(usage, self.functions)

    def test_a_platform_that_cannot_start_says_why_and_can_be_stopped(self) -> None:
        platform = self.make_broken()
        if platform is None:
            return
        try:
            _refusal(platform.start)
        finally:
            platform.stop()


def _check(usage: NodeUsage, functions: Sequence[str]) -> None:
    assert set(usage.functions) <= set(functions)
    assert all(line.strip() and "\n" not in line for line in usage.missing)
    for used in (usage.node, *usage.functions.values()):
        figures = (used.cpu_pct, used.ram_bytes, used.ram_pct, used.power_uw, used.replicas)
        assert all(math.isfinite(figure) and figure >= 0 for figure in figures if figure is not None)
    assert all(pct <= 100 for pct in (usage.node.cpu_pct, usage.node.ram_pct) if pct is not None)
    if usage.node.cpu_pct is None or usage.node.ram_pct is None:
        assert usage.missing


def _status(url: str) -> int:
    """Return the status of a GET, or of a POST where GET is not allowed."""
    client = HttpClient(url)
    status = client.request("", timeout_s=_TIMEOUT_S).status
    return client.request("", method="POST", timeout_s=_TIMEOUT_S).status if status == _NOT_ALLOWED else status


def _refusal(act: Callable[[], object]) -> str:
    """Return the one line of the ``PlatformError`` that is raised."""
    try:
        act()
    except PlatformError as error:
        message = str(error)
        assert message
        assert "\n" not in message
        return message
    raise AssertionError("no PlatformError was raised")
