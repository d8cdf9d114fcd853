"""What opens campaigns: it owns a node and its memory, or a world of episodes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from peva_env.campaign.campaign import Campaign
from peva_env.errors import ConfigError
from peva_env.space import ConfigSpace


class CampaignHost(Protocol):
    """Opens an environment's campaigns, one after the other; it owns what they need."""

    @property
    def space(self) -> ConfigSpace:
        """The configurations of the campaign that was opened last; all its campaigns have spaces of one shape."""
        ...

    @property
    def paths(self) -> list[Path]:
        """The files written so far."""
        ...

    def check(self, options: Mapping[str, Any]) -> None:
        """Accept the options of ``open``; nothing is begun."""
        ...

    def open(self, options: Mapping[str, Any], seed: int) -> Campaign:
        """Begin a campaign; ``seed``, 64 bits, is where its chance comes from, if it is not the node's own."""
        ...

    def config_data(self) -> dict[str, Any]:
        """Return the configuration as plain data."""
        ...

    def close(self) -> None:
        """Release everything; may be called twice."""
        ...


def require_options(options: Mapping[str, Any], *known: str) -> None:
    """Accept known options of ``reset``.

    Raises:
        ConfigError: they are no mapping, or one of them is unknown.
    """
    if not isinstance(options, Mapping):
        raise ConfigError(f"reset options must be a mapping, such as {{{known[0]!r}: ...}}; got {options!r}")
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ConfigError(f"unknown reset option {unknown[0]!r}; here there is {' and '.join(known)}")
