"""The composition root: builds environments from plain data. The registered ids point here."""

import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from peva_env import __version__
from peva_env.artifacts import ArtifactWriter
from peva_env.config import DfaasConfig, load_config, parse_config
from peva_env.contracts import DfaasRunContext, EndStatus, PolicyAlgorithm
from peva_env.env import Campaign, PevaEnv
from peva_env.errors import ConfigError, PevaError
from peva_env.execution import Budget, DfaasConfigExecutor
from peva_env.frontier import MonotoneMap
from peva_env.grafana import GrafanaAnnotations, grafana_token
from peva_env.memory.checkpoint import ParquetCheckpoint
from peva_env.memory.contexts import context_hash, digest
from peva_env.memory.engine import InProcessMemoryEngine
from peva_env.memory.store import DuckDBMemoryStore, Session
from peva_env.planning.plan_builder import DfaasPlanBuilder
from peva_env.platforms.base import Platform
from peva_env.platforms.cooldown import Cooldown
from peva_env.platforms.credentials import read_credentials, trust
from peva_env.platforms.deployed_function import DeployedFunction
from peva_env.platforms.gateway import Gateway
from peva_env.platforms.local import LocalNode
from peva_env.platforms.metrics import DEFAULT_NAMESPACE, PrometheusMetrics
from peva_env.platforms.openfaas import OpenFaasNode
from peva_env.platforms.prometheus import Prometheus
from peva_env.platforms.queries import load_queries
from peva_env.sources.k6 import K6, find_k6
from peva_env.sources.k6_settings import k6_settings
from peva_env.sources.live import LiveSource

_MIN_PREFLIGHT_S = 5.0
"""A function's first call may have to load things that the later ones find in place."""

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


def make_platform(config: DfaasConfig) -> Platform:
    """Build the node that a configuration names; nothing is started.

    Raises:
        ConfigError: an address, a password or a certificate that the platform needs is missing.
    """
    if config.platform == "local":
        return LocalNode(config.functions, request_timeout_s=max(_MIN_PREFLIGHT_S, config.timeout_s))
    gateway = make_gateway(config)
    return OpenFaasNode(
        make_deployed_functions(config, gateway),
        gateway=gateway,
        metrics=make_metrics(config),
        duration_s=config.duration_s,
    )


def make_gateway(config: DfaasConfig) -> Gateway:
    """Build the client of the gateway that a configuration names; nothing is sent.

    Raises:
        ConfigError: its address, password or CA certificate is missing.
    """
    if config.gateway_url is None:
        raise ConfigError("platform = 'openfaas': gateway_url is needed, for example http://127.0.0.1:8080")
    credentials = read_credentials(config.openfaas)
    return Gateway(config.gateway_url, credentials=credentials, tls=trust(config.openfaas.ca_file))


def make_deployed_functions(config: DfaasConfig, gateway: Gateway) -> list[DeployedFunction]:
    """Build what is called through a gateway; nothing is sent."""
    timeout_s = max(_MIN_PREFLIGHT_S, config.timeout_s)
    return [
        DeployedFunction(function, gateway, namespace=config.openfaas.namespace, timeout_s=timeout_s)
        for function in config.functions
    ]


def make_generator(config: DfaasConfig) -> K6:
    """Build the load generator; k6 itself is asked whether it takes what the configuration sets of it.

    Raises:
        LoadGeneratorError: there is no usable k6.
        ConfigError: it refuses an output, a variable or an option, or a variable is not set.
    """
    return K6(find_k6(config.k6_path), timeout_s=config.timeout_s, settings=k6_settings(config))


