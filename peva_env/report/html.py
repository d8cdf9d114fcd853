"""A node's map as one HTML file that needs nothing else: no network, no server, no other file.

What is named in a memory comes from strangers. The template escapes it; the data are JSON in which no ``<`` is left;
the page's script sets texts, never markup; and the page's policy lets no script run but the two that are written here,
and nothing be fetched.
"""

import base64
import hashlib
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from peva_env import __version__
from peva_env.errors import ConfigError, PolicyError
from peva_env.maps import NodeMap, predict
from peva_env.report.data import Cell, cell_codes, page_data, run_data
from peva_env.report.texts import certificate, load_text, moment_text, savings, sentence_text, summary

if TYPE_CHECKING:
    from jinja2 import Environment

MAX_PREDICTED = 50_000
"""Unknown configurations whose probabilities are told: an estimate of many more would take minutes."""

_PAGE = Path(__file__).with_name("page")
_SCRIPTS = ("elements", "data", "table", "theme", "controls", "cell", "map", "configurations", "timeline", "main")
_MARK = b"<!doctype html>\n<!-- peva-env report -->"
"""How a report begins; what begins otherwise is not replaced by one."""


def write_report(node_map: NodeMap, path: Path) -> None:
    """Write a map's report: whole, or not at all. An older report is replaced, any other file is left as it is.

    Of a symbolic link it is the file that it leads to: the link stays.

    Raises:
        ConfigError: jinja2 or plotly is not installed, the file cannot be written, or is there and no report.
    """
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise ConfigError(f"--out {path}: is a symbolic link that leads nowhere; give another name")
    if target.exists() and not _is_report(target):
        raise ConfigError(f"--out {path}: is there already, and no report; give another name")
    text = render(node_map, made_at=time.time())
    try:
        _replace(target, text.encode("utf-8"))
    except OSError as error:
        raise ConfigError(f"--out {path}: cannot be written: {error.strerror}") from error


def render(node_map: NodeMap, *, made_at: float) -> str:
    """Return the page of a map; ``made_at`` is in seconds since the epoch.

    Raises:
        ConfigError: jinja2 or plotly is not installed.
    """
    environment, plotly_script = _environment(), _plotly_script()
    probabilities, notes = _probabilities(node_map)
    script = "".join((_PAGE / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)
    text: str = environment.get_template("page.html.j2").render(
        version=__version__,
        policy=_policy(plotly_script, script),
        style=(_PAGE / "style.css").read_text(encoding="utf-8"),
        plotly_script=plotly_script,
        script=script,
        data=page_data(node_map, probabilities),
        runs=run_data(node_map),
        map=node_map,
        notes=[*node_map.notes, *notes],
        summary=summary,
        certificate=certificate,
        savings=savings,
        made_at=made_at,
    )
    return text


def _probabilities(node_map: NodeMap) -> tuple[NDArray[np.float64] | None, Sequence[str]]:
    """Estimate how likely each unknown configuration is to be overloaded; without an estimate say why."""
    unknown = np.flatnonzero(cell_codes(node_map.known) == Cell.UNKNOWN)
    if not unknown.size or not node_map.runs:
        return None, []
    if unknown.size > MAX_PREDICTED:
        return None, [f"{unknown.size:,} configurations are unknown, too many to predict each"]
    try:
        return predict(node_map, [node_map.known.space.config(int(index)) for index in unknown]), []
    except (ConfigError, PolicyError) as error:
        return None, [f"what is unknown is not predicted: {error}"]


def _environment() -> "Environment":
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise ConfigError("a report needs jinja2, which is not installed: pip install 'peva-env[report]'") from None
    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"load": load_text, "moment": moment_text, "sentence": sentence_text}
    return environment


def _plotly_script() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise ConfigError("a report needs plotly, which is not installed: pip install 'peva-env[report]'") from None
    return str(get_plotlyjs())


def _policy(*scripts: str) -> str:
    """Return the Content-Security-Policy under which these inline scripts run, and no other."""
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    # Plotly writes its own style element, and shows a heat map as a data: image.
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"


def _is_report(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_MARK)) == _MARK


def _replace(path: Path, content: bytes) -> None:
    """Write a file aside and rename it, so that nobody ever meets half of it."""
    handle, aside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(aside).chmod(0o666 & ~_umask())
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
