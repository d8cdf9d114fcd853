"""The composition root: builds environments from plain data. The registered ids point here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peva_env.campaign import require_positive
from peva_env.config import load_config, parse_config
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError
from peva_env.live_campaigns import LiveCampaigns
from peva_env.objectives import make_objective

SAMPLE_CONFIG = Path(__file__).with_name("sample.yml")
"""The quick start: what runs where no configuration is given, and what ``peva-env init`` writes."""


def make_live_env(
    config: Mapping[str, Any] | None = None,
    *,
    config_path: str | None = None,
    budget_runs: int | None = None,
    budget_seconds: float | None = None,
    reward: str = "frontier",
    reward_kwargs: Mapping[str, Any] | None = None,
) -> PevaEnv:
    """Build ``peva/FaasLive-v0``: k6 against a node, with memory and artifacts. All arguments are plain data.

    Nothing is started, opened or written before ``reset``. Its options: ``{"warm_start": True}`` goes on with the last
    repetition that the memory holds of this context, ``{"repetition": N}`` with repetition N; without options a new
    repetition begins, in which nothing is known.

    Args:
        config: keys of ``DfaasConfig``.
        config_path: a YAML or JSON file instead; without either the quick start (``sample.yml``).
        budget_runs: k6 runs that an episode may spend.
        budget_seconds: seconds of machine time (cooldown plus run) that an episode may spend.
        reward: what the agent is paid for; see ``peva_env.objectives``.
        reward_kwargs: arguments of the reward.

    Raises:
        ConfigError: the configuration, a budget or the reward cannot be used.
    """
    if config is not None and config_path is not None:
        raise ConfigError("give either config or config_path, not both")
    require_positive("budget_runs", budget_runs)
    require_positive("budget_seconds", budget_seconds)
    parsed = load_config(config_path or SAMPLE_CONFIG) if config is None else parse_config(config)
    host = LiveCampaigns(parsed, budget_runs=budget_runs, budget_seconds=budget_seconds)
    return PevaEnv(host, make_objective(reward, reward_kwargs or {}, host.space))
