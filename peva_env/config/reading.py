"""Reading YAML and JSON files that hold keys and values."""

import itertools
import json
import math
from collections.abc import Hashable
from pathlib import Path
from typing import Any, NoReturn

import yaml

from peva_env.config.explain import shown
from peva_env.errors import ConfigError


class _DuplicateKeyError(Exception):
    """A key stands twice in one mapping: the parsers would silently take the last of its values."""


_MERGE, _VALUE = (f"tag:yaml.org,2002:{sign}" for sign in ("merge", "value"))
"""The tags of << and =, which YAML 1.1 reads as something other than text."""


_LONGEST_CHARACTERS = 20_000_000
"""A file that holds more, or a device without an end, is no configuration; reading on could fill the memory."""

_MAX_REPEATED = 100_000
"""Values that the aliases of a file may repeat, all in all."""


class _Loader(yaml.SafeLoader):
    """YAML whose values can all be built and whose keys differ; else an error names the line."""

    def get_single_node(self) -> Any:
        # Called before any value is built: aliases of aliases could fill the machine's memory.
        root = super().get_single_node()
        self._flat: set[int] = set()
        sizes: dict[int, float] = {}
        if root is not None and _size(root, sizes) > len(sizes) + _MAX_REPEATED:
            problem = f"its aliases (*) expand to more than {_MAX_REPEATED:,} values, or an alias holds itself"
            raise yaml.constructor.ConstructorError(problem=problem)
        return root

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        # Replaces that of PyYAML 6.0.4, which may take the value of another mapping where several have a key.
        if id(node) in self._flat:
            return
        self._flat.add(id(node))
        own = self._own_keys(node)
        sources = own.pop(_MERGE, (None, None))[1]
        for source in sources.value if isinstance(sources, yaml.SequenceNode) else [sources] if sources else ():
            if not isinstance(source, yaml.MappingNode):
                problem = "<< merges mappings, and this is none"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=source.start_mark)
            self.flatten_mapping(source)
            for key, pair in self._own_keys(source).items():
                own.setdefault(key, pair)  # the first mapping that has the key
        node.value = list(own.values())

    def _own_keys(self, node: yaml.MappingNode) -> dict[Any, tuple[yaml.Node, yaml.Node]]:
        """Return the pairs of a mapping by the values of their keys, which must differ; that of << by its tag."""
        pairs: dict[Any, tuple[yaml.Node, yaml.Node]] = {}
        for pair in node.value:
            key_node = pair[0]
            if key_node.tag == _VALUE:
                key_node.tag = "tag:yaml.org,2002:str"
            key = _MERGE if key_node.tag == _MERGE else self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                problem = "a list or a mapping cannot be a key"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key_node.start_mark)
            if key in pairs:
                line, first = (one.start_mark.line + 1 for one in (key_node, pairs[key][0]))
                told = "'<<'" if key is _MERGE else f"{shown(key):.60}"
                raise _DuplicateKeyError(f"line {line}: the key {told} stands on line {first} already")
            pairs[key] = pair
        return pairs

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, int):
                str(value)  # refuses thousands of digits, which a hexadecimal number can have
            return value
        except (AttributeError, KeyError, ValueError) as error:
            kind = node.tag.rpartition(":")[2]
            problem = f"{node.value!r:.40} is no valid {kind}; in quotes, without a tag, it is text"
            raise yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark) from error


def _size(node: yaml.Node, sizes: dict[int, float]) -> float:
    """Return the number of values in a node, aliases expanded; ``sizes`` are those of each node, once it is counted."""
    if id(node) not in sizes:
        sizes[id(node)] = math.inf  # while its own parts are counted: a node that holds itself has no end
        parts = node.value if isinstance(node, yaml.CollectionNode) else ()
        if isinstance(node, yaml.MappingNode):
            parts = itertools.chain.from_iterable(parts)
        sizes[id(node)] = 1 + sum(_size(part, sizes) for part in parts)
    return sizes[id(node)]


def _refuse(_loader: _Loader, _node: yaml.Node) -> NoReturn:
    raise ValueError


for _sign in (_MERGE, _VALUE):
    _Loader.add_constructor(_sign, _refuse)


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML or JSON file that holds keys and values.

    Raises:
        ConfigError: the file cannot be read, is far too long, is not valid, or does not hold keys and values.
    """
    text = _text_of(path)
    try:
        data = _parsed(text, is_json=path.suffix == ".json")
    except _DuplicateKeyError as error:
        raise ConfigError(f"{path}: {error}") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}: line {error.lineno} is not valid JSON: {error.msg}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: is nested too deeply for a configuration") from error
    except yaml.reader.ReaderError as error:
        line_number = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{path}: line {line_number} is not valid YAML: holds the character {chr(error.character)!r}, "
            "which no text has; is it a text file?"
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1} " if mark else ""
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise ConfigError(f"{path}: {line}is not valid YAML: {problem:.200}") from error
    except ValueError as error:  # of JSON; the number is left out of its message
        raise ConfigError(f"{path}: holds a number of too many digits") from error
    if not isinstance(data, dict):
        what = "nothing" if data is None else f"{shown(data):.60}"
        raise ConfigError(f"{path}: must hold keys and values, each as `key: value`; it holds {what}")
    return data


def _text_of(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig") as file:  # some editors write a byte order mark, which JSON has not
            text = file.read(_LONGEST_CHARACTERS + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not a text file in UTF-8") from error
    if len(text) > _LONGEST_CHARACTERS:
        raise ConfigError(f"{path}: is longer than {_LONGEST_CHARACTERS:,} characters; is it the right file?")
    return text


def _parsed(text: str, *, is_json: bool) -> Any:
    return json.loads(text, object_pairs_hook=_object) if is_json else yaml.load(text, _Loader)  # noqa: S506 - a safe one


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON, whose keys must differ."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _DuplicateKeyError(f"the key {shown(key):.60} stands twice in one object")
        found[key] = value
    return found
