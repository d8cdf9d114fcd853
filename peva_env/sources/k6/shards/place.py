"""The seam between the shards of a run and where they are sent from: processes of this machine, or other machines."""

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Protocol


class Place(Protocol):
    """Where the generators are; each is a ``Worker``, whose methods are called from here."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the generators in messages, in order."""
        ...

    def renew(self) -> bool:
        """Replace generators that were lost, and return whether any is new; called before each run.

        Raises:
            LoadGeneratorError: there is no other.
        """
        ...

    def call(self, index: int, method: str, *arguments: Any) -> Future[Any]:
        """Call a method of a generator; calls of one generator may overlap.

        The future raises ``LoadGeneratorError`` if the generator is lost.
        """
        ...

    def close(self) -> None:
        """End all generators; may be called twice."""
        ...
