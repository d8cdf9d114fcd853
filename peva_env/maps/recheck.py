"""The result of a re-check: how much of an earlier map holds, and which of its verdicts have changed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from peva_env.contracts import Verdict
from peva_env.errors import ConfigError
from peva_env.inference import LABELS, OK_LABEL, OVERLOADED_LABEL, UNKNOWN_LABEL, EarlierMap, MonotoneMap
from peva_env.space import Config, ConfigKey, config_pairs


@dataclass(frozen=True, slots=True)
class Recheck:
    """What a re-check of an earlier map has found; ``n_runs`` are its valid k6 runs.

    ``n_configs`` is the number of configurations of the plan whose verdict the earlier map knows, ``n_certificate`` the
    number of those that prove it, ``n_agreed`` the number of these that are known again with their earlier verdict, and
    ``n_unproved`` the number of configurations whose verdict is not known again. ``lost`` and ``gained`` are measured
    configurations whose verdict has changed for certain; ``unsure`` those that differ, but not by more than chance.
    ``lost_share`` is the share of all that was OK that is overloaded now, 0..1; what is not known again counts as not
    lost, unless it is in ``lost``.
    ``is_finished`` is false if the budget ended before the certificate was measured, or a change was searched.
    """

    n_configs: int
    n_certificate: int
    n_agreed: int
    n_unproved: int
    n_runs: int
    lost: tuple[Config, ...]
    gained: tuple[Config, ...]
    unsure: tuple[Config, ...]
    lost_share: float
    is_finished: bool

    @property
    def has_changed(self) -> bool:
        """Whether a verdict has changed for certain."""
        return bool(self.lost or self.gained)


def recheck_of(
    earlier: EarlierMap,
    known: MonotoneMap,
    *,
    certain: Mapping[ConfigKey, Verdict],
    unsure: Collection[ConfigKey],
    n_runs: int,
    is_finished: bool = True,
) -> Recheck:
    """Return the result of a re-check.

    Args:
        earlier: the earlier map.
        known: the map of the re-check, of the same plan.
        certain: the verdicts that have changed for certain.
        unsure: the configurations that differ, but not by more than chance.
        n_runs: the runs of the re-check.
        is_finished: whether the budget sufficed.

    Raises:
        ConfigError: the plan is too large to list.
    """
    if known.labels is None:
        raise ConfigError(f"{known.space.n_configs:,} configurations are too many to list")
    was_known = earlier.labels != UNKNOWN_LABEL
    now = known.labels.copy()
    now[[known.space.index(config_pairs(key)) for key in certain]] = [LABELS[verdict] for verdict in certain.values()]
    was_ok = earlier.labels == OK_LABEL
    certificate = [*earlier.overloaded, *earlier.ok]
    return Recheck(
        n_configs=int(np.count_nonzero(was_known)),
        n_certificate=len(certificate),
        n_agreed=sum(known.verdict(config) is earlier.verdict(config) for config in certificate),
        n_unproved=int(np.count_nonzero(was_known & (known.labels == UNKNOWN_LABEL))),
        n_runs=n_runs,
        lost=tuple(config_pairs(key) for key, verdict in certain.items() if verdict is Verdict.OVERLOADED),
        gained=tuple(config_pairs(key) for key, verdict in certain.items() if verdict is Verdict.OK),
        unsure=tuple(map(config_pairs, unsure)),
        lost_share=int(np.count_nonzero(was_ok & (now == OVERLOADED_LABEL))) / max(1, int(np.count_nonzero(was_ok))),
        is_finished=is_finished,
    )