def make_metrics(config: DfaasConfig) -> PrometheusMetrics:
    """Build what measures a node that is not this machine; nothing is sent before its ``check``.

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


class LiveCampaigns:
    """Owns node, memory and artifacts of a live environment, and opens its campaigns."""

    def __init__(
        self, config: DfaasConfig, *, budget_runs: int | None = None, budget_seconds: float | None = None
    ) -> None:
        self.space = DfaasPlanBuilder(config).build_space()
        self.output_dir = Path(config.output_dir)
        self.memory = make_memory(config)
        self._config = config
        self._budget = (budget_runs, budget_seconds)
        self._platform = make_platform(config)
        self._source: LiveSource | None = None
        self._artifacts: ArtifactWriter | None = None
        self._annotations: GrafanaAnnotations | None = None

    @property
    def paths(self) -> list[Path]:
        """The files written so far, and the folder of k6's own."""
        others = [path for path in (Path(self._config.memory.db_path), self.output_dir / "k6") if path.exists()]
        return others + (self._artifacts.paths if self._artifacts else [])

    def open(self, options: Mapping[str, Any]) -> Campaign:
        """Start what is not started yet, and begin or resume a campaign.

        Raises:
            ConfigError: an unknown option.
            PevaError: k6, the node, the memory or the artifacts cannot be used; what was started is stopped.
        """
        unknown = options.keys() - {"warm_start", "repetition"}
        if unknown:
            raise ConfigError(f"unknown reset option {sorted(unknown)[0]!r}; there are warm_start and repetition")
        try:
            source, artifacts = self._started()
            session = self._session(source, options)
            return self._campaign(source, artifacts, session)
        except BaseException:
            self.close()
            raise

    def end(self, status: EndStatus, detail: str | None) -> None:
        """Record how the campaign ended, then write the checkpoint, which so holds the session's end.

        A campaign that failed writes no checkpoint: its policy or its memory may be what failed.
        """
        if self._annotations:
            self._annotations.end(status, detail)
        if status is EndStatus.FAILED:
            # The failure itself is on its way to the user; a memory that cannot even record it must not hide it.
            with suppress(PevaError):
                self.memory.close_session(status, detail)
            return
        self.memory.close_session(status, detail)
        self.memory.checkpoint()

    def attach_policy(self, policy: PolicyAlgorithm, *, agent: str) -> None:
        """Make the memory update a policy from now on."""
        self.memory.attach_policy(policy, agent=agent)

    def config_data(self) -> dict[str, Any]:
        """Return the configuration as plain data."""
        return self._config.model_dump(mode="json")

    def close(self) -> None:
        """Stop the node and close the memory; may be called twice."""
        self._platform.stop()
        self.memory.close()
        self._source = None
        if self._annotations:
            self._annotations.close()

    def _started(self) -> tuple[LiveSource, ArtifactWriter]:
        """Start k6, node, memory and artifacts; a failure leaves no new memory behind."""
        if self._source is not None and self._artifacts is not None and self._platform.failure() is None:
            return self._source, self._artifacts
        self.close()  # a node whose function died is begun anew
        source = self._make_source()
        grafana = self._config.grafana
        self._annotations = GrafanaAnnotations(grafana, grafana_token(grafana)) if grafana else None
        self._platform.start()
        memory = Path(self._config.memory.db_path)
        is_new = not memory.exists()
        try:
            self.memory.startup()
            self._artifacts = ArtifactWriter(self.output_dir, self.space.functions)
        except BaseException:
            self.memory.close()
            if is_new:
                memory.unlink(missing_ok=True)
            raise
        self._source = source
        return source, self._artifacts

    def _make_source(self) -> LiveSource:
        config = self._config
        generator = make_generator(config)
        return LiveSource(
            platform=self._platform,
            generator=generator,
            cooldown=Cooldown(self._platform, config.cooldown),
            functions={function.name: function for function in config.functions},
            duration_s=config.duration_s,
            rules=config.overload,
            context_hash=context_hash(measurement_context(config, self._platform, generator.version)),
        )

    def _session(self, source: LiveSource, options: Mapping[str, Any]) -> Session:
        last = self.memory.store.last_repetition(source.context_hash)
        repetition = options.get("repetition") or (max(1, last) if options.get("warm_start") else last + 1)
        return Session(
            run_id=self._run_id(repetition),
            repetition=repetition,
            context_hash=source.context_hash,
            context=measurement_context(self._config, self._platform, source.generator.version),
            selection_mode=self._config.selection_mode,
            seed=self._config.seed,
            k6_version=source.generator.version,
            package_version=__version__,
        )

    def _run_id(self, repetition: int) -> str:
        given = self._config.run_id
        if given is None:
            return f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(2)}"
        return given if repetition == 1 else f"{given}-{repetition}"

    def _campaign(self, source: LiveSource, artifacts: ArtifactWriter, session: Session) -> Campaign:
        history = self.memory.open_session(session)
        executor = DfaasConfigExecutor(
            source=replace(source, run_id=session.run_id),
            memory=self.memory,
            artifacts=artifacts,
            known=MonotoneMap(self.space),
            context=DfaasRunContext(
                configs=self.space,
                function_names=list(self.space.functions),
                target_name=self._platform.name,
                run_id=session.run_id,
                output_dir=self.output_dir,
                repetition=session.repetition,
            ),
            context_hash=session.context_hash,
            max_invalid_retries=self._config.max_invalid_retries,
            budget=Budget(*self._budget),
            observers=(self._annotations,) if self._annotations else (),
        )
        executor.restore(history)
        if self._annotations:
            n_unknown = executor.known.n_unknown
            text = f"peva-env campaign {session.run_id} on {self._platform.name}: {n_unknown} configurations unknown"
            self._annotations.begin(session.run_id, text)
        return Campaign(executor, tuple(history), self.memory.tensors)


def make_memory(config: DfaasConfig) -> InProcessMemoryEngine:
    """Build the memory that a configuration asks for; nothing is opened."""
    memory = config.memory
    store = DuckDBMemoryStore(memory.db_path, schema_version=memory.schema_version)
    preload_dir = Path(memory.preload_core_parquet_dir) if memory.preload_core_parquet_dir else None
    debug_dir = preload_dir.parent / "debug" if preload_dir and memory.preload_raw_debug else None
    return InProcessMemoryEngine(
        store,
        iterations=config.iterations,
        checkpoint=ParquetCheckpoint(
            store, core_dir=memory.export_core_parquet_dir, debug_dir=memory.export_raw_debug_parquet_dir
        ),
        preload=ParquetCheckpoint(store, core_dir=preload_dir, debug_dir=debug_dir),
        selection_mode=config.selection_mode,
        micro_batch_size=config.micro_batch_size,
        micro_batch_window_s=config.micro_batch_window_s,
    )


def measurement_context(config: DfaasConfig, platform: Platform, generator_version: str) -> dict[str, Any]:
    """Return what must be equal for two measurements to be comparable, as plain data.

    Of headers only digests: this is stored with every campaign, and a header may hold a token.
    """
    context = {
        "node": dict(platform.describe()),
        "functions": {
            function.name: {
                "method": function.method,
                "body": function.body,
                "headers": {name: digest(value) for name, value in function.headers.items()},
            }
            for function in config.functions
        },
        "duration_s": config.duration_s,
        "timeout_s": config.timeout_s,
        "overload": config.overload.model_dump(),
        "generator": f"k6 {generator_version}",
    }
    # Left out where there are none: such measurements stay comparable with those of before there were options.
    options = {name: value for name, value in config.k6_options.items() if name != "cloud"}
    return context | ({"k6_options": options} if options else {})
