"""How Sphinx makes the documentation site of these pages.

The pages are Markdown that can be read as it stands. Links to other sites are not fetched, and neither are inventories
of other projects: a build needs no network.
"""

import re
import sys
from enum import Enum, EnumType
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from sphinx.application import Sphinx
from sphinx.ext.napoleon import GoogleDocstring

sys.path.insert(0, str(Path(__file__).parent))

from command_reference import command_reference

from peva_env import __version__
from peva_env.cli import app as peva_env_command

project = "peva-env"
author = "the authors of peva-env"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
highlight_language = "text"
myst_heading_anchors = 4

nitpicky = True
nitpick_ignore_regex = [
    # Python and the libraries beneath: their inventories are on the network.
    (r"py:.*", r"(collections|contextlib|pathlib|numpy|gymnasium|_?duckdb)\..*|ResetNeeded|Axes"),
    # Short names for types, which stand in signatures as what they are called.
    (r"py:class", r"peva_(env|agents)\..*\.(Arrays|AskedRules|Basis|Choice|Floats|Indices|Info|Infos|Seeds)"),
    # Parts that nobody builds by hand.
    (
        r"py:class",
        r"peva_env\.(campaign|memory\.(tensors\.event_arrays|session_rules|parquet\.recording)|sources\.(replay\.runs|simulated\.(node_model|episodes|source)))\..*",
    ),
]

add_module_names = False
autodoc_default_options = {"exclude-members": "model_config"}  # pydantic's
autodoc_mock_imports = ["stable_baselines3"]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"peva-env {__version__}"
html_static_path = ["_static", "after-16-runs-dark.svg", "results-dark.svg"]
html_css_files = ["site.css"]
html_show_copyright = False

_COMMANDS_PAGE = "reference/commands"
_WITH_SECTIONS = {"module", "class", "exception", "function", "method"}


def setup(app: Sphinx) -> None:
    """Say what is done to pages, docstrings and signatures as they are read."""
    app.connect("source-read", _add_commands)
    app.connect("autodoc-process-docstring", _read_sections)
    app.connect("autodoc-process-signature", _readable_defaults)


def _add_commands(_app: Sphinx, page: str, text: list[str]) -> None:
    if page == _COMMANDS_PAGE:
        text[0] += command_reference(peva_env_command)


def _read_sections(_app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Read ``Args:`` and ``Raises:``; Napoleon's own hook also takes an attribute's words before a colon for a type."""
    if lines and lines[0].startswith("Alias for field number"):  # a named tuple's own words
        lines.clear()
    if isinstance(obj, EnumType):
        lines += ["", "One of " + ", ".join(f"``{name}``" for name in obj.__members__) + "."]
    if what in _WITH_SECTIONS:
        lines[:] = GoogleDocstring(lines, what=what, name=name, obj=obj, options=options).lines()


def _readable_defaults(
    _app: Sphinx, _what: str, _name: str, obj: Any, _options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Write defaults that are no Python, of enumerations and factories, as Python: else a signature cannot be read."""
    if isinstance(obj, type) and issubclass(obj, BaseModel | Enum):
        return "", None  # keys are explained on the page about the configuration, members follow
    if signature:
        signature = re.sub(r"<(\w+\.\w+): [^>]*>", r"\1", signature).replace("<factory>", "...")
    return signature, returns
