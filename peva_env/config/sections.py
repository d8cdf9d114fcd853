"""The small sections of the configuration: combinations, cooldown, canary, memory, OpenFaaS, HTTP services, Grafana."""

from typing import Literal, Self

from pydantic import Field, StrictBool, field_validator, model_validator

from peva_env.config.section import LARGEST_COUNT, LONGEST_S, Section
from peva_env.config.sendable import plain_url
from peva_env.system import local_path

DEFAULT_OUTPUT_DIR = "peva-results"
MEMORY_FILE = "peva_faas.duckdb"


class CombinationConfig(Section):
    """Number of functions in a configuration: ``min_functions`` to ``max_functions - 1``."""

    min_functions: int = Field(1, ge=1, description="smallest number of functions in a configuration")
    max_functions: int = Field(2, ge=1, description="exclusive upper bound of that number")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max_functions <= self.min_functions:
            raise ValueError(
                f"max_functions is exclusive and must be above min_functions ({self.min_functions}); "
                f"got {self.max_functions}"
            )
        return self


class CooldownConfig(Section):
    """Cooldown: before each run, the campaign waits until the node is idle."""

    rest_seconds: float = Field(0, ge=0, le=LONGEST_S, description="shortest pause before a run, idle or not")
    max_wait_seconds: float = Field(180, ge=0, le=LONGEST_S)
    sleep_step_seconds: float = Field(5, gt=0, le=LONGEST_S, description="pause between two looks at the node")
    idle_threshold_pct: float = Field(15, ge=0, le=100, description="at rest = within this share above the idle use")


class CanaryConfig(Section):
    """The canary: the lightest configuration known to be OK is measured again. Off unless one of the keys is given."""

    every_runs: int | None = Field(None, ge=1, le=LARGEST_COUNT, description="after this many runs at the latest")
    every_minutes: float | None = Field(
        None, gt=0, le=LONGEST_S / 60, description="after this many minutes of unconfirmed runs at the latest"
    )

    @property
    def is_on(self) -> bool:
        """Whether there is a canary."""
        return self.every_runs is not None or self.every_minutes is not None


class MemoryConfig(Section):
    """The memory's file, and the Parquet folders that are merged in at the start and exported at the end."""

    backend: Literal["duckdb"] = "duckdb"
    db_path: str = Field(
        f"{DEFAULT_OUTPUT_DIR}/{MEMORY_FILE}", min_length=1, description="the memory's file; default: in output_dir"
    )
    preload_core_parquet_dir: str | None = Field(None, description="folder of core tables to merge in at the start")
    export_core_parquet_dir: str | None = Field(None, description="folder for the export of the core tables")
    export_raw_debug_parquet_dir: str | None = Field(None, description="folder for the export of the raw k6 summaries")
    preload_raw_debug: StrictBool = Field(False, description="merge in the raw k6 summaries too")
    schema_version: str = Field("peva_faas_mem_v1", min_length=1, description="schema label of the memory")

    @field_validator("db_path", "preload_core_parquet_dir", "export_core_parquet_dir", "export_raw_debug_parquet_dir")
    @classmethod
    def _at_home(cls, path: str | None) -> str | None:
        return str(local_path(path)) if path else path

    @field_validator("db_path")
    @classmethod
    def _is_kept(cls, path: str) -> str:
        if path == ":memory:":
            raise ValueError("must be a file: a memory in RAM is lost when the campaign ends")
        return path


class OpenFaasConfig(Section):
    """Access to an OpenFaaS gateway. The password itself is never part of the configuration."""

    namespace: str | None = Field(
        None,
        pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$",
        description="namespace of functions that are not named 'name.namespace'; default: the gateway's own",
    )
    username: str = Field("admin", pattern=r"^[^:\x00-\x1f\x7f]+$", description="user name for basic auth")
    password_file: str | None = Field(None, min_length=1, description="file that holds only the password")
    password_env: str | None = Field(None, min_length=1, description="environment variable that holds the password")
    ca_file: str | None = Field(None, min_length=1, description="CA certificate (PEM) of an https gateway")

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password_file is not None and self.password_env is not None:
            raise ValueError("give password_file or password_env, not both")
        return self


class HttpConfig(Section):
    """Access to HTTP services."""

    ca_file: str | None = Field(None, min_length=1, description="CA certificate (PEM) of https services")


class GrafanaConfig(Section):
    """The Grafana that gets the campaign's annotations. The token itself is never part of the configuration."""

    url: str = Field(description="address of Grafana, for example http://127.0.0.1:3000")
    token_env: str | None = Field(
        None, min_length=1, description="environment variable that holds a service account's token"
    )
    token_file: str | None = Field(None, min_length=1, description="file that holds the token, instead of token_env")
    dashboard_uid: str | None = Field(
        None, min_length=1, description="uid of the dashboard to annotate; default: all dashboards"
    )

    @field_validator("url")
    @classmethod
    def _is_plain_url(cls, url: str) -> str:
        return plain_url(url)

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.token_env and self.token_file:
            raise ValueError("give token_env or token_file, not both")
        return self
