"""The part of YAML that settings files use, with the line of every value.

Mappings, sequences, flow lists and mappings, quoted and plain scalars, comments. Anchors, tags and block
scalars are passed over. A YAML library would lose the line numbers without more code than this, and none
is among the dependencies of the core.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_NUMBER = re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$")
_KEY = re.compile(r"""^(?P<key>"[^"]+"|'[^']+'|[^\s:#\[\]{},"'][^:#]*?)\s*:(?:\s+(?P<value>.*))?$""")


def read_yaml(text: str) -> Iterator[tuple[str, Any, int]]:
    """Yield (dotted key, plain value, line) of every scalar and every list of scalars.

    >>> list(read_yaml("optim:\\n  lr: 1e-3  # peak\\nsize: [224, 224]\\n"))
    [('optim.lr', 0.001, 2), ('size', [224, 224], 3)]
    """
    stack: list[tuple[int, str]] = []
    lists: dict[str, tuple[list[Any], int]] = {}
    counts: dict[str, int] = {}
    block: int | None = None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _without_comment(raw).rstrip()
        if not line.strip() or line.strip() in ("---", "..."):
            continue
        indent = len(line) - len(line.lstrip())
        if block is not None and indent > block:
            continue
        block = None
        content = line.strip()
        while stack and stack[-1][0] >= indent and not (content.startswith("- ") and stack[-1][0] == indent):
            stack.pop()
        while content == "-" or content.startswith("- "):
            while stack and stack[-1][0] > indent:
                stack.pop()
            if stack and stack[-1][0] == indent and stack[-1][1].isdigit():
                stack.pop()
            parent = ".".join(name for _, name in stack)
            content = content[1:].strip()
            if _KEY.match(content):
                counts[parent] = counts.get(parent, -1) + 1
                stack.append((indent, str(counts[parent])))
                indent += 2
            elif content:
                lists.setdefault(parent, ([], number))[0].append(_scalar(content))
                content = ""
        match = _KEY.match(content)
        if match is None:
            continue
        key, value = match["key"].strip("\"'"), (match["value"] or "").strip()
        dotted = ".".join([*(name for _, name in stack), key])
        if value in ("|", ">", "|-", ">-", "|+", ">+"):
            block = indent
        elif value and not value.startswith(("&", "*", "!")):
            yield dotted, _scalar(value), number
        else:
            stack.append((indent, key))
    for dotted, (items, number) in lists.items():
        yield dotted, items, number


def _without_comment(line: str) -> str:
    quote = ""
    for position, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "#" and (position == 0 or line[position - 1].isspace()):
            return line[:position]
    return line


def _scalar(text: str) -> Any:
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(part) for part in _parts(text[1:-1])]
    if text.startswith("{") and text.endswith("}"):
        pairs = (part.partition(":") for part in _parts(text[1:-1]))
        return {key.strip().strip("\"'"): _scalar(value.strip()) for key, _, value in pairs}
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    if _NUMBER.match(text):
        return float(text) if re.search(r"[.eE]", text) else int(text)
    return {"true": True, "false": False, "null": None, "~": None}.get(text.lower(), text)


def _parts(text: str) -> list[str]:
    parts, depth, current = [], 0, ""
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            parts.append(current.strip())
            current = ""
        else:
            current += letter
    if current.strip():
        parts.append(current.strip())
    return parts
