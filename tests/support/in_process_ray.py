"""A Ray without processes: actors are objects of this process, and a call has returned when it is made."""

import itertools
import socket
import weakref
from collections import Counter
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

_NEWS_WAIT_S = 0.05
"""An actor's ``news`` waits no longer, since nothing else goes on meanwhile."""


class InProcessRay:
    """What a driver of a fleet uses of Ray; ``n_calls`` counts the calls of each method of its actors.

    ``kind`` is the class of all actors, instead of the one that is asked for.
    """

    class exceptions:  # noqa: N801 - as in Ray
        class RayError(Exception): ...

        class RayTaskError(RayError):
            """As in Ray, ``cause`` is what a method of an actor has raised."""

            def __init__(self, cause: Exception) -> None:
                super().__init__(str(cause))
                self.cause = cause

        class ActorUnavailableError(RayError): ...

    def __init__(self, kind: type | None = None) -> None:
        self._kind = kind
        self._numbers, self._returned = itertools.count(), dict[int, Any]()
        self.n_calls = Counter[str]()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.head = f"127.0.0.1:{self._listening.getsockname()[1]}"
        weakref.finalize(self, self._listening.close)

    def lose_head(self) -> None:
        """Let nothing answer at the address of Ray's head."""
        self._listening.close()

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": "here", "Alive": True}]

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(get_node_id=lambda: "here", gcs_address=self.head)

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 1.0}

    def remote(self, kind: type) -> Any:
        return SimpleNamespace(
            options=lambda **_: SimpleNamespace(remote=lambda *args: _Actor(self, (self._kind or kind)(*args)))
        )

    def wait(self, waiting: Sequence[int], **_: Any) -> tuple[Sequence[int], Sequence[int]]:
        return waiting, []

    def get(self, reference: int) -> Any:
        returned = self._returned.pop(reference)
        if isinstance(returned, self.exceptions.RayError):
            raise returned
        return returned

    def call(self, method: Callable[..., Any], *args: Any) -> int:
        number = next(self._numbers)
        try:
            self._returned[number] = method(*args)
        except self.exceptions.RayError as error:
            self._returned[number] = error
        except Exception as error:  # noqa: BLE001 - Ray passes all on
            self._returned[number] = self.exceptions.RayTaskError(error)
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
