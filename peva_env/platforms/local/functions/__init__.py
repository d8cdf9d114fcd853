"""The sample functions of the local node, one of each kind; a first campaign needs no code of the user."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SampleFunction:
    """A shipped function: its file, the Python function in it, its concurrency limit, and its behaviour under load."""

    file: Path
    target: str
    concurrency: int
    description: str


def _sample(name: str, concurrency: int, description: str) -> SampleFunction:
    return SampleFunction(Path(__file__).with_name(f"{name}.py"), name, concurrency, description)


SAMPLES = {
    "checkout": _sample("checkout", 4, "mixed: 2 ms of CPU and 20 ms of waiting"),
    "fetch": _sample("fetch", 5, "I/O-bound: waits 50 ms, so it serves exactly 100 requests/s"),
    "primes": _sample("primes", 8, "CPU-bound: about 5 ms of CPU"),
    "thumbnail": _sample("thumbnail", 10, "memory-hungry: holds 8 MiB for 50 ms"),
}
"""The shipped functions by name."""
