"""Which column of a table is the subject: decided by what it is called, by its values and by the photos' names.

An identifier repeats over photos, has many values, and occurs in the names of its photos; a class does not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from hoego.data.proposals.column_words import (
    BOOKS,
    BOOKS_IF_NUMBERS,
    LABEL_WORDS,
    ORDER_WORDS,
    SUBJECT_WORDS,
    TAKEN,
    TRAITS,
    head,
    words,
)
from hoego.data.proposals.commented_toml import Certainty

_RECOGNISED = frozenset(("individual", "identity", "name"))  # often what is to be predicted itself
FEWEST, LEAST_SCORE, FAR = 10, 1.0, 1.0
_ID_SHAPE = r"^(?:[A-Za-z]+[-_ ]?\d+|[A-Za-z]*0\d+|[0-9a-f]{6,}|[\d.]{12,})\w{0,3}$"
NONE = "no column looks like one, so each photo counts as its own subject; if that is wrong, scores leak"
ASK = "Can several photos show one subject (person, animal, specimen, burst)? Then name its column: dataset.subject."


@dataclass(frozen=True)
class SubjectGuess:
    """The subject column that was found, or that there is none.

    Args:
        column: its name, or None.
        certainty, reason, question: for people.
    """

    column: str | None
    certainty: Certainty
    reason: str
    question: str = ""


@dataclass(frozen=True, kw_only=True)
class _Evidence:
    column: str
    strength: int
    marked: bool
    shaped: bool
    named: bool
    n_values: int
    n_photos: int

    @property
    def score(self) -> float:
        points = 2.0 * self.strength + 0.5 * self.marked + self.shaped + 2.0 * self.named
        few = self.n_values < min(FEWEST, max(3, self.n_photos // 20))
        return points - 2.0 * few

    @property
    def said(self) -> str:
        reasons = {
            "by its name": self.strength > 0,
            "the photos' names hold it": self.named,
            "its values look like ids": self.shaped and not self.named,
        }
        why = " and ".join(r for r, holds in reasons.items() if holds)
        return f"{why}, {self.n_values:,} for {self.n_photos:,} photos"


def guess_subject(texts: dict[str, pl.Series], paths: Sequence[str]) -> SubjectGuess:
    """Return the subject column of a table.

    Args:
        texts: column -> its values [N] as texts, blank = null.
        paths: of the photos [N]; empty where they are not known.
    """
    found = sorted(
        (e for c, values in texts.items() if (e := _weigh(c, values, paths)) is not None),
        key=lambda e: (-e.score, e.n_values, e.column),
    )
    if not found or found[0].score < LEAST_SCORE:
        return SubjectGuess(None, "unsure", NONE, ASK)
    best = _coarsest(found, texts)
    rest = [e for e in found if e is not best and e.score >= LEAST_SCORE]
    also = f"; {', '.join(e.column for e in rest)} could be joined to it" if rest else ""
    rivals = [e for e in rest if best.score - e.score < FAR and not _follows(texts, e.column, best.column)]
    certainty = _certainty(best, rivals, texts[best.column])
    question = ""
    if certainty == "unsure":
        others = ", or ".join([best.column, *(e.column for e in rivals[:2])])
        question = f"Which column names the subject: {others}, or another one (dataset.subject)?"
    return SubjectGuess(best.column, certainty, best.said + also, question)


def _certainty(best: _Evidence, rivals: Sequence[_Evidence], values: pl.Series) -> Certainty:
    if rivals or best.n_values < 3 or head(best.column)[0] in _RECOGNISED:
        return "unsure"
    if best.strength == 2 and best.n_values >= FEWEST and best.n_photos >= 1.2 * best.n_values:
        numbered = values.str.contains(r"\d").mean()
        return "sure" if best.marked or best.named or numbered == 1 else "likely"
    certain = best.strength > 0 or best.named
    return "likely" if certain and best.n_values >= FEWEST else "unsure"


def _weigh(column: str, values: pl.Series, paths: Sequence[str]) -> _Evidence | None:
    """Return the evidence for a column; None where it cannot be the subject."""
    n, distinct = len(values), values.n_unique()
    word, marked = head(column)
    strength = SUBJECT_WORDS.get(word, 0)
    parts = set(words(column))
    unfit = word in TRAITS | LABEL_WORDS | ORDER_WORDS or parts & LABEL_WORDS
    if values.null_count() or distinct < 2 or unfit or (distinct == 2 and n > 8):
        return None
    if distinct > 0.9 * n and not (strength == 2 and (marked or distinct < n)):
        return None
    if not strength and parts & (BOOKS | BOOKS_IF_NUMBERS | ORDER_WORDS | TAKEN):
        return None
    shaped = values.unique().str.contains(_ID_SHAPE).mean() == 1
    named = bool(paths) and distinct >= min(FEWEST, n // 4) and _in_names(values, paths)
    if not strength and not (marked or shaped):
        return None
    if strength == 1 and not named and distinct < max(FEWEST, n // 100):
        return None
    if not strength and distinct < FEWEST:
        return None
    return _Evidence(
        column=column,
        strength=strength,
        marked=marked,
        shaped=bool(shaped),
        named=named,
        n_values=distinct,
        n_photos=n,
    )


def _in_names(values: pl.Series, paths: Sequence[str]) -> bool:
    """Return whether the photos' paths hold the cell as a part of their own (leading zeros are ignored)."""
    for value, path in list(zip(values.to_list(), paths, strict=True))[:: max(1, len(paths) // 200)]:
        parts = re.split(r"[^A-Za-z0-9]+", path) + re.findall(r"\d+", path)
        plain = {p.lstrip("0").lower() for p in parts if p}
        wanted = re.sub(r"[^A-Za-z0-9]+", " ", value).split()
        if not wanted or not all(w.lstrip("0").lower() in plain for w in wanted):
            return False
    return True


def _coarsest(found: Sequence[_Evidence], texts: dict[str, pl.Series]) -> _Evidence:
    """Return the best column, or one of equal strength that holds several of its values together (a patient,
    not a study).
    """
    best = found[0]
    for other in found[1:]:
        enough = other.n_values >= FEWEST and other.n_values < best.n_values
        if other.strength == best.strength > 0 and enough and _follows(texts, best.column, other.column):
            best = other
    return best


def _follows(texts: dict[str, pl.Series], fine: str, coarse: str) -> bool:
    """Return whether each value of `fine` occurs with one value of `coarse`, or the reverse."""
    pairs = pl.DataFrame({"a": texts[fine], "b": texts[coarse]}).n_unique()
    return pairs in (texts[fine].n_unique(), texts[coarse].n_unique())
