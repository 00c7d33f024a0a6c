"""Subjects and labels in the names of photos."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from hoego.data.proposals.commented_toml import Certainty

_WHO = "patient|person|subject|participant|pid|animal|track|driver|individual|volunteer|donor"
_BY_WORD = rf"((?:{_WHO})[-_ ]?[A-Za-z]*\d+)"
_GAP, _WORD, MOST_WORDS = "[-_. ]+", "[^/\\-_. ]+", 6
_COUNTED = r"([^/]+?)[-_ .](?:img|image|photo|pic|shot|view|frame|f|v|s|n)?[-_ ]?\d+\.[^./]+$"


def _patterns() -> list[str]:
    """Return what a subject may be in a name: a word for it with a number; its first words, fewest first; all
    but a count.
    """
    more = ["", *(f"(?:{_GAP}{_WORD}){{{k}}}" for k in range(1, MOST_WORDS))]
    first = [f"({_WORD}{rest}){_GAP}[^/]+[.][^./]+$" for rest in more]
    return [_BY_WORD, *(f"(?:^|/){pattern}" for pattern in first), _COUNTED]


_KEYWORD = re.compile(_BY_WORD, re.IGNORECASE)
_COUNT = re.compile(r"^(\D*)\d+$")
_DATE = re.compile(r"(?:19|20)\d\d[-_.]?[01]?\d")
_CAMERAS = "img imag image images dsc dscn dscf photo pic pict picture frame p screenshot whatsapp file"
_CAMERA = frozenset(_CAMERAS.split())
FEWEST, LEAST_SHARE, LARGEST_SHARE = 10, 0.02, 0.2
ASK = "Can several photos show the same subject? If the names tell which, set dataset.subject_regex."


@dataclass(frozen=True)
class NamedSubject:
    """A regular expression whose first group is the subject.

    Args:
        regex: for `dataset.subject_regex`.
        certainty, reason, question: for people.
    """

    regex: str
    certainty: Certainty
    reason: str
    question: str = ""


def subject_in_names(paths: Sequence[str], labels: Sequence[Sequence[str]]) -> NamedSubject | None:
    """Return a regular expression that finds the subject in the photos' paths.

    The fewest words of the names are taken that do: a group too large loses a little balance, one too small leaks.
    Accepted where it matches every path, makes at least 10 groups of 1.5 photos and more on average, none of them
    larger than a fifth of all photos, that are not the classes over again, and either what is left of the names recurs
    from group to group (`left` and `right`, 001 and 002) or the labels hold together within the groups more than at
    large.

    Args:
        paths: [N].
        labels: per attribute its values [N].
    """
    found: list[tuple[str, list[str], bool]] = []
    for pattern in _patterns():
        for text in (pattern, _with_folder(pattern)):
            regex = re.compile(text, re.IGNORECASE if pattern == _BY_WORD else 0)
            matches = [m for p in paths if (m := regex.search(p))]
            if len(matches) < len(paths):
                break
            groups = [m.group(1) for m in matches]
            rest = [p[m.end(1) :].rsplit(".", 1)[0] for m, p in zip(matches, paths, strict=True)]
            if len(set(zip(groups, rest, strict=True))) < 1.5 * len(set(groups)):
                continue  # photos of one name in several folders
            if not _are_groups(groups) or any(_is_label(groups, values) for values in labels):
                continue
            if text is pattern and pattern != _BY_WORD and _recurs_in_folders(groups, paths):
                continue  # counted anew in every folder: the folder belongs to the name
            recurs = len(set(rest)) <= len(paths) / 2
            if recurs or any(_holds_together(groups, values) for values in labels):
                found.append((f"(?i){text}" if pattern == _BY_WORD else text, groups, recurs))
                break
    return _chosen(found) if found else _in_some_names(paths)


def _chosen(found: Sequence[tuple[str, list[str], bool]]) -> NamedSubject:
    """Return the first that fits: the fewest words, so that nobody is divided; with a question if finer groups
    fit too.
    """
    regex, groups, recurs = found[0]
    sizes = Counter(groups)
    reason = f"file names make {len(sizes):,} groups of {len(groups) / len(sizes):.1f} photos, such as {groups[0]!r}"
    finer = next((g for _, g, _ in found[1:] if len(set(g)) > len(sizes)), None)
    dated = sum(1 for g in sizes if _DATE.search(g)) > 0.5 * len(sizes)
    by_word = regex.startswith("(?i)")
    if regex.removeprefix("(?i)").startswith("([^/]+/"):
        alone = groups[0].rsplit("/", 1)[-1]
        asked = f"Does {alone!r} name another subject in every folder? If not, remove the folder from subject_regex."
        return NamedSubject(regex, "unsure", reason, asked)
    if by_word or (recurs and not dated and finer is None):
        return NamedSubject(regex, "likely", reason)
    or_finer = f", or is {finer[0]!r}" if finer is not None else ""
    return NamedSubject(
        regex, "unsure", reason, f"Is each group, such as {groups[0]!r}, one subject{or_finer}?"
    )


def _with_folder(pattern: str) -> str:
    """Return the same subject with the folder's name before it."""
    plain = pattern.removeprefix("(?:^|/)")
    return f"([^/]+/{plain[1:]}" if pattern != _BY_WORD else f"([^/]+/[^/]*?{plain[1:]}"


