"""Builds the components of a live campaign from a configuration; nothing is started, opened or sent."""

from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from peva_env.config import PLATFORM_GROUP, DfaasConfig, OverloadConfig
from peva_env.contracts import ExecutionEvent, Ledger
from peva_env.errors import ConfigError, PevaError, PlatformLoadError
from peva_env.memory import DuckDBMemoryStore, InProcessMemoryEngine, RunLedger, context_hash, digest
from peva_env.memory.parquet import ParquetCheckpoint
from peva_env.planning import UpdateSchedule
from peva_env.platforms import Cooldown, Platform, trust
from peva_env.platforms.http import HttpNode, HttpService
from peva_env.platforms.local import LocalNode
from peva_env.platforms.openfaas import DeployedFunction, Gateway, OpenFaasNode, read_credentials
from peva_env.platforms.prometheus import DEFAULT_NAMESPACE, Prometheus, PrometheusMetrics, load_queries
from peva_env.rules import apply_rules, is_in_doubt
from peva_env.sources import LiveSource
from peva_env.sources.k6 import K6, Generators, LocalPlace, RayPlace, find_k6, k6_settings
from peva_env.system import load_class

_CONTRACT = ("name", "min_window_s", "start", "stop", "url", "describe", "usage", "failure")
"""What a ``Platform`` has."""

_MIN_PREFLIGHT_S = 5.0
"""Shortest timeout of a function's first call, which may take longer than later calls (cold start)."""


def make_platform(config: DfaasConfig) -> Platform:
    """Build the node that a configuration names; nothing is started.

    Raises:
        ConfigError: an address, a password or a certificate that the platform needs is missing.
        PlatformLoadError: a platform of the user's own cannot be loaded or built.
    """
    if config.platform == "local":
        return LocalNode(config.functions, request_timeout_s=max(_MIN_PREFLIGHT_S, config.timeout_s))
    if config.platform == "http":
        metrics = make_metrics(config) if config.prometheus_url else None
        return HttpNode(make_services(config), metrics=metrics, duration_s=config.duration_s)
    if config.platform != "openfaas":
        return _own_platform(config)
    gateway = make_gateway(config)
    return OpenFaasNode(
        make_deployed_functions(config, gateway),
        gateway=gateway,
        metrics=make_metrics(config),
        duration_s=config.duration_s,
    )


def make_services(config: DfaasConfig) -> list[HttpService]:
    """Build the clients of HTTP services; nothing is sent.

    Raises:
        ConfigError: an address or the CA certificate is missing.
    """
    tls, timeout_s = trust(config.http.ca_file, key="http.ca_file"), max(_MIN_PREFLIGHT_S, config.timeout_s)
    return [HttpService(function, tls=tls, timeout_s=timeout_s) for function in config.functions]


def _own_platform(config: DfaasConfig) -> Platform:
    """Build a platform of the user's own, which is given the configuration. Its module's code runs."""
    platform_class = _own_platform_class(config.platform)
    try:
        platform = platform_class(config)
    except PevaError:
        raise
    except Exception as error:
        raise PlatformLoadError(f"platform {config.platform!r} cannot be made of a configuration: {error!r}") from error
    if not isinstance(platform, Platform):
        lacks = ", ".join(name for name in _CONTRACT if not hasattr(platform, name))
        raise PlatformLoadError(f"platform {config.platform!r} is not a Platform: it lacks {lacks}")
    return platform


def _own_platform_class(name: str) -> Callable[[DfaasConfig], Any]:
    """Return what makes the platform that is named ``module:Class``, or by an entry point that is there."""
    if ":" in name:
        return load_class(name, what="platform", error=PlatformLoadError)
    try:
        found: Callable[[DfaasConfig], Any] = entry_points(group=PLATFORM_GROUP)[name].load()
    except Exception as error:
        raise PlatformLoadError(f"platform {name!r} cannot be loaded: {error!r}") from error
    return found


def make_gateway(config: DfaasConfig) -> Gateway:
    """Build the client of the gateway that a configuration names; nothing is sent.

    Raises:
        ConfigError: its address, password or CA certificate is missing.
    """
    if config.gateway_url is None:
        raise ConfigError("platform = 'openfaas': gateway_url is needed, for example http://127.0.0.1:8080")
    credentials = read_credentials(config.openfaas)
    return Gateway(
        config.gateway_url, credentials=credentials, tls=trust(config.openfaas.ca_file, key="openfaas.ca_file")
    )


def make_deployed_functions(config: DfaasConfig, gateway: Gateway) -> list[DeployedFunction]:
    """Build the clients of the functions behind a gateway; nothing is sent."""
    timeout_s = max(_MIN_PREFLIGHT_S, config.timeout_s)
    return [
        DeployedFunction(function, gateway, namespace=config.openfaas.namespace, timeout_s=timeout_s)
        for function in config.functions
    ]


