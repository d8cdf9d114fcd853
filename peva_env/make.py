"""The composition root: builds environments from plain data. The registered ids point here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peva_env.campaign import LiveCampaigns, replay_setup, require_positive, simulated_setup
from peva_env.config import load_config, parse_config
from peva_env.env import PevaEnv
from peva_env.errors import ConfigError
from peva_env.objectives import make_objective
from peva_env.vector import PevaVectorEnv

SAMPLE_CONFIG = Path(__file__).with_name("config") / "sample.yml"
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


def make_sim_env(
    node: str | Mapping[str, Any] = "random",
    *,
    rates_rps: Mapping[str, Sequence[int]] | None = None,
    min_functions: int | None = None,
    max_functions: int | None = None,
    noise: float = 0.03,
    duration_s: float = 30.0,
    overload: Mapping[str, Any] | None = None,
    **settings: Any,
) -> PevaEnv:
    """Build ``peva/FaasSim-v0``: a simulated node. All arguments are plain data; nothing is written.

    Args:
        node: ``"random"``, a new node for each episode; ``"local"``, the local node of the quick start; or plain data
            of a node of your own, see ``peva_env.sources.simulated.node_spec``.
        rates_rps: rates of each function; without it functions ``a`` and ``b``, 0 to 200 step 10.
        min_functions: the smallest number of functions in a configuration; all of them unless given.
        max_functions: **exclusive** upper bound of that number; one more than there are functions unless given.
        noise: standard deviation of a run's slowness, as a share.
        duration_s: length of a run.
        overload: thresholds of the overload rules, as ``overload`` of ``DfaasConfig``.
        settings: what every offline environment takes:
            ``budget_runs`` (64), measurements that an episode may spend, None for no limit;
            ``budget_seconds`` (None), seconds of recorded or simulated machine time, likewise;
            ``max_steps`` (four times the runs), steps after which an episode is truncated, so that one which only asks
            for what is known ends;
            ``iterations`` (1), runs that a measurement takes: the majority decides, and it costs all of them;
            ``prior`` (None), recordings as for ``data`` of ``make_replay_env``: what the campaign's memory holds of
            other campaigns, for policies that learn from it; none of it counts as measured;
            ``dominance`` (``within_sets``), how verdicts are inferred, see ``peva_env.inference.grid``;
            ``reward`` (``frontier``) and ``reward_kwargs``, see ``peva_env.objectives``;
            ``selection_mode`` (``online``) and ``micro_batch_size`` (8), when an attached policy is updated.

    Raises:
        ConfigError: an argument cannot be used.
    """
    parts = simulated_setup(
        node,
        rates_rps=rates_rps,
        min_functions=min_functions,
        max_functions=max_functions,
        noise=noise,
        duration_s=duration_s,
        overload=overload,
        **settings,
    )
    return PevaEnv(parts.campaigns(), parts.objective)


def make_replay_env(
    data: str | Sequence[str] = "local-node-v1", *, scenarios: Sequence[str] | None = None, **settings: Any
) -> PevaEnv:
    """Build ``peva/FaasReplay-v0``: recorded measurements. All arguments are plain data; nothing is written.

    An episode is one recorded map (a scenario), drawn at reset; ``reset(options={"scenario": name})`` fixes which.
    ``info["n_unrecorded"]`` says how many configurations have no record; they are masked for ever.

    Args:
        data: a folder of core Parquet or several, as ``peva-env memory export --core`` writes them, or the name of a
            dataset that comes with the package (``peva_env.datasets``).
        scenarios: names of maps, or how their names begin; all without it.
        settings: see ``make_sim_env``.

    Raises:
        ConfigError: an argument cannot be used, or there is nothing to replay.
        MemoryStoreError: a file cannot be read, or is of another schema.
    """
    parts = replay_setup(data, scenarios=scenarios, **settings)
    return PevaEnv(parts.campaigns(), parts.objective)


def make_sim_vec(num_envs: int = 1, *, autoreset_mode: str = "NextStep", **arguments: Any) -> PevaVectorEnv:
    """Build ``num_envs`` of ``peva/FaasSim-v0`` side by side; the other arguments are those of ``make_sim_env``."""
    return PevaVectorEnv(num_envs, simulated_setup(**arguments), autoreset_mode)


def make_replay_vec(num_envs: int = 1, *, autoreset_mode: str = "NextStep", **arguments: Any) -> PevaVectorEnv:
    """Build ``num_envs`` of ``peva/FaasReplay-v0`` side by side; other arguments are those of ``make_replay_env``."""
    return PevaVectorEnv(num_envs, replay_setup(**arguments), autoreset_mode)
