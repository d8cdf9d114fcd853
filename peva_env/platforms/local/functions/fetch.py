"""An I/O-bound function: it waits for something remote and uses next to no CPU."""

import asyncio

from starlette.requests import Request

_WAIT_S = 0.05


async def fetch(_request: Request) -> str:
    """Wait 50 ms, as for a database; with 5 requests at once the capacity is 100 requests per second."""
    await asyncio.sleep(_WAIT_S)
    return "fetched"
