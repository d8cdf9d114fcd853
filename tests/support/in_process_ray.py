"""A Ray without processes: actors are objects of this process, and a call has returned when it is made."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

_NEWS_WAIT_S = 0.05
"""An actor's ``news`` waits no longer, since nothing else goes on meanwhile."""


class InProcessRay:
    """What a driver of a fleet uses of Ray; ``n_calls`` counts the calls of each method of its actors."""

    class exceptions(SimpleNamespace):  # noqa: N801 - as in Ray
        RayTaskError = type("RayTaskError", (Exception,), {})
        RayError = type("RayError", (Exception,), {})
        ActorUnavailableError = type("ActorUnavailableError", (Exception,), {})

    def __init__(self) -> None:
        self._numbers, self._returned = itertools.count(), dict[int, Any]()
        self.n_calls = Counter[str]()

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 1.0}

    def remote(self, kind: type) -> Any:
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda *args: _Actor(self, kind(*args))))

    def wait(self, waiting: Sequence[int], **_: Any) -> tuple[Sequence[int], Sequence[int]]:
        return waiting, []

    def get(self, reference: int) -> Any:
        return self._returned.pop(reference)

    def call(self, method: Callable[..., Any], *args: Any) -> int:
        number = next(self._numbers)
        self._returned[number] = method(*args)
        return number


class _Actor:
    def __init__(self, ray: InProcessRay, made: Any) -> None:
        self._ray, self._made = ray, made

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._made, name)
        self._ray.n_calls[name] += 1
        if name == "news":
            return SimpleNamespace(
                remote=lambda after, version, _, *leave: self._ray.call(method, after, version, _NEWS_WAIT_S, *leave)
            )
        return SimpleNamespace(remote=lambda *args: self._ray.call(method, *args))