def _is_label(groups: Sequence[str], values: Sequence[str]) -> bool:
    """Return whether each value of a label is in one group: then the names repeat the label."""
    return len(set(zip(groups, values, strict=True))) == len(set(values))


def _are_groups(groups: Sequence[str]) -> bool:
    sizes, n = Counter(groups), len(groups)
    return len(sizes) >= FEWEST and n / len(sizes) >= 1.5 and max(sizes.values()) <= max(n * LARGEST_SHARE, 4)


def _recurs_in_folders(groups: Sequence[str], paths: Sequence[str]) -> bool:
    """Return whether the groups are counts, and most of them are in several folders."""
    matches = [_COUNT.match(group) for group in set(groups)]
    if not all(matches) or len({m.group(1) for m in matches if m}) > 1:
        return False
    folders: dict[str, set[str]] = defaultdict(set)
    for group, path in zip(groups, paths, strict=True):
        folders[group].add(path.rpartition("/")[0])
    several = sum(len(f) > 1 for f in folders.values())
    return several > 0.5 * len(folders) and len({f for one in folders.values() for f in one}) > 1


def _in_some_names(paths: Sequence[str]) -> NamedSubject | None:
    """Group the photos whose names hold a subject by a word; every other photo stands alone."""
    found = [m.group(1).lower() for p in paths if (m := _KEYWORD.search(p.rsplit("/", 1)[-1]))]
    sizes = Counter(found)
    if len(found) < max(4, 0.05 * len(paths)) or len(found) == len(paths) or len(sizes) > 0.9 * len(found):
        return None
    reason = (
        f"{len(found):,} of {len(paths):,} names hold a subject, such as {found[0]!r} ({len(sizes):,} in all); photos "
        "of one can part unless they are held together, and every other photo counts as its own subject"
    )
    regex = f"(?i)((?:{_WHO})[-_ ]?[A-Za-z]*\\d+|[^/]+$)"
    return NamedSubject(regex, "unsure", reason, "Which subjects do the photos show whose names hold none?")


def _holds_together(groups: Sequence[str], values: Sequence[str]) -> bool:
    """Return whether photos of one group share their value much more often than any two photos do."""
    n = len(values)
    at_large = sum((c / n) ** 2 for c in Counter(values).values())
    per: dict[str, Counter[str]] = defaultdict(Counter)
    for g, v in zip(groups, values, strict=True):
        per[g][v] += 1
    pairs = same = 0
    for counts in per.values():
        k = sum(counts.values())
        pairs += k * (k - 1)
        same += sum(c * (c - 1) for c in counts.values())
    return bool(pairs) and at_large < 1 and same / pairs > at_large + 0.3 * (1 - at_large)


@dataclass(frozen=True)
class NamedLabels:
    """A regular expression whose named groups are attributes.

    Args:
        regex: for `dataset.label_regex`.
        values: name -> value of each photo [N].
        reason, question: for people.
    """

    regex: str
    values: dict[str, list[str]]
    reason: str
    question: str


def labels_in_names(paths: Sequence[str]) -> NamedLabels | None:
    """Return the labels in the file names: a class at the start (`cat.0.jpg`), or recurring fields
    (`25_0_1_x.jpg`).
    """
    return _by_word(paths) or _by_fields(paths)


def _by_word(paths: Sequence[str]) -> NamedLabels | None:
    text = r"(?:^|/)(?P<label>[^/\d]*[^/\d\W_])[-_. ()]*\d+[^/]*$"
    values = _matched(text, paths)
    if values is None:
        return None
    counts = Counter(values["label"])
    plain = {v.lower().strip("-_. ") for v in counts}
    if not 2 <= len(counts) <= len(paths) / 2 or min(counts.values()) < 2 or plain <= _CAMERA:
        return None
    first = min(counts)
    return NamedLabels(
        text,
        values,
        f"file names begin with {len(counts)} words, such as {first!r}",
        f"Is the word that a file name begins with, such as {first!r}, the class?",
    )


def _by_fields(paths: Sequence[str]) -> NamedLabels | None:
    stems = [p.rsplit("/", 1)[-1].split(".")[0] for p in paths]
    for separator in ("_", "-"):
        split = [s.split(separator) for s in stems]
        width = Counter(map(len, split)).most_common(1)[0][0]
        if width < 3 or any(len(s) != width for s in split):
            continue
        columns = list(zip(*split, strict=True))
        kept = [k for k, c in enumerate(columns) if 2 <= len(set(c)) <= max(2, min(120, len(paths) // 2))]
        if not kept:
            continue
        parts = [
            f"(?P<part{k + 1}>[^/{separator}]+)" if k in kept else f"[^/{separator}]*" for k in range(width)
        ]
        text = rf"(?:^|/){separator.join(parts)}[^/]*$"
        values = _matched(text, paths)
        if values is not None:
            shown = ", ".join(f"part {k + 1} ({len(set(columns[k]))} values)" for k in kept)
            asked = f"What do the parts of a name such as {stems[0]!r} say, and which is to be predicted?"
            return NamedLabels(text, values, f"file names have {width} parts: {shown}", asked)
    return None


def _matched(pattern: str, paths: Sequence[str]) -> dict[str, list[str]] | None:
    regex = re.compile(pattern)
    found = [regex.search(p) for p in paths]
    if not all(found):
        return None
    return {name: [m.group(name) for m in found if m] for name in regex.groupindex}
