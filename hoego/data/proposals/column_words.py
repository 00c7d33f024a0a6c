"""The words of column names: which mean a subject, a label, bookkeeping, and which word of a name decides."""

from __future__ import annotations

import re

_STRONG = (
    "patient person subject participant individual identity animal donor specimen pid mrn driver volunteer "
    "track tracklet actor speaker child infant"
)
_WEAK = (
    "group owner user lesion case video clip sequence seq burst study plant tree session scene series slide visit "
    "location site event encounter exam examination rescuer household family nest"
)
SUBJECT_WORDS = dict.fromkeys(_WEAK.split(), 1) | dict.fromkeys(_STRONG.split(), 2)
"""Words that mean a subject where they are what a column's name is about, by strength."""

_TARGET = "label labels class classes classname category target y diagnosis dx"
_LABEL = f"{_TARGET} finding findings disease species breed kind type variety genus"
_ORDER = "grade stage level severity score rank rating quality size degree"
TARGET_WORDS, LABEL_WORDS = frozenset(_TARGET.split()), frozenset(_LABEL.split())
ORDER_WORDS = frozenset(_ORDER.split())

_TRAITS = (
    "age sex gender race ethnicity height weight bmi position view projection name country laterality side eye "
    "skin hair colour color"
)
TRAITS = frozenset(_TRAITS.split())
"""Words for what is said of a subject: such a column is never the subject itself."""

_BOOKS = (
    "fold split subset partition set url link license licence author copyright md5 sha hash checksum unnamed bbox roi "
    "box exif usage"
)
_BOOKS_IF_NUMBERS = """
    frame index idx row number no nr order date time timestamp datetime year bytes filesize x x0 y0 x1 y1 x2 y2
    xmin ymin xmax ymax lat lon latitude longitude note notes comment comments remark source iso shutter orig
    pixel spacing
"""
_TAKEN = "camera site scanner device machine hospital batch session visit operator rater annotator location"
BOOKS, BOOKS_IF_NUMBERS = frozenset(_BOOKS.split()), frozenset(_BOOKS_IF_NUMBERS.split())
"""Words in a column's name that mean bookkeeping: whatever it holds, or where it holds numbers or many texts."""
TAKEN = frozenset(_TAKEN.split())
"""Words for where, how or by which operator a photo was taken: something to slice scores by, not to predict."""

_ID_ENDS = frozenset(
    ["id", "ids", "uid", "no", "nr", "num", "number", "code", "key", "name", "names", "index"]
)


def words(name: str) -> list[str]:
    """Return the words of a column's name.

    >>> words("patientID"), words("orig_w"), words("Skin Type")
    (['patient', 'id'], ['orig', 'w'], ['skin', 'type'])
    """
    split = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return [w for w in re.split(r"[^a-z0-9]+", split.lower()) if w]


def head(name: str) -> tuple[str, bool]:
    """Return the word that a column's name is about, and whether it is said to be an identifier.

    >>> head("Patient ID"), head("Patient Gender"), head("lesionid"), head("Subject Focus")
    (('patient', True), ('gender', False), ('lesion', True), ('focus', False))
    """
    parts = [w for w in words(name) if not w.isdigit()]
    marked = False
    while len(parts) > 1 and parts[-1] in _ID_ENDS:
        marked = True
        parts.pop()
    if not parts:
        return "", marked
    last = parts[-1]
    for end in ("id", "uid"):
        if last.endswith(end) and last.removesuffix(end) in SUBJECT_WORDS:
            return last.removesuffix(end), True
    return last, marked
