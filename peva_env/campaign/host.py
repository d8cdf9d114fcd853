"""The host of an environment's campaigns: the owner of a node and its memory, or of a world of episodes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from peva_env.campaign.campaign import Campaign
from peva_env.errors import ConfigError
from peva_env.space import ConfigSpace


class CampaignHost(Protocol):
    """Opens an environment's campaigns, one after the other, and owns the resources that outlive a campaign."""

    @property
    def space(self) -> ConfigSpace:
        """The configurations of the latest campaign; the spaces of all campaigns have one shape."""
        ...

    @property
    def paths(self) -> list[Path]:
        """The files written so far."""
        ...

    def check(self, options: Mapping[str, Any]) -> None:
        """Check the options of ``open``; no campaign begins."""
        ...

    def open(self, options: Mapping[str, Any], seed: int) -> Campaign:
        """Begin a campaign. The 64-bit ``seed`` decides all random draws, except those of a live node."""
        ...

    def config_data(self) -> dict[str, Any]:
        """Return the configuration as plain data."""
        ...

    def close(self) -> None:
        """Release everything; may be called twice."""
        ...


def require_options(options: Mapping[str, Any], *known: str) -> None:
    """Check that all options of ``reset`` are known.

    Raises:
        ConfigError: ``options`` is not a mapping, or an option is unknown.
    """
    if not isinstance(options, Mapping):
        raise ConfigError(f"reset options must be a mapping, such as {{{known[0]!r}: ...}}; got {options!r}")
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ConfigError(f"unknown reset option {unknown[0]!r}; known: {', '.join(known)}")
