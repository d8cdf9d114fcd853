"""The composition root: builds environments from plain data. The registered env ids refer to these functions.

A single environment is a ``PevaEnv``, or with ``view="candidates"`` a ``CandidateView`` of one.

Version history of the ids ``peva/FaasLive``, ``peva/FaasSim`` and ``peva/FaasReplay``:

- ``-v1``: a no-op is charged as much as a run, and an episode that ends with unknown configurations is charged the rest
  of its budget, so that nothing pays more than measuring (``peva_env.objectives``). Rewards ``early``, ``seconds`` and
  ``right``; a reward of one's own is asked about each step, not about runs alone.
- ``-v0``: a no-op cost 0.001 and unspent budget nothing, so that an agent could stop measuring, stall until the last
  step, and have a higher return than one that went on. Still registered: it has its old rewards, spaces and infos.

An id passes its version as the argument ``version``. A spec or dataset that was stored by ``-v0`` names these functions
without it, which is why its default is 0.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode

from peva_env.actions import ExtraActions
from peva_env.campaign import LiveCampaigns, OfflineSetup, replay_setup, require_positive, simulated_setup
from peva_env.config import load_config, parse_config
from peva_env.env import PevaEnv, Renderer
from peva_env.errors import ConfigError
from peva_env.objectives import make_objective
from peva_env.observation import Extras
from peva_env.vector import PevaVectorEnv
from peva_env.views import CANDIDATES, MAP, candidates_of, require_supported
from peva_env.wrappers import CandidateView

SAMPLE_CONFIG = Path(__file__).with_name("config") / "sample.yml"
"""The quick start: the default configuration, which ``peva-env init`` writes."""

_SAME_STEP_SINCE = (1, 4)
"""The Gymnasium version since which episode statistics are right in SameStep mode; in 1.2 and 1.3 they were wrong in
120 of 128 episodes."""


def make_live_env(
    config: Mapping[str, Any] | None = None,
    *,
    config_path: str | None = None,
    budget_runs: int | None = None,
    budget_seconds: float | None = None,
    reward: str = "frontier",
    reward_kwargs: Mapping[str, Any] | None = None,
    stop: bool = False,
    measure_again: bool = False,
    coordinates: bool = False,
    last_runs: int = 0,
    mean_latency: bool = False,
    view: str = MAP,
    k: int | None = None,
    render_mode: str | None = None,
    version: int = 0,
) -> Any:
    """Build ``peva/FaasLive-v1``: k6 against a node, with memory and artifacts. All arguments are plain data.

    Nothing is started, opened or written before ``reset``. Its options: ``{"warm_start": True}`` continues the last
    repetition of this context in the memory, ``{"repetition": N}`` continues repetition N. Without options a new
    repetition begins, in which nothing is known.

    Args:
        config: keys of ``DfaasConfig``.
        config_path: a YAML or JSON file, instead of ``config``; without both, the quick start (``sample.yml``).
        budget_runs: k6 runs that an episode may spend.
        budget_seconds: seconds of machine time (cooldown plus run) that an episode may spend.
        reward: name of the reward; see ``peva_env.objectives``.
        reward_kwargs: arguments of the reward.
        stop: whether there is an action that ends the episode.
        measure_again: whether a known configuration can be measured again.
        coordinates: whether an observation shows the rates of all configurations; see ``peva_env.observation``.
        last_runs: how many of the last runs an observation shows.
        mean_latency: whether an observation shows the mean latency of each function in the last run.
        view: what the agent sees: ``map``, or ``candidates``, see ``peva_env.wrappers.CandidateView``.
        k: number of candidates of the view, 64 by default.
        render_mode: what ``render`` returns: ``ansi``, the map as text; ``rgb_array``, the map as pixels; None.
        version: of the id, which sets it; see the version history above.

    Raises:
        ConfigError: the configuration, a budget, the reward or the view is invalid.
    """
    if config is not None and config_path is not None:
        raise ConfigError("give either config or config_path, not both")
    require_positive("budget_runs", budget_runs)
    require_positive("budget_seconds", budget_seconds)
    if reward == "right":
        raise ConfigError("reward = 'right': needs the truth, which nobody knows of a live node; simulate or replay")
    parsed = load_config(config_path or SAMPLE_CONFIG) if config is None else parse_config(config)
    host = LiveCampaigns(parsed, budget_runs=budget_runs, budget_seconds=budget_seconds)
    objective = make_objective(reward, reward_kwargs or {}, host.space, budget_seconds=budget_seconds, version=version)
    require_positive("last_runs", last_runs or None)
    actions, extras = ExtraActions(stop, measure_again), Extras(coordinates, last_runs, mean_latency)
    return _viewed(PevaEnv(host, objective, actions, extras, _renderer(render_mode)), view, k, actions, extras)


def make_sim_env(
    node: str | Mapping[str, Any] = "random",
    *,
    rates_rps: Mapping[str, Sequence[int]] | None = None,
    min_functions: int | None = None,
    max_functions: int | None = None,
    noise: float = 0.03,
    duration_s: float = 30.0,
    refine: str | None = None,
    view: str = MAP,
    k: int | None = None,
    render_mode: str | None = None,
    version: int = 0,
    **settings: Any,
) -> Any:
    """Build ``peva/FaasSim-v1``: a simulated node. All arguments are plain data; nothing is written.

    Args:
        node: ``"random"``, a new node for each episode; ``"local"``, the local node of the quick start; or your own
            node: plain data, see ``peva_env.sources.simulated.node_spec``, or the path of a ``.json`` file of it.
        rates_rps: rates of each function; by default functions ``a`` and ``b``, 0 to 200 step 10.
        min_functions: the smallest number of functions in a configuration; all of them unless given.
        max_functions: **exclusive** upper bound of that number; by default one more than the number of functions.
        noise: standard deviation of a run's relative slowness.
        duration_s: length of a run.
        refine: how exactly each limit is measured once the map of ``rates_rps`` is complete, such as ``"5%"``: the
            space has finer rates, which count when a limit needs them; see ``peva_env.planning.refining``.
        view: what the agent sees: ``map``, or ``candidates``, see ``peva_env.wrappers.CandidateView``.
        k: number of candidates of the view, 64 by default.
        render_mode: what ``render`` returns: ``ansi``, the map as text; ``rgb_array``, the map as pixels; None.
        version: of the id, which sets it; see the version history above.
        settings: the arguments of every offline environment:
            ``budget_runs`` (64), measurements that an episode may spend, None for no limit;
            ``budget_seconds`` (None), the same for seconds of recorded or simulated machine time;
            ``max_steps`` (four times the runs), steps after which an episode is truncated, so that an
            episode of no-op steps ends;
            ``iterations`` (1), runs of a measurement: the majority decides the verdict, and the cost is the sum;
            ``prior`` (None), recordings of other campaigns, given like ``data`` of ``make_replay_env``: training data
            for policies; their configurations do not count as measured;
            ``dominance`` (``within_sets``), how verdicts are inferred, see ``peva_env.inference.grid``;
            ``reward`` (``frontier``) and ``reward_kwargs``, see ``peva_env.objectives``;
            ``stop`` (False), whether there is an action that ends the episode;
            ``measure_again`` (False), whether a known configuration can be measured again: the majority of its
            measurements decides;
            ``coordinates`` (False), whether an observation shows the rates of all configurations, ``last_runs`` (0),
            how many of the last runs it shows, and ``mean_latency`` (False), whether it shows the mean latency of each
            function in the last run: see ``peva_env.observation``;
            ``overload`` (None), the user's objective: keys of ``overload`` of ``DfaasConfig`` that differ from the
            defaults, or in a replay from the rules of the recorded campaign. A list of them makes each objective a
            scenario, ``SCENARIO@p95_ms_max=200``: one node or recording, many objectives;
            ``selection_mode`` (``online``) and ``micro_batch_size`` (8), when an attached policy is updated.

    Raises:
        ConfigError: an argument is invalid.
    """
    setup = simulated_setup(
        node,
        rates_rps=rates_rps,
        min_functions=min_functions,
        max_functions=max_functions,
        noise=noise,
        duration_s=duration_s,
        refine=refine,
        version=version,
        **settings,
    )
    return _single(setup, view, k, render_mode)


def make_replay_env(
    data: str | Sequence[str] = "local-node-v1",
    *,
    scenarios: Sequence[str] | None = None,
    view: str = MAP,
    k: int | None = None,
    render_mode: str | None = None,
    version: int = 0,
    **settings: Any,
) -> Any:
    """Build ``peva/FaasReplay-v1``: recorded measurements. All arguments are plain data; nothing is written.

    An episode is one recorded map (a scenario), drawn at reset; ``reset(options={"scenario": name})`` fixes which.
    ``info["n_unrecorded"]`` is the number of configurations without a record, which are always masked.

    Args:
        data: one or more folders of core Parquet, as ``peva-env memory export --core`` writes them, or the name of a
            shipped dataset (``peva_env.datasets``).
        scenarios: names of maps, or prefixes of names; by default all maps.
        view: see ``make_sim_env``.
        k: see ``make_sim_env``.
        render_mode: see ``make_sim_env``.
        version: of the id, which sets it; see the version history above.
        settings: see ``make_sim_env``.

    Raises:
        ConfigError: an argument is invalid, or the recordings hold nothing to replay.
        MemoryStoreError: a file cannot be read, or has another schema.
    """
    setup = replay_setup(data, scenarios=scenarios, version=version, **settings)
    return _single(setup, view, k, render_mode)


def make_sim_vec(
    num_envs: int = 1,
    *,
    autoreset_mode: str = "NextStep",
    view: str = MAP,
    k: int | None = None,
    version: int = 0,
    **arguments: Any,
) -> PevaVectorEnv:
    """Build ``num_envs`` of ``peva/FaasSim-v1`` side by side; the other arguments are those of ``make_sim_env``."""
    return _vector_env(num_envs, simulated_setup(version=version, **arguments), autoreset_mode, view, k)


def make_replay_vec(
    num_envs: int = 1,
    *,
    autoreset_mode: str = "NextStep",
    view: str = MAP,
    k: int | None = None,
    version: int = 0,
    **arguments: Any,
) -> PevaVectorEnv:
    """Build ``num_envs`` of ``peva/FaasReplay-v1`` side by side; other arguments are those of ``make_replay_env``."""
    return _vector_env(num_envs, replay_setup(version=version, **arguments), autoreset_mode, view, k)


def _single(setup: OfflineSetup, view: str, k: int | None, render_mode: str | None) -> Any:
    actions, extras = setup.settings.actions, setup.settings.extras
    env = PevaEnv(setup.campaigns(), setup.objective, actions, extras, _renderer(render_mode))
    return _viewed(env, view, k, actions, extras)


def _renderer(mode: str | None) -> Renderer | None:
    """Return the renderer of a mode; matplotlib is imported by the first picture, not here."""
    if mode is None:
        return None
    if mode == "ansi":
        from peva_env.console import map_text

        return Renderer(mode, map_text)
    if mode == "rgb_array":
        from peva_env.report import map_frame

        return Renderer(mode, map_frame)
    raise ConfigError(f"render_mode = {mode!r}: must be one of {', '.join(PevaEnv.metadata['render_modes'])}, or None")


def _viewed(env: PevaEnv, view: str, k: int | None, actions: ExtraActions, extras: Extras) -> Any:
    """Return an environment with a view."""
    n_candidates = candidates_of(view, k)
    require_supported(view, actions, extras)
    return CandidateView(env, n_candidates) if view == CANDIDATES else env


def _vector_env(num_envs: int, setup: OfflineSetup, autoreset_mode: str, view: str, k: int | None) -> PevaVectorEnv:
    if setup.settings.refinement:
        raise ConfigError("refine: campaigns side by side cannot refine their maps; leave it out")
    env = PevaVectorEnv(num_envs, setup, autoreset_mode, view=view, k=k)
    version = gymnasium.__version__
    if env.autoreset_mode is AutoresetMode.SAME_STEP and tuple(map(int, version.split(".")[:2])) < _SAME_STEP_SINCE:
        warnings.warn(
            f"Gymnasium {version} computes wrong episode statistics in SameStep mode (RecordEpisodeStatistics of "
            "gymnasium.wrappers.vector); install gymnasium 1.4 or later, or use autoreset_mode='NextStep'",
            UserWarning,
            stacklevel=4,
        )
    return env
