"""The words of code and pages are those of the field, and a function's docstring begins with a verb."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SUFFIXES = {".py", ".md", ".j2", ".toml"}
BUILT = {"_build", "generated", "__pycache__"}

WORDS = {
    "CannotSay": "NotEstimableError, the class that is raised",
    "ballast": "reserve",
    "behold": "see",
    "doomed": "to delete",
    "hark": "listen",
    "heard": "used, covered",
    "kin": "merged subjects",
    "lesson": "soft targets",
    "lessons": "soft targets",
    "mend": "correct, fix",
    "mended": "corrected, fixed",
    "mends": "corrects, fixes",
    "settle": "decide",
    "taught": "trained, soft targets",
    "teaching": "distillation, soft targets",
    "thereof": "of it",
    "whereof": "of which",
    "whom": "the subject, who",
    "workshop": "runner",
}
"""Words that may not appear -> what to write."""

NAMES_OF_FILES = (".ballast",)
"""Names that stay, since records on disk have them."""

NO_VERBS = re.compile(
    "a|all|an|as|because|both|by|each|every|for|from|how|if|in|it|its|no|none|of|on|one|that|the|their|this|those|what"
    "|when|where|whether|which|who|whose|why|with|without"
)
"""First words of a docstring that describes instead of saying what the function does."""


def texts() -> list[Path]:
    found = [*ROOT.glob("hoego/**/*"), *ROOT.glob("docs/**/*"), *ROOT.glob("*.md")]
    return sorted(p for p in found if p.suffix in SUFFIXES and not BUILT & set(p.relative_to(ROOT).parts))


def strange_words(text: str) -> list[tuple[int, str]]:
    """Return the line number and the word of every word in WORDS."""
    pattern = re.compile(rf"\b({'|'.join(WORDS)})\b", re.IGNORECASE)
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        for name in NAMES_OF_FILES:
            line = line.replace(name, "")
        found += [(number, match.group(1)) for match in pattern.finditer(line)]
    return found


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Return the functions of a module with a docstring, without properties, which are things."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node)
        and not any("property" in ast.unparse(decorator) for decorator in node.decorator_list)
    ]


def is_verb(word: str) -> bool:
    """Return whether a word can be an imperative: capitalised letters, no article, no third person."""
    plain = word.rstrip(",:.")
    return (
        bool(re.fullmatch("[A-Z][a-z]+", plain))
        and not NO_VERBS.fullmatch(plain.lower())
        and (not plain.endswith("s") or plain.endswith(("ss", "us")))
    )


def test_no_word_of_a_private_language() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {word} -> {WORDS.get(word.lower(), WORDS.get(word, ''))}"
        for path in texts()
        for number, word in strange_words(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Whom it shows.", ["Whom"]),
        ("kinds of skin", []),
        ("write the file `.ballast` beside the ballast", ["ballast"]),
        ("settings and settled", []),
    ],
)
def test_whole_words_are_found_in_any_case(text: str, words: list[str]) -> None:
    assert [word for _, word in strange_words(text)] == words


def test_docstrings_of_functions_begin_with_a_verb() -> None:
    found = []
    for path in sorted(ROOT.glob("hoego/**/*.py")):
        for node in functions(path):
            first = (ast.get_docstring(node) or "").split()[0]
            if not is_verb(first) and (path.name, node.name) != ("main.py", "hoego"):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {first}")
    assert found == []


@pytest.mark.parametrize("word", ["The", "What", "Raises", "Whether", "`a`", "0.5", "One", "Each"])
def test_other_first_words_are_refused(word: str) -> None:
    assert not is_verb(word)
    assert is_verb("Return")
    assert is_verb("Pass")
