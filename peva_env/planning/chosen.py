"""A configuration of a campaign, narrowed down to some configurations of its plan."""

from collections.abc import Sequence
from pathlib import Path

from peva_env.config import DfaasConfig
from peva_env.errors import ConfigError
from peva_env.planning.scouting import with_rates
from peva_env.space import Config

_UNUSED_RPS = 1
"""Rate of a function that none of the configurations has: the plan needs one, and the campaign offers it to nobody."""


def only_configurations(config: DfaasConfig, chosen: Sequence[Config], *, iterations: int, memory: Path) -> DfaasConfig:
    """Return a configuration that measures some configurations only, each until it has ``iterations`` valid runs.

    All else stays as it is, so that the runs have the same context. They are a campaign of their own: the end of the
    first one stays recorded as it was.

    Raises:
        ConfigError: the configuration lacks a function of them.
    """
    names = [function.name for function in config.functions]
    missing = sorted({name for one in chosen for name, _ in one}.difference(names))
    if missing:
        raise ConfigError(f"the configuration has no function {missing[0]!r}; it has: {', '.join(names)}")
    offered = {name: sorted({rate for one in chosen for other, rate in one if other == name}) for name in names}
    sizes = [len(one) for one in chosen]
    return with_rates(
        config,
        {name: rates or [_UNUSED_RPS] for name, rates in offered.items()},
        where="plan",
        combinations={"min_functions": min(sizes), "max_functions": max(sizes) + 1},
        configurations=[dict(one) for one in chosen],
        iterations=iterations,
        repeats="all",
        run_id=None,
        memory={**config.memory.model_dump(mode="json", exclude_unset=True), "db_path": str(memory)},
    )
