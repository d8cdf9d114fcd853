"""A node's map as one self-contained HTML file: no network, no server, no other file.

Names in a memory are untrusted. The template escapes them; the data are JSON without any ``<``; the page's script sets
texts, never markup; and the page's Content-Security-Policy allows only the two scripts of this file, and no requests.
"""

import base64
import hashlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from peva_env import __version__
from peva_env.errors import ConfigError, PevaError
from peva_env.maps import NodeMap, savings_of
from peva_env.report.data import map_data, run_data
from peva_env.report.predictions import predictions
from peva_env.report.texts import (
    certificate,
    failures,
    headline,
    load_text,
    provenance,
    savings,
    sentence_text,
    summary,
)
from peva_env.system import begins_with, install_text, moment_text, output_file, replacing

if TYPE_CHECKING:
    from jinja2 import Environment

_PAGE = Path(__file__).with_name("page")
_SCRIPTS = (
    "elements",
    "data",
    "table",
    "theme",
    "controls",
    "cell",
    "slices",
    "map",
    "configurations",
    "curves",
    "timeline",
    "main",
)
_MARK = b"<!doctype html>\n<!-- peva-env report -->"
"""The first bytes of every report; a file without them is not overwritten."""


def report_file(path: Path, *, inputs: Iterable[Path] = ()) -> Path:
    """Return the file that a report may be written to.

    Args:
        path: as given.
        inputs: files that the same command reads.

    Raises:
        ConfigError: the path names no file, or one that exists and is not a report, or one of the inputs.
    """
    return output_file("--out", path, what="a report", is_own=begins_with(_MARK), inputs=inputs)


def write_report(node_map: NodeMap, path: Path) -> None:
    """Write a map's report atomically. An older report is replaced, any other file is left as it is.

    A symbolic link stays; the file that it points to is written.

    Raises:
        ConfigError: jinja2 or plotly is not installed, or the file exists and is not a report.
        PevaError: the file cannot be written.
    """
    target = report_file(path)
    text = render(node_map, made_at=time.time())
    try:
        with replacing(target) as partial:
            partial.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PevaError(f"--out {path}: cannot be written: {error.strerror}") from error


def render(node_map: NodeMap, *, made_at: float) -> str:
    """Return the page of a map; ``made_at`` is in seconds since the epoch.

    Raises:
        ConfigError: jinja2 or plotly is not installed.
    """
    environment, plotly_script = _environment(), _plotly_script()
    probabilities, notes = predictions(node_map)
    script = "".join((_PAGE / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)
    text: str = environment.get_template("page.html.j2").render(
        version=__version__,
        policy=_policy(plotly_script, script),
        style=(_PAGE / "style.css").read_text(encoding="utf-8"),
        plotly_script=plotly_script,
        script=script,
        data=map_data(node_map, probabilities),
        runs=run_data(node_map),
        map=node_map,
        notes=[*node_map.notes, *notes],
        summary=summary,
        headline=headline,
        certificate=certificate,
        failures=failures,
        savings=savings,
        savings_of=savings_of,
        provenance=provenance,
        made_at=made_at,
    )
    return text


def _environment() -> "Environment":
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise ConfigError(f"a report needs jinja2, which is not installed: {install_text('report')}") from None
    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"load": load_text, "moment": moment_text, "sentence": sentence_text}
    return environment


def _plotly_script() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise ConfigError(f"a report needs plotly, which is not installed: {install_text('report')}") from None
    return str(get_plotlyjs())


def _policy(*scripts: str) -> str:
    """Return the Content-Security-Policy that allows these inline scripts and no others."""
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    # Plotly writes its own style element, and shows a heat map as a data: image.
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