def make_generator(config: DfaasConfig) -> K6:
    """Build the load generator; k6 checks its outputs, variables and options.

    Raises:
        LoadGeneratorError: no usable k6 was found.
        ConfigError: k6 refuses an output, a variable or an option, a variable is not set, or generators do not suit.
    """
    settings = k6_settings(config)
    if config.ray is None and config.generators == 1:
        return K6(find_k6(config.k6_path), timeout_s=config.timeout_s, settings=settings)
    generators = make_generators(config)
    try:
        generator = K6(timeout_s=config.timeout_s, settings=settings, generators=generators)
        if config.platform == "local":
            generators.require_on_this_machine()
        return generator
    except BaseException:
        generators.close()
        raise


def make_generators(config: DfaasConfig) -> Generators:
    """Build the k6 that share each run, on this machine or on those of Ray.

    Raises:
        ConfigError: the machines cannot be used; see ``RayPlace``.
    """
    if config.ray is not None:
        return Generators(RayPlace(config.generators, config.ray, config.k6_path))
    return Generators(LocalPlace(config.generators, config.k6_path))


def make_source(config: DfaasConfig, platform: Platform) -> LiveSource:
    """Build the source of a campaign's measurements; k6 checks its settings, and nothing is sent.

    Raises:
        LoadGeneratorError: see ``make_generator``.
        ConfigError: see ``make_generator``.
        PlatformError: the platform cannot describe its node.
    """
    generator = make_generator(config)
    return LiveSource(
        platform=platform,
        generator=generator,
        cooldown=Cooldown(platform, config.cooldown),
        functions={function.name: function for function in config.functions},
        duration_s=config.duration_s,
        warm_up_s=config.warm_up_s,
        rules=config.overload,
        early_abort=config.early_abort,
        stop_early=config.stop_early is not None,
        context_hash=context_hash(measurement_context(config, platform, generator.version)),
    )


def make_metrics(config: DfaasConfig) -> PrometheusMetrics:
    """Build the metrics of a remote node; nothing is sent before its ``check``.

    Raises:
        ConfigError: ``prometheus_url`` is not set, or the file of queries cannot be used.
    """
    if config.prometheus_url is None:
        raise ConfigError("platform = 'openfaas': prometheus_url is needed, for example http://127.0.0.1:9090")
    return PrometheusMetrics(
        Prometheus(config.prometheus_url),
        load_queries(config.queries_path),
        [function.name for function in config.functions],
        instance=config.prometheus_instance,
        namespace=config.openfaas.namespace or DEFAULT_NAMESPACE,
        pid_regexes=config.function_pid_regexes,
        scaphandre=config.scaphandre_enabled,
    )


def make_memory(config: DfaasConfig, ledger: Ledger | None = None) -> InProcessMemoryEngine:
    """Build the memory of a configuration, by default with its own ledger; nothing is opened."""
    memory = config.memory
    core, debug = (
        Path(folder).absolute() if folder else None  # a policy may change the working folder
        for folder in (memory.export_core_parquet_dir, memory.export_raw_debug_parquet_dir)
    )
    store = DuckDBMemoryStore(memory.db_path, schema_version=memory.schema_version)
    preload_dir = Path(memory.preload_core_parquet_dir) if memory.preload_core_parquet_dir else None
    debug_dir = preload_dir.parent / "debug" if preload_dir and memory.preload_raw_debug else None
    return InProcessMemoryEngine(
        store,
        ledger=ledger
        or RunLedger(
            config.iterations,
            is_certain=partial(_is_certain, config.overload) if config.repeats == "adaptive" else None,
        ),
        schedule=UpdateSchedule(config.selection_mode, config.micro_batch_size, config.micro_batch_window_s),
        checkpoint=ParquetCheckpoint(store, core_dir=core, debug_dir=debug),
        preload=ParquetCheckpoint(store, core_dir=preload_dir, debug_dir=debug_dir),
    )


def _is_certain(rules: OverloadConfig, event: ExecutionEvent) -> bool:
    return apply_rules(event.functions, event.node, rules).is_certain and not is_in_doubt(event)


def measurement_context(config: DfaasConfig, platform: Platform, generator_version: str) -> dict[str, Any]:
    """Return the measurement context as plain data: two measurements are comparable only if it is equal.

    Headers are stored as digests, since the context is stored with every campaign and a header may hold a token.
    """
    context = {
        "node": dict(platform.describe()),
        "functions": {
            function.name: {
                "method": function.method,
                "body": function.body,
                "headers": {name: digest(value) for name, value in function.headers.items()},
                **({"headers_env": dict(function.headers_env)} if function.headers_env else {}),
                **({"expect": function.expect.model_dump(exclude_none=True)} if function.expect else {}),
            }
            for function in config.functions
        },
        "duration_s": config.duration_s,
        "timeout_s": config.timeout_s,
        "overload": config.overload.as_context(),
        "generator": f"k6 {generator_version}",
    }
    # Keys are omitted where unused: the hash stays that of contexts stored before these options existed.
    options = {name: value for name, value in config.k6_options.items() if name != "cloud"}
    endings: dict[str, Any] = {"early_abort": True} if config.early_abort else {}
    if config.stop_early:
        endings["stop_early"] = config.stop_early
    warm_up = {"warm_up_s": config.warm_up_s} if config.warm_up else {}
    generators = {"generators": config.generators} if config.generators > 1 else {}
    return context | ({"k6_options": options} if options else {}) | endings | warm_up | generators
