"""What an earlier map says of the configurations of a plan, and which of them would prove it again.

Notation: ``N`` configurations of the plan, in plan order.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from peva_env.contracts import Verdict
from peva_env.errors import ConfigError
from peva_env.inference.grid import OK_LABEL, OVERLOADED_LABEL, RateGrid
from peva_env.inference.monotone_map import MonotoneMap
from peva_env.space import Config, ConfigKey, ConfigSpace, Dominance, config_key, config_pairs


class EarlierMap:
    """The verdicts that earlier measurements imply in a plan, whether the plan has the measured rates or not.

    ``labels`` (N,) are these verdicts, 0 where nothing follows. ``overloaded`` and ``ok`` are their certificate in the
    plan: the lowest overloaded and the highest OK configurations, which prove all other labels. Contradicted
    measurements imply nothing, as in every map.

    Args:
        measured: the earlier verdicts; those with a function that the plan does not have are left out.
        space: the plan.
        dominance: how verdicts are inferred; ``one_sided`` would leave most of the plan unproved.

    Raises:
        ConfigError: no earlier measurement says anything of the plan, or the plan and the measurements have too many
            rates to list.
    """

    def __init__(self, measured: Mapping[ConfigKey, Verdict], space: ConfigSpace, dominance: Dominance) -> None:
        usable = {key: verdict for key, verdict in measured.items() if set(space.functions).issuperset(key[0])}
        if not usable:
            there = ", ".join(sorted({name for names, _ in measured for name in names})) or "none"
            raise ConfigError(
                f"the earlier map has no configuration of {', '.join(space.functions)} alone; its functions: {there}"
            )
        self.space = space
        self._known = _known(usable, space, dominance)
        self.labels = self._labels(space)
        if not self.labels.any():
            raise ConfigError("nothing that was measured earlier says anything of this plan: its rates are others")
        grid = RateGrid(space)
        self.overloaded, self.ok = (
            [space.config(int(i)) for i in grid.extremes((self.labels == label).nonzero()[0], label, dominance)]
            for label in (OVERLOADED_LABEL, OK_LABEL)
        )

    @property
    def n_certificate(self) -> int:
        """The size of the certificate: the least number of runs that any sound method needs to prove the map again."""
        return len(self.overloaded) + len(self.ok)

    def verdict(self, config: Config) -> Verdict | None:
        """Return the earlier verdict of a configuration of the plan, measured or inferred, or None."""
        return self._known.verdict(config)

    def basis(self, config: Config) -> Config | None:
        """Return a measured configuration from which the earlier verdict of a configuration follows, or None.

        Its margins bound those of the configuration: an OK one bears at least as little, an overloaded one as much.
        """
        if self._known.verdict(config) is None:
            return None
        if config_key(config) in self._known.measured:
            return config
        evidence = self._known.evidence(config)
        return evidence[0] if evidence else None

    def _labels(self, space: ConfigSpace) -> NDArray[np.int8]:
        labels = self._known.labels
        assert labels is not None  # noqa: S101 - see _known
        wide = self._known.space
        return labels[np.fromiter((wide.index(config) for config in space), np.int64, space.n_configs)]


def _known(measured: Mapping[ConfigKey, Verdict], space: ConfigSpace, dominance: Dominance) -> MonotoneMap:
    """Return the map of the measurements in a space that has the configurations of the plan as well."""
    rates = {name: set(own) for name, own in zip(space.functions, space.rates_rps, strict=True)}
    for name, rate in (pair for key in measured for pair in config_pairs(key)):
        rates[name].add(rate)
    sizes = [len(names) for names, _ in measured]
    wide = ConfigSpace(
        rates,
        min_functions=min(space.min_functions, *sizes),
        max_functions=max(space.max_functions, *(size + 1 for size in sizes)),
    )
    if not wide.is_dense:
        raise ConfigError(f"the plan and the earlier map span {wide.n_configs:,} configurations, too many to list")
    known = MonotoneMap(wide, dominance=dominance)
    known.update_all(measured)
    return known
