"""The sections of the configuration but the rules: functions, combinations, cooldown, memory, OpenFaaS, Grafana."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from peva_env.config.overload import FunctionOverloadConfig
from peva_env.config.rates import OwnRates
from peva_env.config.section import LARGEST_COUNT, LONGEST_S, Section, is_unicode
from peva_env.system import local_path

_FUNCTION_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.))*(?<!\.)")
_TOKEN = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")  # RFC 9110, section 5.6.2
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
DEFAULT_OUTPUT_DIR = "peva-results"
MEMORY_FILE = "peva_faas.duckdb"
_HOST_PLACEHOLDER = re.compile(r"[{<][^{}<>]*[}>]")


class ExpectConfig(Section):
    """The answers of a function that count as success. Without it each answer with a status of 200 to 299 does."""

    status: list[Annotated[int, Field(ge=100, le=599)]] | None = Field(
        None, min_length=1, description="HTTP statuses of a success; default: 200 to 299"
    )
    body_contains: str | None = Field(None, min_length=1, description="text that the body of a success contains")
    body_not_contains: str | None = Field(None, min_length=1, description="text that no body of a success contains")

    @property
    def reads_body(self) -> bool:
        """Whether the bodies of answers are needed."""
        return self.body_contains is not None or self.body_not_contains is not None


class FunctionConfig(Section):
    """One function: its HTTP request, its rates and, on the local node, its code."""

    name: str = Field(max_length=63, description="unique; letters, digits, '-', '_' and single dots")
    method: Literal["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"] = Field(
        "GET", description="HTTP method of each request"
    )
    url: str | None = Field(None, description="platform http: address of the function")
    body: str = Field("", description="request body")
    headers: dict[str, str] = Field(default_factory=dict, description="HTTP headers of each request")
    headers_env: dict[str, str] = Field(
        default_factory=dict, description="headers that are secret: the environment variable that holds each value"
    )
    revision_header: str | None = Field(
        None, pattern=_TOKEN.pattern, description="platform http: response header that names the function's revision"
    )
    max_rate: int | None = Field(None, ge=0, description="highest rate to offer this function, in requests/s")
    rate_strategy: OwnRates | None = Field(None, description="rates of this function alone")
    source: str | None = Field(
        None, description="local node: code of the function, as 'file.py:target'; default: the sample of this name"
    )
    concurrency: int | None = Field(
        None,
        ge=1,
        le=LARGEST_COUNT,
        description="local node: requests served at once, more are answered 503 (8, or the sample's own)",
    )
    port: int | None = Field(None, ge=1, le=65535, description="local node: port on 127.0.0.1; default: any free port")
    overload: FunctionOverloadConfig | None = Field(None, description="overload rules of this function alone")
    expect: ExpectConfig | None = Field(None, description="which answers count as success; default: status 200 to 299")

    def rates_rps(self, shared: Iterable[int]) -> list[int]:
        """Return the rates to offer this function: its own or the shared ones, up to ``max_rate``."""
        rates = shared if self.rate_strategy is None else self.rate_strategy.generate_rates()
        return [rate for rate in rates if self.max_rate is None or rate <= self.max_rate]

    @field_validator("name")
    @classmethod
    def _safe_name(cls, name: str) -> str:
        return require_function_name(name)

    @field_validator("method", mode="before")
    @classmethod
    def _upper(cls, method: object) -> object:
        return method.strip().upper() if isinstance(method, str) else method

    @field_validator("url")
    @classmethod
    def _is_http_url(cls, url: str | None) -> str | None:
        return None if url is None else request_url(url)

    @field_validator("headers_env")
    @classmethod
    def _named_headers(cls, headers_env: dict[str, str]) -> dict[str, str]:
        require_sendable(headers_env, "")
        return headers_env

    @model_validator(mode="after")
    def _each_header_once(self) -> Self:
        twice = {name.lower() for name in self.headers} & {name.lower() for name in self.headers_env}
        if twice:
            raise ValueError(f"headers_env: {min(twice)} is in headers, too; give it once")
        return self

    @field_validator("headers")
    @classmethod
    def _sendable_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        require_sendable(headers, "")
        return headers

    @field_validator("body")
    @classmethod
    def _sendable_body(cls, body: str) -> str:
        require_sendable({}, body)
        return body

    @field_validator("source")
    @classmethod
    def _file_and_target(cls, source: str | None) -> str | None:
        if source is not None and not all(source.rpartition(":")[::2]):
            raise ValueError("must name a file and the function in it, for example functions/hello.py:hello")
        return source


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
    preload_raw_debug: bool = Field(False, description="merge in the raw k6 summaries too")
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


def require_function_name(name: str) -> str:
    """Return a name that a function may have.

    Raises:
        ValueError: it may not.
    """
    if not _FUNCTION_NAME.fullmatch(name):
        raise ValueError("must start with a letter or digit and hold only letters, digits, '-', '_' or single dots")
    return name


def require_sendable(headers: Mapping[str, str], body: str) -> None:
    """Check that headers and body reach a function unchanged.

    Raises:
        ValueError: a header's name is invalid, its value holds a control character, or a text is not valid Unicode. The
            message does not show header values, which may be tokens.
    """
    for header, value in headers.items():
        if not _TOKEN.fullmatch(header):
            raise ValueError(f"header {header!r}: is not a valid header name; use letters, digits and '-'")
        if _CONTROL.search(value):
            raise ValueError(f"header {header!r}: its value must not hold line breaks or control characters")
    if not is_unicode("".join((body, *headers.values()))):
        raise ValueError("body or headers: must be valid Unicode text")


def require_no_placeholder(address: str) -> None:
    """Refuse an address that somebody has yet to fill in.

    Raises:
        ValueError: it holds a placeholder such as ``{host.address}`` or ``<k3s-ip>``.
    """
    if found := _HOST_PLACEHOLDER.search(address):
        raise ValueError(
            f"{found[0]} is not replaced here: write the address itself, for example 10.0.0.50, in its place"
        )


def plain_url(url: str) -> str:
    """Return an http or https address without its trailing slashes.

    Raises:
        ValueError: it is not such an address, or holds a user name or password, which would be written to the memory.
    """
    url = url.strip()
    if "@" in url:
        raise ValueError(
            "must hold no user name or password, because it is written to memory and artifacts; secrets have their own "
            "keys, such as openfaas.password_file and grafana.token_env; write an @ of the path as %40"
        )
    require_no_placeholder(url)
    parts = urlsplit(url)
    example = "for example http://127.0.0.1:8080"
    wanted = f"must be an http:// or https:// address, {example}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(wanted)
    if found := re.search(r"[\s?#]", url):
        raise ValueError(f"must be an http:// or https:// address without {found[0]!r}, {example}")
    try:
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{wanted}; its port is not a number up to 65535") from error
    return url.rstrip("/")


def request_url(url: str) -> str:
    """Return an http or https address of a function: with path and query, without user name, password and fragment.

    Raises:
        ValueError: it is not such an address.
    """
    address, sign, query = url.strip().partition("?")
    plain_url(address)
    if re.search(r"[\s#]", query):
        raise ValueError("must hold no blank and no fragment (#)")
    path = urlsplit(address).path
    is_printable = re.fullmatch(r"[!-~]*", path + query)
    if not is_printable or re.search(r"%(?![0-9A-Fa-f]{2})", path):
        raise ValueError("must be percent-encoded after its host, for example http://127.0.0.1:8000/caf%C3%A9")
    return f"{address}{sign}{query}"


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
