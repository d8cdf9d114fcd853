"""Checks of the requirements of a campaign; a failed check names the remedy."""

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil

from peva_env.campaign.annotations import grafana_token
from peva_env.campaign.factories import (
    make_deployed_functions,
    make_gateway,
    make_generator,
    make_generators,
    make_metrics,
    make_platform,
    make_services,
)
from peva_env.campaign.scouting import planned, scouting_rates
from peva_env.config import DfaasConfig, GrafanaConfig, request_headers
from peva_env.errors import PevaError
from peva_env.memory import Database
from peva_env.planning import DfaasPlanBuilder, Refinement, hidden_overload, load_policy_algorithm, too_short_for
from peva_env.platforms.http import HttpService
from peva_env.platforms.openfaas import DeployedFunction
from peva_env.sources.k6 import borne_rps
from peva_env.system import failure_text

_RPS_PER_CORE = 250
"""Measured: up to this rate k6 and the functions share one core without disturbing each other."""

_LOOK_S = 0.3
"""How long the CPU of this machine is looked at."""

_IDLE_PCT = 15.0
"""Most CPU, in percent of all cores, that the programs of an idle machine use."""

_MIN_FREE_BYTES = 100 * 2**20
"""Required free space of the disk: a campaign begins with a few MiB, and a disk with less is almost full."""


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check: its name, whether it passed, and what was found or what to do.

    A check that ``warns`` has passed: a run begins all the same, but some of its verdicts may not be worth much.
    """

    name: str
    passed: bool
    detail: str
    warns: bool = False


def run_checks(config: DfaasConfig, *, starts_node: bool = True) -> Iterator[Check]:
    """Check k6, the node, the policy, the paths and the load, one after the other; no file or process remains.

    Without ``starts_node``, nothing is started but k6, to ask for its version, and no request is sent.
    """
    yield _check("k6", lambda: _k6(config))
    yield from _node_checks(config) if starts_node else [_check("node", lambda: _unstarted(config))]
    yield _check("policy", lambda: _policy(config))
    if config.grafana and starts_node:
        yield _check("grafana", functools.partial(_grafana, config.grafana))
    yield _check("output_dir", lambda: _writable(Path(config.output_dir)))
    yield _check("memory", lambda: _memory(config))
    load = _check("load", lambda: _load(config))
    yield load
    if load.passed:
        yield from (Check("load", True, problem, warns=True) for problem in plan_problems(planned(config)))
    if config.generators > 1 and starts_node:
        yield _check("generators", lambda: _generators(config))
    busy = not_idle()
    yield Check("machine", True, busy or "is idle", warns=busy is not None)


def not_idle() -> str | None:
    """Return how busy the programs of this machine keep it before a campaign, or None if it is idle."""
    used_pct = psutil.cpu_percent(interval=_LOOK_S)
    if used_pct <= _IDLE_PCT:
        return None
    return (
        f"is not idle: its programs use {used_pct:.0f} % of the CPU; end them, or verdicts near the frontier may be "
        "wrong"
    )


def plan_problems(config: DfaasConfig) -> list[str]:
    """Return what is wrong with a plan: too much load for this machine, runs too short for a rule, hidden overload.

    A plan whose rates a scouting will find has none yet.
    """
    if config.needs_scouting:
        return []
    found = (_too_much_for_this_machine(config), too_short_for(config), hidden_overload(config))
    return [problem for problem in found if problem]


def _too_much_for_this_machine(config: DfaasConfig) -> str | None:
    """Return why a plan with known rates is too much for k6 and a local node on one machine; None if it is not."""
    total_rps, n_cores = _heaviest_rps(config), psutil.cpu_count() or 1
    max_rps = _RPS_PER_CORE * n_cores
    if config.platform != "local" or total_rps <= max_rps:
        return None
    return (
        f"the plan offers up to {total_rps} requests/s, but k6 and the local node share {n_cores} core(s); stay below "
        f"{max_rps}, or k6's own CPU load distorts the verdicts"
    )


def _check(name: str, find: Callable[[], str]) -> Check:
    try:
        return Check(name, True, find())
    except (PevaError, OSError) as error:
        problem = failure_text(error) if isinstance(error, OSError) else str(error)
        return Check(name, False, " ".join(problem.split()))


def _k6(config: DfaasConfig) -> str:
    with closing(make_generator(config)) as generator:
        return f"k6 {generator.version} {generator.where}"


def _node_checks(config: DfaasConfig) -> Iterator[Check]:
    if config.platform == "http":
        for service in make_services(config):
            yield _check(f"function {service.name}", functools.partial(_service, service))
        if config.prometheus_url:
            yield _check("metrics", lambda: _metrics(config))
        return
    if config.platform != "openfaas":
        yield _check("node", lambda: _node(config))
        return
    gateway = _check("gateway", lambda: make_gateway(config).check())
    yield gateway
    if gateway.passed:
        for function in make_deployed_functions(config, make_gateway(config)):
            yield _check(f"function {function.name}", functools.partial(_function, function))
    yield _check("metrics", lambda: _metrics(config))


def _function(function: DeployedFunction) -> str:
    function.preflight()
    return f"answers at {function.url}, ready replicas: {function.state().available}"


def _service(service: HttpService) -> str:
    service.preflight()
    return f"answers at {service.shown_url}"


def _metrics(config: DfaasConfig) -> str:
    with closing(make_metrics(config)) as metrics:
        missing = metrics.check(config.duration_s)
    without = f"; no data of: {', '.join(missing)}" if missing else ""
    return f"from Prometheus at {config.prometheus_url}{without}"


def _grafana(grafana: GrafanaConfig) -> str:
    token = "with a token" if grafana_token(grafana) else "without a token"
    return f"annotations go to {grafana.url}, {token}"


def _node(config: DfaasConfig) -> str:
    platform = make_platform(config)
    try:
        platform.start()
        return f"{platform.name} serves {', '.join(function.name for function in config.functions)}"
    finally:
        platform.stop()


def _unstarted(config: DfaasConfig) -> str:
    platform = make_platform(config)
    for function in config.functions:
        request_headers(function)
    if config.platform == "local":
        platform.describe()  # finds the code of the functions
    return f"{platform.name} is not started; peva-env doctor starts it"


def _policy(config: DfaasConfig) -> str:
    load_policy_algorithm(config.algorithm_entrypoint)
    return config.algorithm_entrypoint or "none, the agent's own order"


def _writable(folder: Path) -> str:
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise PevaError(f"{existing} is not a writable folder; choose another path or change its permissions")
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < _MIN_FREE_BYTES:
        raise PevaError(f"{existing} has {free_bytes / 2**20:.0f} MiB left; free some space, or choose another path")
    return f"{folder} can be written to"


def _memory(config: DfaasConfig) -> str:
    path = Path(config.memory.db_path)
    database = Database(str(path), config.memory.schema_version)
    if not path.exists():
        database.require_place()
        return f"{path} will be made; {_writable(path.parent)}"
    database.open()
    database.close()
    return f"{path} is a memory of schema {config.memory.schema_version}"


def _load(config: DfaasConfig) -> str:
    config = planned(config)
    if config.needs_scouting:
        max_rate = scouting_rates(config).max_rate
        return f"a scouting finds the rates; it offers up to {max_rate} requests/s to each function"
    if config.refine_share is not None:
        Refinement(DfaasPlanBuilder(config).build_space(), config.refine_share)
    return f"up to {_heaviest_rps(config)} requests/s"


def _generators(config: DfaasConfig) -> str:
    with closing(make_generators(config)) as generators:
        borne = borne_rps(generators)
    config = planned(config)
    asked_rps = scouting_rates(config).max_rate if config.needs_scouting else _heaviest_rps(config)
    bear = f"{generators.n} generators bear {borne:,} requests/s together"
    if asked_rps > borne:
        raise PevaError(
            f"{bear}, and the plan offers up to {asked_rps:,}; offer less or use more machines, else runs are INVALID"
        )
    return bear


def _heaviest_rps(config: DfaasConfig) -> int:
    space = DfaasPlanBuilder(config).build_space()
    highest = sorted((rates[-1] for rates in space.rates_rps), reverse=True)
    return sum(highest[: space.max_functions - 1])
