"""The section of the overload rules: limits of the node, of all functions, and of single functions."""

import json
from typing import Any, NamedTuple

from pydantic import Field, StrictBool, field_validator

from peva_env.config.section import LARGEST_COUNT, Section

LATENCIES = ("mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms")
"""The measurements of a function that a latency rule can limit; the rule of ``p95_ms`` is ``p95_ms_max``."""


_LEAST = 1e-6
"""Margins are shares of the limits: with smaller limits they could become infinite."""


class _LatencyLimits(Section):
    """Highest latencies of successful requests, in milliseconds; null, the default, is no rule."""

    @field_validator("*")
    @classmethod
    def _is_not_tiny(cls, limit: object) -> object:
        if isinstance(limit, float) and 0 < limit < _LEAST:
            raise ValueError(f"must be at least {_LEAST:g}")
        return limit

    mean_ms_max: float | None = Field(None, gt=0, description="highest mean latency of a function, in ms")
    p50_ms_max: float | None = Field(None, gt=0, description="highest median latency of a function, in ms")
    p90_ms_max: float | None = Field(None, gt=0, description="highest 90th percentile of its latency, in ms")
    p95_ms_max: float | None = Field(None, gt=0, description="highest 95th percentile of its latency, in ms")
    p99_ms_max: float | None = Field(None, gt=0, description="highest 99th percentile of its latency, in ms")


class FunctionOverloadConfig(_LatencyLimits):
    """Rules for one function. A key that is left out is as in ``overload``; null switches the rule off here."""

    success_rate_min: float | None = Field(None, ge=0, le=1, description="lowest success rate")
    replicas_overload_threshold: int | None = Field(
        None, ge=1, le=LARGEST_COUNT, description="replicas that overload it"
    )
    backlog: StrictBool | None = Field(None, description="whether a growing queue overloads it")

    def with_rules(self, others: "FunctionOverloadConfig", own_path: str, other_path: str) -> "FunctionOverloadConfig":
        """Return these rules and some others of the same function; the paths are where they stand, for errors.

        Raises:
            ValueError: one rule has two values.
        """
        given = {key: getattr(others, key) for key in others.model_fields_set}
        for key in sorted(given.keys() & self.model_fields_set):
            if getattr(self, key) != given[key]:
                one, other = _as_yaml(given[key]), _as_yaml(getattr(self, key))
                raise ValueError(
                    f"{other_path}.{key} = {one} and {own_path}.{key} = {other}: are one rule; give it once"
                )
        return self.model_copy(update=given)


def _as_yaml(limit: float | None) -> str:
    return json.dumps(limit)


class FunctionLimits(NamedTuple):
    """The limits of one function, None where a rule is off; the latencies in ms, in the order of ``LATENCIES``."""

    success_rate_min: float | None
    replicas: int | None
    latencies_ms: tuple[float | None, ...]
    backlog: bool


RULES_ON_USE = ("cpu_overload_pct_of_capacity", "ram_overload_pct")
"""The rules on the node's CPU and RAM."""


class OverloadConfig(_LatencyLimits):
    """When a function or the node counts as overloaded; CPU and RAM are percent of capacity.

    A limit of null switches its rule off: what the rule is about need then not be measured.
    """

    cpu_overload_pct_of_capacity: float | None = Field(80, ge=0, le=100, description="null: no rule on CPU")
    ram_overload_pct: float | None = Field(90, ge=0, le=100, description="null: no rule on RAM")
    success_rate_node_min: float | None = Field(0.95, ge=0, le=1, description="null: no rule on the mean success")
    success_rate_function_min: float | None = Field(
        0.90, ge=0, le=1, description="null: no rule on a function's success"
    )
    replicas_overload_threshold: int | None = Field(15, ge=1, le=LARGEST_COUNT, description="null: no rule on replicas")
    backlog: StrictBool | None = Field(
        True, description="a function whose queue grows during the run is overloaded; false or null: no rule on it"
    )
    functions: dict[str, FunctionOverloadConfig] = Field(
        default_factory=dict, description="rules of single functions; functions[].overload is the same"
    )

    def limits_of(self, function: str) -> FunctionLimits:
        """Return the limits of a function: its own, and for the others those of all functions."""
        own = self.functions.get(function)
        if own is None:  # the usual case, several times a run
            latencies_ms = (self.mean_ms_max, self.p50_ms_max, self.p90_ms_max, self.p95_ms_max, self.p99_ms_max)
            replicas, backlog = self.replicas_overload_threshold, bool(self.backlog)
            return FunctionLimits(self.success_rate_function_min, replicas, latencies_ms, backlog)
        given = {key: getattr(own, key) for key in own.model_fields_set}
        return FunctionLimits(
            given.get("success_rate_min", self.success_rate_function_min),
            given.get("replicas_overload_threshold", self.replicas_overload_threshold),
            tuple(given.get(f"{name}_max", getattr(self, f"{name}_max")) for name in LATENCIES),
            bool(given.get("backlog", self.backlog)),
        )

    def without_use(self) -> "OverloadConfig":
        """Return these rules without those on the node's CPU and RAM."""
        return self.model_copy(update=dict.fromkeys(RULES_ON_USE))

    def as_context(self) -> dict[str, Any]:
        """Return the rules as plain data of a context.

        Rules of later versions are left out while they have their default, so that the rules of an earlier campaign
        are equal to those of a new one.
        """
        rules = self.model_dump(exclude={"functions", "backlog"})
        given = {
            key: value for key, value in rules.items() if key not in _LatencyLimits.model_fields or value is not None
        }
        if not self.backlog:
            given["backlog"] = False
        functions = {name: own.model_dump(exclude_unset=True) for name, own in self.functions.items()}
        return given | ({"functions": functions} if functions else {})
