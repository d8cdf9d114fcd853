"""The keys of the configuration file: each with its default, and what is right for itself."""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue, StrictBool, field_validator

from peva_env.config.confidence import LEVEL_WANTED, is_level
from peva_env.config.duration import Duration, duration_seconds
from peva_env.config.function import FunctionConfig
from peva_env.config.k6 import MOST_GENERATORS, as_text
from peva_env.config.overload import OverloadConfig
from peva_env.config.percent import Percentage, percent_share
from peva_env.config.platform import require_platform
from peva_env.config.rates import AutoRates, LinearRates, RateStrategy
from peva_env.config.section import LARGEST_COUNT, Section, require_no_truth
from peva_env.config.sections import (
    DEFAULT_OUTPUT_DIR,
    CanaryConfig,
    CombinationConfig,
    CooldownConfig,
    GrafanaConfig,
    HttpConfig,
    MemoryConfig,
    OpenFaasConfig,
)
from peva_env.config.sendable import plain_url
from peva_env.space import Dominance
from peva_env.system import local_path

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class CampaignKeys(Section):
    """All keys of the configuration file. An unknown key is an error."""

    functions: list[FunctionConfig] = Field(
        default_factory=lambda: [FunctionConfig(name="fetch")], min_length=1, description="functions under load"
    )
    rate_strategy: RateStrategy = Field(default_factory=LinearRates, description="rates to offer, in requests/s")
    combinations: CombinationConfig = Field(default_factory=CombinationConfig)
    configurations: list[dict[str, Annotated[int, BeforeValidator(require_no_truth)]]] | None = Field(
        None,
        min_length=1,
        description="only these configurations of the plan, each as function: rate; default: all combinations",
    )
    duration: Duration = Field("30s", description="length of one run")
    iterations: int = Field(3, ge=1, le=LARGEST_COUNT, description="runs of each configuration; the majority decides")
    repeats: Literal["all", "adaptive"] = Field(
        "all", description="all: run every iteration; adaptive: stop as soon as the verdict is decided"
    )
    refine: Percentage | None = Field(
        None, description="when the map is complete: how exactly each limit is measured then, for example 5%"
    )
    confirm: float | None = Field(
        None,
        description="run the certificate of a complete map again until its verdicts have this confidence, such as 0.95",
    )
    early_abort: StrictBool = Field(
        False, description="end a run as soon as its remaining requests can no longer prevent the verdict OVERLOADED"
    )
    stop_early: Literal["sequential"] | None = Field(
        None, description="sequential: end a run as soon as a sequential test decides its verdict, OK or OVERLOADED"
    )
    warm_up: Duration | None = Field(
        None, description="load before each run that is sent but not judged, for example 2s; default: none"
    )
    timeout: Duration = Field("5s", description="timeout of a request; a slower request counts as failed")
    cooldown: CooldownConfig = Field(default_factory=CooldownConfig)
    canary: CanaryConfig = Field(
        default_factory=CanaryConfig, description="whether and how often a known configuration tests the node"
    )
    overload: OverloadConfig = Field(default_factory=OverloadConfig)
    dominance: Dominance | None = Field(
        None, description="rule by which verdicts are inferred; without it, the default of the agent"
    )
    max_total_rate: int | None = Field(
        None, ge=1, description="upper bound of the total rate of a configuration, in requests/s"
    )
    max_invalid_retries: int = Field(
        2, ge=0, le=LARGEST_COUNT, description="how often a run that measured nothing is tried again"
    )
    selection_mode: Literal["online", "micro_batch"] = Field("online", description="when the policy is updated")
    micro_batch_size: int = Field(8, description="candidates per choice; events per update in micro_batch mode")
    micro_batch_window_s: int = Field(30, description="longest wait for an update in micro_batch mode, in seconds")
    algorithm_entrypoint: str | None = Field(None, description="a policy of your own, as module:Class")
    memory: MemoryConfig = Field(default_factory=MemoryConfig)
    platform: str = Field(
        "local", description="local, openfaas, http, or a class of your own: its entry point's name or module:Class"
    )
    http: HttpConfig = Field(default_factory=HttpConfig, description="http: the CA of the services")
    gateway_url: str | None = Field(
        None, description="openfaas: address of the gateway, for example http://10.0.0.50:8080"
    )
    prometheus_url: str | None = Field(
        None, description="openfaas, http: address of Prometheus, for example http://10.0.0.50:9090"
    )
    openfaas: OpenFaasConfig = Field(default_factory=OpenFaasConfig, description="openfaas: namespace, password, CA")
    prometheus_instance: str | None = Field(
        None,
        min_length=1,
        description="the node's 'instance' label in Prometheus; needed if Prometheus scrapes several machines",
    )
    queries_path: str | None = Field(
        None, min_length=1, description="file of Prometheus queries; the built-in queries without it"
    )
    scaphandre_enabled: StrictBool = Field(False, description="read Scaphandre's power metrics from Prometheus")
    function_pid_regexes: dict[str, str] = Field(
        default_factory=dict,
        description="for a function's power: a regular expression of its process ids or command lines",
    )
    k6_path: str | None = Field(None, description="path of the k6 binary, if it is not on the PATH")
    generators: int = Field(
        1, ge=1, le=MOST_GENERATORS, description="k6 that share each run: processes here, or on the machines of `ray`"
    )
    ray: str | None = Field(
        None, min_length=1, description="Ray cluster whose machines send the load: auto or HOST:PORT; default: this one"
    )
    k6_outputs: list[str] = Field(
        default_factory=list, description="outputs of k6's samples, in the form of its option --out"
    )
    k6_env: dict[str, Annotated[str, BeforeValidator(as_text)]] = Field(
        default_factory=dict, description="K6_ variables that configure these outputs"
    )
    k6_env_from: list[str] = Field(
        default_factory=list,
        description="names of K6_ variables to read from the environment, for tokens and passwords",
    )
    k6_tags: dict[str, str] = Field(default_factory=dict, description="tags of every k6 sample")
    k6_options: dict[str, JsonValue] = Field(
        default_factory=dict, description="k6 options for sending requests, such as insecureSkipTLSVerify"
    )
    k6_dashboard: StrictBool = Field(False, description="write k6's HTML report of each run")
    k6_log: StrictBool = Field(False, description="show k6's warnings and errors while it runs")
    grafana: GrafanaConfig | None = Field(None, description="where to annotate the campaign")
    seed: int | None = Field(None, ge=0, le=2**63 - 1)
    output_dir: str = Field(DEFAULT_OUTPUT_DIR, min_length=1, description="where artifacts and memory are written")
    run_id: str | None = Field(
        None, description="name of the campaign; `memory merge --rename` tells two campaigns of one name apart"
    )

    @property
    def duration_s(self) -> float:
        """Length of one run in seconds."""
        return duration_seconds(self.duration)

    @property
    def needs_scouting(self) -> bool:
        """Whether the rates of a function are not known before a scouting."""
        return isinstance(self.rate_strategy, AutoRates) and any(one.rate_strategy is None for one in self.functions)

    @property
    def refine_share(self) -> float | None:
        """How exactly each limit is to be known, as a share of it; None without a refinement."""
        return None if self.refine is None else percent_share(self.refine)

    @property
    def timeout_s(self) -> float:
        """Timeout of a request in seconds."""
        return duration_seconds(self.timeout)

    @property
    def ca_file(self) -> str | None:
        """The file of the CA certificate of an https platform."""
        return self.http.ca_file if self.platform == "http" else self.openfaas.ca_file

    @property
    def warm_up_s(self) -> float:
        """Length of the warm-up of a run in seconds; 0 without one."""
        return duration_seconds(self.warm_up) if self.warm_up else 0.0

    @field_validator("confirm")
    @classmethod
    def _is_level(cls, level: float | None) -> float | None:
        if level is not None and not is_level(level):
            raise ValueError(LEVEL_WANTED)
        return level

    @field_validator("duration")
    @classmethod
    def _long_enough_for_k6(cls, text: str) -> str:
        if duration_seconds(text) < 1:
            raise ValueError("must be at least 1s, k6 runs nothing shorter: write 1s or more")
        return text

    @field_validator("gateway_url", "prometheus_url")
    @classmethod
    def _is_plain_url(cls, url: str | None) -> str | None:
        return None if url is None else plain_url(url)

    @field_validator("output_dir")
    @classmethod
    def _at_home(cls, path: str) -> str:
        return str(local_path(path))

    @field_validator("run_id")
    @classmethod
    def _names_a_file(cls, run_id: str | None) -> str | None:
        if run_id is not None and not _RUN_ID.fullmatch(run_id):
            raise ValueError(
                "must be at most 100 letters, digits, '.', '_' and '-', the first a letter or digit, for example node-1"
            )
        return run_id

    @field_validator("algorithm_entrypoint")
    @classmethod
    def _is_entrypoint(cls, entrypoint: str | None) -> str | None:
        if entrypoint and not all(entrypoint.partition(":")[::2]):
            raise ValueError("must be module:Class, for example my_policies:Greedy")
        return entrypoint

    @field_validator("platform")
    @classmethod
    def _is_platform(cls, platform: str) -> str:
        require_platform(platform)
        return platform
