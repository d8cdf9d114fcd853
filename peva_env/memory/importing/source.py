"""The bytes of a file, of a pipe or of the standard input, as text: unpacked and decoded."""

import gzip
import os
import re
import stat
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from peva_env.errors import MemoryStoreError

STDIN = Path("-")
"""Stands for the standard input."""

_GZIP = b"\x1f\x8b"
_UNPACK = "unpack it, or pack it by gzip"
_OTHER_KINDS = {
    rb"PK\x03\x04": "a ZIP archive or an Excel file; save its table as CSV",
    rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an Excel file; save its table as CSV",
    rb"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it",
    rb"Rar!\x1a\x07": "a RAR archive; unpack it",
    rb"(?s:.{257})ustar(?:\x00|  \x00)": "a tar archive; unpack it",
    rb"(?s:.{8}DUCK..)\x00{6}": "a DuckDB file; peva-env memory merge reads those that peva-env wrote",
    re.escape(_GZIP): "packed by gzip twice; unpack it once",
    rb"BZh[1-9]1AY&SY": f"packed by bzip2; {_UNPACK}",
    rb"\xfd7zXZ\x00": f"packed by xz; {_UNPACK}",
    rb"\x28\xb5\x2f\xfd": f"packed by zstd; {_UNPACK}",
    rb"PAR1(?s:.)*PAR1\Z": (
        "a Parquet file; peva-env memory preload reads a folder of such files that peva-env wrote, "
        "of others save the table as CSV"
    ),
}
"""What files are that begin so, and what to do with them."""

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8", "UTF-8 with BOM"),
    (b"\xff\xfe\x00\x00", "utf-32-le", "UTF-32"),  # begins as UTF-16 does
    (b"\x00\x00\xfe\xff", "utf-32-be", "UTF-32"),
    (b"\xff\xfe", "utf-16-le", "UTF-16"),
    (b"\xfe\xff", "utf-16-be", "UTF-16"),
)
_SAMPLE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a file.

    ``found`` names what had to be undone to read it, the encoding last. ``changed_at`` is when the file was last
    changed, in seconds since the epoch; a stream (the standard input, a pipe) was changed just now.
    """

    path: Path
    text: str
    found: tuple[str, ...]
    changed_at: float
    is_stream: bool


def read_source(path: Path) -> Source:
    """Read a file, a pipe, or the standard input (``-``).

    Raises:
        MemoryStoreError: it cannot be read, is a device that may have no end, is damaged, or is of another kind.
    """
    try:
        with open(0, "rb", closefd=False) if path == STDIN else path.open("rb") as file:
            status = os.fstat(file.fileno())
            if (stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)) and not file.isatty():
                what = "the standard input is closed or a device" if path == STDIN else "is a device"
                raise MemoryStoreError(f"{path}: {what}; give a file, a pipe, or - with a terminal")
            data = file.read()
    except OSError as error:
        raise MemoryStoreError(f"{path}: cannot be read: {error.strerror}") from error
    unpacked = _unpacked(path, data)
    text, encoding = _decoded(unpacked)
    is_stream = path == STDIN or not stat.S_ISREG(status.st_mode)
    found = ("gzip", encoding) if unpacked is not data else (encoding,)
    return Source(path, text, found, time.time() if is_stream else status.st_mtime, is_stream)


def _unpacked(path: Path, data: bytes) -> bytes:
    unpacked = data
    if data.startswith(_GZIP):
        try:
            unpacked = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise MemoryStoreError(f"{path}: is a damaged gzip file: {error}") from error
    for beginning, kind in _OTHER_KINDS.items():
        if re.match(beginning, unpacked):
            raise MemoryStoreError(f"{path}: is {kind}")
    return unpacked


def _decoded(data: bytes) -> tuple[str, str]:
    """Return the text and the name of its encoding. What is not UTF-8 or UTF-16 is taken for Latin-1."""
    for mark, encoding, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace"), name
    for encoding, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        if _is_utf16(data, encoding, first):
            return data.decode(encoding, errors="replace"), "UTF-16"
    try:
        return data.decode(), "UTF-8"
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":  # a cut file: half a character makes one refused cell
            return data.decode(errors="replace"), "UTF-8"
        return data.decode("latin-1"), "Latin-1"


def _is_utf16(data: bytes, encoding: str, first: int) -> bool:
    """Tell whether data without a BOM is UTF-16; ``first`` is the index of its first high byte.

    High bytes are mostly 0, as the text is mostly ASCII; and nothing is left of them once the text is decoded. The last
    byte of a cut file makes one refused cell.
    """
    high_bytes = data[first:_SAMPLE_BYTES:2]
    if 2 * high_bytes.count(0) <= len(high_bytes):
        return False
    try:
        return "\0" not in data[: len(data) // 2 * 2].decode(encoding)
    except UnicodeDecodeError:
        return False
