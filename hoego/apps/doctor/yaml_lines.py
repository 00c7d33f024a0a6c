"""Settings of a YAML file with the line of every value, read from PyYAML's nodes: nothing is constructed or run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

_NUMBER = re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
MOST_VALUES = 50_000
"""More than so many values (aliases of aliases make them) are not settings."""


def read_yaml(text: str) -> Iterator[tuple[str, Any, int]]:
    """Yield (dotted key, plain value, line) of every scalar, every list of scalars and every mapping on one line.

    Numbers are those that people mean: `1e-3` is one, though YAML 1.1 takes it for a text. Tags are passed over, and so
    are texts in blocks; aliases and merged mappings are followed.

    Raises:
        yaml.YAMLError: the text is not YAML.
        ValueError: it holds too many values.

    >>> list(read_yaml("optim:\\n  lr: 1e-3  # peak\\nsize: [224, 224]\\n"))
    [('optim.lr', 0.001, 2), ('size', [224, 224], 3)]
    """
    for document in yaml.compose_all(text, Loader=yaml.SafeLoader):
        if document is not None and _count(document, {}) > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES:,} values")
        yield from _values("", document, 1)


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many nodes there are with every alias followed; counted once for each node, since aliases multiply."""
    if id(node) not in known:
        known[id(node)] = MOST_VALUES + 1  # met again before it is counted: it holds itself
        below = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else []
        below += node.value if isinstance(node, yaml.SequenceNode) else []
        known[id(node)] = 1 + sum(_count(part, known) for part in below)
    return known[id(node)]


def _values(key: str, node: yaml.Node | None, line: int) -> Iterator[tuple[str, Any, int]]:
    """Yield the values below a node; `line` is that of its key."""
    if isinstance(node, yaml.ScalarNode):
        if node.style not in ("|", ">") and node.value and key:
            yield key, _plain(node), line
    elif isinstance(node, yaml.SequenceNode):
        yield from _items(key, node, line)
    elif isinstance(node, yaml.MappingNode):
        if node.flow_style and key and _is_flat(node):
            yield key, _plain(node), line
            return
        for name, value in node.value:
            below = _dotted(key, str(name.value))
            merged = name.value == "<<"
            yield from _values(key if merged else below, value, name.start_mark.line + 1)


def _items(key: str, node: yaml.SequenceNode, line: int) -> Iterator[tuple[str, Any, int]]:
    """Yield a list of scalars as one value; the mappings of a list under their positions."""
    plain = [item for item in node.value if _is_flat(item) and not _is_block(item)]
    blocks = [item for item in node.value if _is_block(item)]
    for position, item in enumerate(blocks):
        yield from _values(_dotted(key, str(position)), item, item.start_mark.line + 1)
    if plain or not node.value:
        at = line if node.flow_style or not plain else plain[0].start_mark.line + 1
        yield key, [_plain(item) for item in plain], at


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.MappingNode) and not node.flow_style


def _is_flat(node: yaml.Node) -> bool:
    if isinstance(node, yaml.SequenceNode):
        return all(_is_flat(item) for item in node.value)
    if isinstance(node, yaml.MappingNode):
        return all(_is_flat(value) for _, value in node.value)
    return True


def _plain(node: yaml.Node) -> Any:
    """Return the value of a node as plain Python."""
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return {str(name.value): _plain(value) for name, value in node.value}
    text = str(node.value)
    if getattr(node, "style", None) is not None:
        return text
    if _NUMBER.match(text):
        return float(text) if re.search(r"[.eE]", text) else int(text)
    return _WORDS.get(text.lower(), text)


def _dotted(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name
