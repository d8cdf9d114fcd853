"""Checks of what requests are made of: addresses, headers and bodies."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from peva_env.config.section import is_unicode

TOKEN = re.compile(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")  # RFC 9110, section 5.6.2
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HOST_PLACEHOLDER = re.compile(r"[{<][^{}<>]*[}>]")


def require_sendable(headers: Mapping[str, str], body: str) -> None:
    """Check that headers and body reach a function unchanged.

    Raises:
        ValueError: a header's name is invalid, its value holds a control character, or a text is not valid Unicode. The
            message does not show header values, which may be tokens.
    """
    for header, value in headers.items():
        if not TOKEN.fullmatch(header):
            raise ValueError(f"header {header!r}: is not a valid header name; use letters, digits and '-'")
        if _CONTROL.search(value):
            raise ValueError(f"header {header!r}: its value must not hold line breaks or control characters")
    if not is_unicode("".join((body, *headers.values()))):
        raise ValueError("body or headers: must be valid Unicode text")


def require_no_placeholder(address: str) -> None:
    """Refuse an address that somebody has yet to fill in.

    Raises:
        ValueError: it holds a placeholder such as ``{host.address}`` or ``<k3s-ip>``.
    """
    if found := _HOST_PLACEHOLDER.search(address):
        raise ValueError(
            f"{found[0]} is not replaced here: write the address itself, for example 10.0.0.50, in its place"
        )


def plain_url(url: str) -> str:
    """Return an http or https address without its trailing slashes.

    Raises:
        ValueError: it is not such an address, or holds a user name or password, which would be written to the memory.
    """
    url = url.strip()
    if "@" in url:
        raise ValueError(
            "must hold no user name or password, because it is written to memory and artifacts; secrets have their own "
            "keys, such as openfaas.password_file and grafana.token_env; write an @ of the path as %40"
        )
    require_no_placeholder(url)
    parts = urlsplit(url)
    example = "for example http://127.0.0.1:8080"
    wanted = f"must be an http:// or https:// address, {example}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(wanted)
    if found := re.search(r"[\s?#]", url):
        raise ValueError(f"must be an http:// or https:// address without {found[0]!r}, {example}")
    try:
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{wanted}; its port is not a number up to 65535") from error
    return url.rstrip("/")


def request_url(url: str) -> str:
    """Return an http or https address of a function: with path and query, without user name, password and fragment.

    Raises:
        ValueError: it is not such an address.
    """
    address, sign, query = url.strip().partition("?")
    plain_url(address)
    if re.search(r"[\s#]", query):
        raise ValueError("must hold no blank and no fragment (#)")
    path = urlsplit(address).path
    is_printable = re.fullmatch(r"[!-~]*", path + query)
    if not is_printable or re.search(r"%(?![0-9A-Fa-f]{2})", path):
        raise ValueError("must be percent-encoded after its host, for example http://127.0.0.1:8000/caf%C3%A9")
    return f"{address}{sign}{query}"
