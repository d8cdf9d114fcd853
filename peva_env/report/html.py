"""A node's map, or those of several nodes, as one self-contained HTML file: no network, no server, no other file.

The page of several nodes shows them side by side. It has the page of each of them in a template, which a script puts in
the place of all when the address names the node: ``report.html?node=NAME``.

Names in a memory are untrusted. The template escapes them; the data are JSON without any ``<``; the page's script sets
texts, never markup; and the page's Content-Security-Policy allows only the scripts of this file, and no requests.
"""

import base64
import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from peva_env import __version__
from peva_env.errors import ConfigError, PevaError
from peva_env.maps import NodeMap, savings_of
from peva_env.report.data import fleet_data, map_data, run_data
from peva_env.report.predictions import predictions
from peva_env.report.texts import (
    certificate,
    failures,
    fleet,
    headline,
    load_text,
    provenance,
    savings,
    sentence_text,
    summary,
    unbroken,
)
from peva_env.system import begins_with, install_text, moment_text, output_file, replacing

if TYPE_CHECKING:
    from jinja2 import Environment

_PAGE = Path(__file__).with_name("page")
_SCRIPTS = (
    "elements",
    "states",
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
_FLEET_SCRIPTS = ("elements", "states", "theme", "cell", "fleet")
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
    _write(path, partial(render, node_map))


def write_fleet_report(maps: Mapping[str, NodeMap], path: Path) -> None:
    """Write the report of several nodes, side by side and each by itself; see ``write_report``.

    Raises:
        ConfigError: jinja2 or plotly is not installed, or the file exists and is not a report.
        PevaError: the file cannot be written.
    """
    _write(path, partial(render_fleet, maps))


def _write(path: Path, page: Callable[..., str]) -> None:
    target = report_file(path)
    text = page(made_at=time.time())
    try:
        with replacing(target) as aside:
            aside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PevaError(f"--out {path}: cannot be written: {error.strerror}") from error


def render(node_map: NodeMap, *, made_at: float) -> str:
    """Return the page of a map; ``made_at`` is in seconds since the epoch.

    Raises:
        ConfigError: jinja2 or plotly is not installed.
    """
    node_map = node_map.doubting()
    environment, plotly_script, script = _environment(), _plotly_script(), _script(_SCRIPTS)
    text: str = environment.get_template("page.html.j2").render(
        policy=_policy(plotly_script, script),
        plotly_script=plotly_script,
        script=script,
        is_of_fleet=False,
        made_at=made_at,
        **_node(node_map, *predictions(node_map)),
    )
    return text


def render_fleet(maps: Mapping[str, NodeMap], *, made_at: float) -> str:
    """Return the page of several nodes, by name; ``made_at`` is in seconds since the epoch.

    Raises:
        ConfigError: jinja2 or plotly is not installed.
    """
    maps = {name: one.doubting() for name, one in maps.items()}
    environment, plotly_script, script = _environment(), _plotly_script(), _script(_SCRIPTS)
    fleet_script, choose_script = _script(_FLEET_SCRIPTS), _script(["choose"])
    functions = fleet.functions_of(maps)
    likely = {name: predictions(one) for name, one in maps.items()}
    text: str = environment.get_template("fleet.html.j2").render(
        policy=_policy(plotly_script, script, fleet_script, choose_script),
        plotly_script=plotly_script,
        script=script,
        fleet_script=fleet_script,
        choose_script=choose_script,
        is_of_fleet=True,
        made_at=made_at,
        memory=Path(next(iter(maps.values())).memory).name,
        maps=maps,
        fleet=fleet,
        parts=fleet_data(maps, {name: probabilities for name, (probabilities, _) in likely.items()}),
        node_rows={name: fleet.node_row(one) for name, one in maps.items()},
        limit_rows={name: [fleet.limit_alone(one, function) for function in functions] for name, one in maps.items()},
        differing=fleet.differing(maps),
        pages={name: _node(one, *likely[name]) for name, one in maps.items()},
    )
    return text


def _node(node_map: NodeMap, probabilities: NDArray[np.float64] | None, notes: Sequence[str]) -> dict[str, Any]:
    """Return what the template of a node's page needs of its map and of ``predictions``."""
    return {
        "map": node_map,
        "data": map_data(node_map, probabilities),
        "runs": run_data(node_map),
        "notes": [*node_map.notes, *notes],
    }


def _script(names: Iterable[str]) -> str:
    return "".join((_PAGE / f"{name}.js").read_text(encoding="utf-8") for name in names)


def _environment() -> "Environment":
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise ConfigError(f"a report needs jinja2, which is not installed: {install_text('report')}") from None
    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"load": load_text, "moment": moment_text, "sentence": sentence_text, "unbroken": unbroken}
    environment.globals |= {
        "version": __version__,
        "style": (_PAGE / "style.css").read_text(encoding="utf-8"),
        "summary": summary,
        "headline": headline,
        "certificate": certificate,
        "failures": failures,
        "savings": savings,
        "savings_of": savings_of,
        "provenance": provenance,
    }
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
