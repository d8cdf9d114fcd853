"""The map of a table: which of its columns holds what, as a file of its own (``mapping.yml``)."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from peva_env.config import Section, read_mapping, require_function_name, validated
from peva_env.memory.importing import LatencyUnit, shortened


class Value(Section):
    """A number of each row: a column's, or a constant; times ``scale``. Just the column's name is enough."""

    column: str | None = Field(None, min_length=1, description="column that holds it")
    constant: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="instead of a column: the same in every row"
    )
    scale: float = Field(1, gt=0, allow_inf_nan=False, description="factor to this package's unit")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.column is None) == (self.constant is None):
            raise ValueError("give column or constant")
        return self


def _column(value: object) -> object:
    if isinstance(value, str):
        return {"column": value}
    if not isinstance(value, dict | Value):  # a column's name that YAML reads as a number, a date, true or false
        raise ValueError("must be the name of a column, in quotes, or hold column or constant")
    return value


Mapped = Annotated[Value, BeforeValidator(_column)]


class LatencyMap(Section):
    """Columns of a function's latencies, all in one unit."""

    unit: LatencyUnit = Field(description="ns, us, ms or s")
    mean: str | None = Field(None, min_length=1, description="column of the mean")
    p50: str | None = Field(None, min_length=1, description="column of the median")
    p95: str | None = Field(None, min_length=1, description="column of the 95th percentile")


class FunctionMap(Section):
    """What a row says of one function, which is absent where its rate is missing."""

    name: Annotated[str, AfterValidator(require_function_name)] | None = Field(None, description="its name")
    name_column: str | None = Field(None, min_length=1, description="column of its name, which may differ by row")
    rate_rps: Mapped = Field(description="offered requests per second, whole numbers; rounded if scaled")
    success_rate: Mapped | None = Field(None, description="share of requests that succeeded, 0 to 1")
    requests: Mapped | None = Field(None, description="offered requests, with failures instead of success_rate")
    failures: Mapped | None = Field(None, description="failed requests")
    latency: LatencyMap | None = None
    cpu_pct: Mapped | None = Field(None, description="percent of the node's capacity")
    ram_bytes: Mapped | None = None
    replicas: Mapped | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.name is None) == (self.name_column is None):
            raise ValueError("give name or name_column")
        counts = (self.requests is None, self.failures is None)
        if counts not in ((True, True), (False, False)) or (self.success_rate is None) == counts[0]:
            raise ValueError("give success_rate, or requests and failures")
        return self


class NodeMap(Section):
    """What a row says of the node."""

    cpu_pct: Mapped | None = Field(None, description="percent of capacity, 0 to 100")
    ram_pct: Mapped | None = Field(None, description="percent of capacity, 0 to 100")
    ram_bytes: Mapped | None = None


class TableMap(Section):
    """Which column of a table holds what. A row is a run of all functions that are present in it."""

    functions: list[FunctionMap] = Field(min_length=1)
    node: NodeMap = Field(default_factory=NodeMap)
    rest_s: Mapped | None = Field(None, description="rest of the node before the run, in seconds")
    overloaded: Mapped | None = Field(None, description="verdict of the table, 0 or 1, to compare with")

    @model_validator(mode="after")
    def _different_names(self) -> Self:
        counts = Counter(function.name for function in self.functions if function.name)
        for name, n in counts.items():
            if n > 1:
                raise ValueError(f"function {shortened(name)!r} is there twice")
        return self

    def columns(self) -> Iterator[tuple[str, str]]:
        """Yield each key that names a column, and the column."""
        yield from _columns(self.model_dump(exclude_none=True), "")


def _columns(part: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(part, list):
        for number, item in enumerate(part):
            yield from _columns(item, f"{path}[{number}]")
    elif isinstance(part, dict):
        for key, item in part.items():
            inner = f"{path}.{key}".lstrip(".")
            if key == "column":
                yield path, item
            elif key in ("name_column", "mean", "p50", "p95"):
                yield inner, item
            else:
                yield from _columns(item, inner)


def load_map(path: Path) -> TableMap:
    """Read a map from a YAML or JSON file.

    Raises:
        ConfigError: the file cannot be read, or a key or value is wrong; one line that names both.
    """
    return validated(TableMap, read_mapping(path), where=str(path))
