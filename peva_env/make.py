"""The composition root: builds environments from plain data. The registered ids point here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peva_env.config import load_config, parse_config
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError
from peva_env.live_campaigns import LiveCampaigns

SAMPLE_CONFIG = Path(__file__).with_name("sample.yml")
"""The quick start: what runs where no configuration is given, and what ``peva-env init`` writes."""


def make_live_env(
    config: Mapping[str, Any] | None = None,
    *,
    config_path: str | None = None,
    budget_runs: int | None = None,
    budget_seconds: float | None = None,
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

    Raises:
        ConfigError: the configuration or a budget cannot be used.
    """
    if config is not None and config_path is not None:
        raise ConfigError("give either config or config_path, not both")
    for name, value in (("budget_runs", budget_runs), ("budget_seconds", budget_seconds)):
        if value is not None and not value > 0:  # NaN is not either
            raise ConfigError(f"{name} = {value}: must be more than 0")
    parsed = load_config(config_path or SAMPLE_CONFIG) if config is None else parse_config(config)
    return PevaEnv(LiveCampaigns(parsed, budget_runs=budget_runs, budget_seconds=budget_seconds))
