"""The largest multiple of a mix that is safe: how far a wanted proportion of functions can be scaled up."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from peva_env.errors import ConfigError
from peva_env.maps.limits.safe_region import SafeRegion, rates_of
from peva_env.space import Config

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class MixLimit:
    """How often a mix of functions can be had at once.

    ``mix`` has the rate of each function, or its share: ``multiple`` times the mix is proved OK, by the measured
    configuration ``proved_by``, and ``overloaded_multiple`` times the mix is proved overloaded, by ``overloaded_by``.
    Each is None where nothing is proved. ``rates_rps`` are the rates at ``multiple``, rounded down to whole requests/s.
    """

    mix: Mapping[str, float]
    multiple: float | None
    rates_rps: Mapping[str, int]
    proved_by: Config | None
    overloaded_multiple: float | None
    overloaded_by: Config | None


def largest_multiple(region: SafeRegion, mix: Mapping[str, float]) -> MixLimit:
    """Return the largest safe multiple of a mix, and the smallest that is proved overloaded.

    Raises:
        ConfigError: a function is not on the map, or a rate or share is not a positive number.
    """
    require_positive("mix", mix, region.functions)
    ok, overloaded = region.ok_for(mix), region.overloaded_for(mix)
    wanted = list(mix.values())
    safe = (rates_of(ok, mix) / wanted).min(axis=1)
    broken = (rates_of(overloaded, mix) / wanted).max(axis=1)
    best = int(safe.argmax()) if ok and safe.max() > 0 else None
    worst = int(broken.argmin()) if overloaded else None
    multiple = None if best is None else float(safe[best])
    return MixLimit(
        mix=dict(mix),
        multiple=multiple,
        rates_rps={name: math.floor((multiple or 0) * share + _ROUNDING) for name, share in mix.items()},
        proved_by=None if best is None else ok[best],
        overloaded_multiple=None if worst is None else float(broken[worst]),
        overloaded_by=None if worst is None else overloaded[worst],
    )


def require_positive(what: str, numbers: Mapping[str, float], functions: tuple[str, ...]) -> None:
    """Check numbers that belong to functions.

    Raises:
        ConfigError: there is none, a function is not on the map, or a number is not positive and finite.
    """
    if not numbers:
        raise ConfigError(f"{what}: name at least one function, such as {functions[0]}=1")
    for name, number in numbers.items():
        if name not in functions:
            raise ConfigError(f"{what}: there is no function {name!r} on this map; there are: {', '.join(functions)}")
        if not 0 < number < math.inf:
            raise ConfigError(f"{what}: {name}={number:g} must be a number above 0")
