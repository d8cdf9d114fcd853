"""The section of a function: its name, its request, the answers that count as success, and its own rates and rules."""

import re
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from peva_env.config.overload import FunctionOverloadConfig
from peva_env.config.rates import OwnRates
from peva_env.config.section import LARGEST_COUNT, Section
from peva_env.config.sendable import TOKEN, request_url, require_sendable

_FUNCTION_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.))*(?<!\.)")


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
        None, pattern=TOKEN.pattern, description="platform http: response header that names the function's revision"
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


def require_function_name(name: str) -> str:
    """Return a name that a function may have.

    Raises:
        ValueError: it may not.
    """
    if not _FUNCTION_NAME.fullmatch(name):
        raise ValueError("must start with a letter or digit and hold only letters, digits, '-', '_' or single dots")
    return name
