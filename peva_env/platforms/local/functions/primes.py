"""A CPU-bound function: under load it contends with its neighbours for the node's cores."""

from starlette.requests import Request

_LIMIT = 18_000


def primes(_request: Request) -> dict[str, int]:
    """Count the primes below 18,000 by trial division: about 5 ms of CPU."""
    found: list[int] = []
    for candidate in range(2, _LIMIT):
        if _is_prime(candidate, found):
            found.append(candidate)
    return {"below": _LIMIT, "primes": len(found)}


def _is_prime(candidate: int, smaller: list[int]) -> bool:
    for divisor in smaller:
        if divisor * divisor > candidate:
            return True
        if candidate % divisor == 0:
            return False
    return True
