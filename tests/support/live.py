"""Single measurements of the real k6 on the local node, without a campaign around them."""

import numpy as np

from peva_env.config import CooldownConfig, FunctionConfig, OverloadConfig
from peva_env.contracts import ExecutionEvent
from peva_env.platforms import Cooldown
from peva_env.platforms.local import LocalNode
from peva_env.sources import LiveSource
from peva_env.sources.k6 import K6

_PATIENT = CooldownConfig(max_wait_seconds=60, sleep_step_seconds=0.2)


def live_source(node: LocalNode, name: str, generator: K6, duration_s: float) -> LiveSource:
    """Return the source that measures one function of a node."""
    return LiveSource(
        platform=node,
        generator=generator,
        cooldown=Cooldown(node, _PATIENT),
        functions={name: FunctionConfig(name=name)},
        duration_s=duration_s,
        rules=OverloadConfig(),
        context_hash="",
    )


def measured(node: LocalNode, name: str, rate_rps: int, generator: K6, *, duration_s: float) -> ExecutionEvent:
    """Run k6 once on one function of a node."""
    source = live_source(node, name, generator, duration_s)
    return source.measure([(name, rate_rps)], iteration=0, rng=np.random.default_rng(0))
