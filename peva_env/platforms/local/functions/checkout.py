"""A mixed function: some CPU, then some waiting, like most functions that serve a web page."""

import asyncio
import hashlib

from starlette.requests import Request

_HASH_ROUNDS = 9_000
_PAYMENT_S = 0.02


async def checkout(request: Request) -> dict[str, str]:
    """Sign an order (about 2 ms of CPU), then wait 20 ms for the payment."""
    order = await request.body() or b"order"
    receipt = hashlib.pbkdf2_hmac("sha256", order, b"salt", _HASH_ROUNDS)
    await asyncio.sleep(_PAYMENT_S)
    return {"receipt": receipt.hex()}
