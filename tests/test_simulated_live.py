"""The simulated local node against the real one: real k6, the shipped function, runs of a second."""

import numpy as np
import pytest

pytest.importorskip("functions_framework")

from peva_env.config import CooldownConfig, OverloadConfig, parse_config
from peva_env.platforms.cooldown import Cooldown
from peva_env.platforms.local import LocalNode
from peva_env.sources.k6 import K6
from peva_env.sources.live import LiveSource
from peva_env.sources.simulated import SimulatedWorld

pytestmark = pytest.mark.live

RATES_RPS = range(10, 201, 10)
ANY = np.random.default_rng(0)


def test_the_simulated_fetch_is_overloaded_where_the_real_one_is() -> None:
    config = parse_config({"functions": [{"name": "fetch"}]})
    simulated = SimulatedWorld({"fetch": RATES_RPS}, "local", noise=0).source(0)
    with LocalNode(config.functions) as node:
        live = LiveSource(
            platform=node,
            generator=K6(timeout_s=5),
            cooldown=Cooldown(node, CooldownConfig(max_wait_seconds=20, sleep_step_seconds=0.2)),
            functions={one.name: one for one in config.functions},
            duration_s=1,
            rules=OverloadConfig(),
            context_hash="",
        )
        events = [live.measure([("fetch", rate)], iteration=0, rng=ANY) for rate in RATES_RPS]
    differ = [event for event in events if event.verdict is not simulated.true_verdict(event.config_pairs)]
    assert len(differ) <= 0.05 * len(events), differ
