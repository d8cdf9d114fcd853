"""A memory-hungry function: its use of RAM grows with the requests served at once."""

import time

from starlette.requests import Request

_IMAGE_BYTES = 8 * 2**20
_SHRINK = 1_024
_STORE_S = 0.05


def thumbnail(_request: Request) -> dict[str, int]:
    """Decode a picture of 8 MiB, shrink it, and hold it for 50 ms while the result is stored (all simulated)."""
    image = b"\x7f" * _IMAGE_BYTES  # not bytes(n): its zeros take no memory before they are touched
    small = image[::_SHRINK]
    time.sleep(_STORE_S)
    return {"image_bytes": len(image), "thumbnail_bytes": len(small)}
