"""Choose the target among several attributes: by its name, by which determines which, or leave it open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from hoego.data.proposals.column_words import LABEL_WORDS, ORDER_WORDS, TARGET_WORDS, TRAITS, head, words
from hoego.data.proposals.commented_toml import Certainty
from hoego.data.proposals.draft import Draft
from hoego.data.proposals.guess_columns import ColumnGuess, GuessedColumns, determines
from hoego.data.readers.indicators import attribute_name, labels_in, number_of
from hoego.data.spelling import written_alike
from hoego.errors import first_few
from hoego.recipe.sections import MultiSettings

SHOWN = 6


@dataclass(frozen=True)
class _Claim:
    guess: ColumnGuess
    points: int


def propose_labels(draft: Draft, columns: GuessedColumns, frame: pl.DataFrame) -> None:
    """Write the labels and the target into the draft, with what was inferred."""
    if columns.several.multi.columns:
        _several(draft, columns, frame)
    elif columns.several.one_hot:
        _one_hot(draft, columns)
    else:
        _attributes(draft, columns, frame)


def _beside(draft: Draft, attributes: Sequence[ColumnGuess]) -> None:
    why = "not among the labels; list it under [labels.attributes] to predict it as well"
    for guess in attributes:
        draft.infer(f"column {guess.column}", "no label", "likely", why)


def _one_hot(draft: Draft, columns: GuessedColumns) -> None:
    held = columns.several.one_hot
    draft.labels["attributes"] = {"label": {"one_hot": list(held)}}
    draft.labels["target"] = "label"
    draft.infer("attribute label", "one-hot", "likely", columns.several.reason)
    shown = ", ".join(held[:SHOWN])
    draft.infer("target", "label", "likely", f"the column that holds 1: {shown}")
    _beside(draft, columns.attributes)


def _several(draft: Draft, columns: GuessedColumns, frame: pl.DataFrame) -> None:
    multi = columns.several.multi
    counts = _positives(multi, frame)
    values = {
        k: list(v) if isinstance(v, tuple) else v for k, v in multi.model_dump(exclude_defaults=True).items()
    }
    draft.labels["multi"] = values
    first = max(counts, key=lambda label: min(counts[label], frame.height - counts[label]))
    draft.labels["target"] = attribute_name(first)
    labels = first_few(list(counts), SHOWN)
    said = f"{columns.several.reason}; {len(counts)} labels of no and yes: {labels}"
    question = ""
    if not multi.separator:
        said += f"; -1 is taken as {multi.uncertain}, blank as {multi.blank}"
        question = (
            "What do -1 and a blank cell mean: mask, yes or no (labels.multi.uncertain, labels.multi.blank)?"
        )
    draft.infer("multi", f"{len(counts)} labels", "likely", said)
    why = (
        "several labels for a photo: each is scored by itself, runs are ranked by this one, the most balanced"
    )
    draft.infer(
        "target", draft.labels["target"], "unsure", why, question or "Which label are runs to be ranked by?"
    )
    _beside(draft, columns.attributes)


def _positives(multi: MultiSettings, frame: pl.DataFrame) -> dict[str, int]:
    """Return how many photos have each label."""
    if not multi.separator:
        cells = {c: frame[c].cast(pl.String).to_list() for c in multi.columns}
        return {c: sum(number_of(t) == 1 for t in texts) for c, texts in cells.items()}
    named = [labels_in(t, multi) or set() for t in frame[multi.columns[0]].cast(pl.String).to_list()]
    return {label: sum(label in one for one in named) for label in sorted(set().union(*named))}


def _attributes(draft: Draft, columns: GuessedColumns, frame: pl.DataFrame) -> None:
    attributes = columns.attributes
    draft.labels["attributes"] = {a.name: _settings(draft, a) for a in attributes}
    texts = {a.column: frame[a.column].cast(pl.String) for a in attributes}
    claims = sorted((_Claim(a, _points(a, columns.aliases)) for a in attributes), key=lambda c: -c.points)
    best, rest = claims[0], claims[1:]
    asked = _asked([c.guess for c in claims])
    if not rest:
        certainty, question = _lone(best)
        _choose(draft, best.guess, certainty, "there is no other attribute", question)
        return
    if best.points >= 2 and best.points > rest[0].points:
        why = "by its name; the others are attributes beside it"
        _choose(draft, best.guess, "sure" if best.points > 2 else "likely", why)
        return
    ruler = _ruler(attributes, texts)
    if ruler is not None and best.points < 2:
        others = ", ".join(b.name for b in attributes if b is not ruler)
        doubtful = head(ruler.column)[0] in TRAITS or len(ruler.classes) > max(10, frame.height // 20)
        why = f"it determines {others}"
        _choose(draft, ruler, "unsure" if doubtful else "likely", why, asked if doubtful else "")
        return
    if best.points >= 2:
        tied = ", ".join(c.guess.name for c in claims if c.points == best.points)
        _choose(draft, best.guess, "unsure", f"by its name, and so does each of {tied}", asked)
        return
    draft.labels |= {"target": "composite", "composite": [a.name for a in attributes]}
    why = f"the class is made of {', '.join(a.name for a in attributes)}"
    draft.infer("target", "composite", "unsure", why, asked)


def _asked(attributes: Sequence[ColumnGuess]) -> str:
    names = first_few([a.name for a in attributes], SHOWN)
    return f"Which is to be predicted (labels.target): {names}, or all together (composite)?"


def _choose(draft: Draft, guess: ColumnGuess, certainty: Certainty, why: str, question: str = "") -> None:
    alike = written_alike(guess.classes)
    if alike and certainty != "unsure":
        certainty = "unsure"
        question = _one_class(alike)
    draft.labels["target"] = guess.name
    draft.infer("target", guess.name, certainty, why, question)


def _one_class(alike: Sequence[Sequence[str]]) -> str:
    groups = [", ".join(group) for group in alike[:SHOWN]]
    return f"Is each of these one class: {'; '.join(groups)}? Then write it alike in the table."


def _lone(claim: _Claim) -> tuple[Certainty, str]:
    """Return how certain it is that the only attribute is the target: by its name, else by whether it looks
    like classes.
    """
    trait = head(claim.guess.column)[0] in TRAITS
    if claim.points >= 1 or (
        not trait and claim.guess.certainty != "unsure" and claim.guess.kind != "binned"
    ):
        return ("sure" if claim.points >= 2 else "likely"), ""
    return "unsure", f"Is {claim.guess.column!r} what is to be predicted (labels.target)?"


def _points(guess: ColumnGuess, aliases: Mapping[str, str]) -> int:
    """Return how much the names of an attribute's columns look like a target's."""
    names = [guess.column, *(dropped for dropped, kept in aliases.items() if kept == guess.column)]
    return max(points_of(name) for name in names)


def points_of(name: str) -> int:
    """Return how much a column's name looks like a target's: 3 by its whole name, 2 by its main word, 1 by any
    word, else 0.
    """
    parts = words(name)
    about = head(name)[0]
    if about in TARGET_WORDS and len(set(parts) - {"id", "name", "code"}) == 1:
        return 3
    if about in TARGET_WORDS:
        return 2
    return int(bool(set(parts) & TARGET_WORDS or about in LABEL_WORDS | ORDER_WORDS))


def _ruler(attributes: Sequence[ColumnGuess], texts: dict[str, pl.Series]) -> ColumnGuess | None:
    """Return the attribute that determines all others, where there is one without blanks and bins."""
    plain = [a for a in attributes if a.kind != "binned" and not a.missing]
    for a in plain:
        if all(b is a or (b in plain and determines(texts, a, b)) for b in attributes):
            return a
    return None


def _settings(draft: Draft, a: ColumnGuess) -> dict[str, Any]:
    out: dict[str, Any] = {} if a.column == a.name else {"column": a.column}
    out["kind"] = a.kind
    if a.kind == "binned":
        out["edges"] = [int(e) if e.is_integer() else e for e in a.edges]
    elif len(a.classes) <= 30:
        out["classes"] = list(a.classes)
    if a.missing:
        out["missing"] = "allow"
    blank = "; it has blanks, which are masked" if a.missing else ""
    alike = written_alike(a.classes)
    question = _one_class(alike) if alike else ""
    certainty = "unsure" if alike else a.certainty
    draft.infer(f"attribute {a.name}", a.kind, certainty, a.reason + blank, question)
    return out
