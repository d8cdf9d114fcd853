"""The CRC-32 of a table's file, kept in the metadata of the file: a flipped bit in a value can make another value.

Parquet has a CRC-32 of each page, but DuckDB neither writes nor checks it.
"""

import zlib
from pathlib import Path
from typing import BinaryIO

UNSUMMED = "crc32=00000000"
"""The last value of the metadata in a file that has no checksum yet."""

_MARK, _DIGITS = b"crc32=", 8
_TRAILER_BYTES = 8
"""The end of a Parquet file: the length of its footer, which holds the metadata, and a magic number, 4 bytes each."""

_CHUNK_BYTES = 1 << 20


def store_checksum(path: Path) -> None:
    """Put the checksum of a file into its metadata, which is ``UNSUMMED`` before."""
    with path.open("r+b") as file:
        at = _place(file)
        checksum = _checksum(file, at)
        file.seek(at)
        file.write(checksum)


def is_as_written(path: Path) -> bool:
    """Tell whether a Parquet file has its checksum, or is of an export that wrote none."""
    with path.open("rb") as file:
        at = _place(file)
        if at < 0:
            return True
        file.seek(at)
        return file.read(_DIGITS) == _checksum(file, at)


def _place(file: BinaryIO) -> int:
    """Return where the digits of the checksum begin, -1 in a file without."""
    end = file.seek(-_TRAILER_BYTES, 2)
    begin = max(0, end - int.from_bytes(file.read(4), "little"))
    file.seek(begin)
    found = file.read(end - begin).rfind(_MARK)
    return -1 if found < 0 else begin + found + len(_MARK)


def _checksum(file: BinaryIO, at: int) -> bytes:
    """Return the CRC-32 of all bytes but the digits at ``at``, as hexadecimal digits."""
    file.seek(0)
    checksum, left = 0, at
    while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
        checksum, left = zlib.crc32(chunk, checksum), left - len(chunk)
    file.seek(at + _DIGITS)
    return f"{zlib.crc32(file.read(), checksum):0{_DIGITS}x}".encode()
