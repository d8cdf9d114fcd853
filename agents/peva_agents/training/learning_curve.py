"""The learning curve: a CSV file that grows as training goes on, and its picture in a line of text."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from peva_env.errors import ConfigError
from peva_env.system import replacing

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 48
"""Characters of a picture, at most."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point of the curve: means over the latest training episodes, and over the validation episodes."""

    steps: int
    mean_return: float
    mean_length: float
    resolved: float
    validation_return: float
    validation_resolved: float


class LearningCurve:
    """The points of a training, in memory and in a file."""

    def __init__(self, path: Path, points: Sequence[Point] = ()) -> None:
        self.path = path
        self.points = list(points)

    @classmethod
    def read(cls, path: Path, *, until_steps: int) -> Self:
        """Return the curve of a training up to a checkpoint.

        Raises:
            ConfigError: the file is no learning curve.
        """
        try:
            with path.open(encoding="utf-8", newline="") as file:
                points = list(_points(csv.DictReader(file)))
        except FileNotFoundError:
            points = []
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"{path}: is no learning curve: {error!r}") from error
        return cls(path, [point for point in points if point.steps <= until_steps])

    @property
    def best(self) -> float:
        """The highest validation return, or minus infinity."""
        return max((point.validation_return for point in self.points), default=float("-inf"))

    def add(self, point: Point) -> None:
        """Add a point and write the whole file, aside first."""
        self.points.append(point)
        with replacing(self.path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Point)])
            writer.writeheader()
            for one in self.points:
                writer.writerow({name: _rounded(value) for name, value in asdict(one).items()})

    def lines(self) -> list[str]:
        """Return the curve as text: pictures of the returns and of the share resolved, from first to last."""
        if not self.points:
            return []
        titles = (("mean return", "mean_return"), ("resolved", "resolved"), ("validation return", "validation_return"))
        lines = []
        for title, name in titles:
            values = [getattr(point, name) for point in self.points]
            values = [value for value in values if value == value]  # NaN where no episode had ended yet
            if values:
                lines.append(f"{title:>18} {values[0]:8.3f} {sparkline(values)} {values[-1]:.3f}")
        return lines


def sparkline(values: Sequence[float]) -> str:
    """Return a bar for each value, or for each group of neighbours if there are more values than characters."""
    n = min(len(values), _WIDTH)
    groups = [values[i * len(values) // n : (i + 1) * len(values) // n] for i in range(n)]
    means = [sum(group) / len(group) for group in groups]
    low, spread = min(means), (max(means) - min(means)) or 1.0
    return "".join(_BARS[min(int((mean - low) / spread * len(_BARS)), len(_BARS) - 1)] for mean in means)


def _points(rows: csv.DictReader[str]) -> Iterator[Point]:
    for row in rows:
        values = {field.name: float(row[field.name]) for field in fields(Point)}
        yield Point(**values | {"steps": int(values["steps"])})  # type: ignore[arg-type]


def _rounded(value: float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
