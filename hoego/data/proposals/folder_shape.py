"""Labels and subjects in a tree of folders: parts such as train and test, classes, subjects, and what is left out."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hoego.data.proposals.column_words import SUBJECT_WORDS
from hoego.data.proposals.commented_toml import Certainty
from hoego.data.readers.folders import compiled

_TESTS = "test testing testset eval evaluation pred"
_PARTS = f"train training trainset val valid validation dev {_TESTS}"
_KINDS = (
    "images image imgs img photos photo pictures jpegimages jpg jpeg png rgb raw original color colour data"
)
_MASKS = "mask masks segmentation segmentations annotation annotations groundtruth gt heatmap depth"
_TEST, _PART = frozenset(_TESTS.split()), frozenset(_PARTS.split())
_KIND, _MASK = frozenset(_KINDS.split()), frozenset(_MASKS.split())
_ID = re.compile(r"^(?:[A-Za-z]{0,12}[-_ ]?\d{2,}|[0-9a-f]{8,})\w{0,3}$")
_DATE = re.compile(r"^(?:19|20)\d\d[-_.]?[01]\d")
MANY, FEWEST_SUBJECTS = 50, 5


@dataclass(frozen=True, kw_only=True)
class FolderShape:
    """How folders spell the labels.

    Args:
        pattern: `dataset.pattern`.
        labels: names in it that are attributes.
        subject: the name in it that is the subject, or None.
        parts: folders such as train and test that lie above the class folders.
        exclude: glob patterns of the test part and of masks.
        test: the part that is the test set, or None.
        paths: photos that are taken [N].
        values: name -> value of each of them [N].
        passed: what is passed over: name -> number of photos.
        certainty, reason, question: of the layout, for people.
    """

    pattern: str
    labels: tuple[str, ...]
    subject: str | None
    parts: tuple[str, ...]
    exclude: tuple[str, ...]
    test: str | None
    paths: list[str]
    values: dict[str, list[str]]
    passed: dict[str, int]
    certainty: Certainty
    reason: str
    question: str = ""


@dataclass(kw_only=True)
class _Stripped:
    """Photos [N] with their folders below lone folders and parts, and what was taken out on the way."""

    paths: list[str]
    inner: list[tuple[str, ...]]
    parts: list[str] = field(default_factory=list)
    test: str | None = None
    exclude: list[str] = field(default_factory=list)
    passed: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Parts:
    """Photos without folders of classes, below folders such as train and test.

    Args:
        paths: photos outside the test part [N].
        parts: the folders' names.
        exclude: glob patterns of what is left out.
        test: the test part, or None.
    """

    paths: list[str]
    parts: tuple[str, ...]
    exclude: tuple[str, ...]
    test: str | None


def parts_of(paths: Sequence[str]) -> Parts:
    """Return the photos without their test part if the folders are parts and nothing more; else all."""
    tree = _stripped(paths)
    if tree is None or any(tree.inner) or not tree.parts:
        return Parts(list(paths), (), (), None)
    return Parts(tree.paths, tuple(tree.parts), tuple(tree.exclude), tree.test)


def folder_shape(paths: Sequence[str]) -> FolderShape | None:
    """Return the shape of a tree of photos (posix paths); None if all photos lie in one folder."""
    tree = _stripped(paths)
    if tree is None:
        return None
    depths = Counter(len(f) for f in tree.inner)
    depth = depths.most_common(1)[0][0]
    if not depth or depths[depth] < 0.8 * len(tree.inner):
        return None
    odd = [p for p, f in zip(tree.paths, tree.inner, strict=True) if len(f) != depth]
    for folder, n in Counter(p.rpartition("/")[0] for p in odd).items():
        tree.exclude.append(f"{folder}/*" if folder else "")
        tree.passed[folder or "photos outside every folder"] = n
    if any(not glob for glob in tree.exclude):
        tree.exclude = [*(g for g in tree.exclude if g), *(p for p in odd if "/" not in p)]
    kept = [k for k, f in enumerate(tree.inner) if len(f) == depth]
    tree.paths, tree.inner = [tree.paths[k] for k in kept], [tree.inner[k] for k in kept]
    levels = [[f[i] for f in tree.inner] for i in range(depth)]
    return _roles(tree, levels)


def _words(name: str) -> set[str]:
    return set(re.split(r"[^a-z]+", name.lower())) - {""}


def _is_part(name: str) -> bool:
    return bool(_words(name) & _PART) and len(_words(name)) <= 3


def _stripped(paths: Sequence[str]) -> _Stripped | None:
    """Remove lone folders around everything, and parts; the test part and flat photos are left out."""
    folders = [tuple(p.split("/")[:-1]) for p in paths]
    deep = [k for k, f in enumerate(folders) if f]
    if len(deep) < 0.5 * len(paths):
        return None
    tree = _Stripped(paths=[paths[k] for k in deep], inner=[folders[k] for k in deep])
    flat = [p for p in paths if "/" not in p]
    if flat:
        tree.exclude += flat
        tree.passed["photos outside every folder"] = len(flat)
    while all(tree.inner):
        names = {f[0] for f in tree.inner}
        parts = {n for n in names if _is_part(n)}
        if len(names) == 1 and (len(parts) == 1 or all(len(f) > 1 for f in tree.inner)):
            tree.inner = [f[1:] for f in tree.inner]
        elif parts and (parts == names or any(_words(n) & {"train", "training"} for n in parts)):
            if not tree.parts:
                tree.parts = sorted(parts)
                _leave_out(tree, names, parts)
            tree.inner = [f[1:] for f in tree.inner]
        else:
            break
    return tree if tree.inner else None


def _leave_out(tree: _Stripped, names: set[str], parts: set[str]) -> None:
    """Remove the test part, and folders beside the parts."""
    tests = sorted(n for n in parts if _words(n) & _TEST)
    if len(tests) < len(parts):
        ours = {n: sum(f[0] == n for f in tree.inner) for n in tests}
        tree.test = (
            _folder_of(tree, max(tests, key=lambda n: ("test" in _words(n), ours[n]))) if tests else None
        )
    else:
        tests = []
    out = set(tests) | (names - parts)
    for name in sorted(out):
        folder, n = _folder_of(tree, name), sum(f[0] == name for f in tree.inner)
        tree.exclude.append(f"{folder}/*")
        if folder != tree.test:
            tree.passed[folder] = n
    kept = [k for k, f in enumerate(tree.inner) if f[0] not in out]
    tree.paths, tree.inner = [tree.paths[k] for k in kept], [tree.inner[k] for k in kept]


def _folder_of(tree: _Stripped, name: str) -> str:
    path, inner = next((p, f) for p, f in zip(tree.paths, tree.inner, strict=True) if f[0] == name)
    whole = path.split("/")[:-1]
    return "/".join(whole[: len(whole) - len(inner) + 1])


def _roles(tree: _Stripped, levels: list[list[str]]) -> FolderShape | None:
    """Return which level of the folders is the label and which the subject."""
    known, masks = [], []
    for k, level in enumerate(levels):
        names = {n.lower() for n in level}
        kinds = len(levels) > 1 and names <= _KIND | _MASK and bool(names & _KIND)
        known.append((len(names) == 1 and len(levels) > 1) or kinds)
        masks += [(k, name) for name in sorted(set(level)) if kinds and name.lower() in _MASK]
    for k, name in masks:
        tree.exclude.append(f"*/{name}/*")
        tree.passed[f"*/{name}"] = levels[k].count(name)
        kept = [i for i, n in enumerate(levels[k]) if n != name]
        tree.paths = [tree.paths[i] for i in kept]
        levels = [[level[i] for i in kept] for level in levels]
    open_ = [k for k, done in enumerate(known) if not done]
    if not open_:
        return None
    if len(open_) == 1:
        return _one_level(tree, levels, open_[0])
    return _several_levels(tree, levels, open_)


@dataclass(frozen=True, kw_only=True)
class _Spelling:
    """How the levels are called (level -> its part of the pattern), which are labels, and how sure that is."""

    names: dict[int, str]
    labels: tuple[str, ...]
    certainty: Certainty
    reason: str
    question: str = ""


def _spelled(tree: _Stripped, depth: int, spelling: _Spelling) -> FolderShape:
    """Return the shape with a pattern that names the levels; levels after and between are `*`."""
    names = spelling.names
    first = min(names)
    pattern = "/".join(names.get(k, "*") for k in range(first, depth))
    regex, n = compiled(pattern), pattern.count("/") + 1
    spelled = [regex.fullmatch("/".join(p.split("/")[-n - 1 : -1])) for p in tree.paths]
    values = {name: [m.group(name) if m else "" for m in spelled] for name in regex.groupindex}
    return FolderShape(
        pattern=pattern,
        labels=spelling.labels,
        subject="subject" if "subject" in values else None,
        parts=tuple(tree.parts),
        exclude=tuple(tree.exclude),
        test=tree.test,
        paths=tree.paths,
        values=values,
        passed=tree.passed,
        certainty=spelling.certainty,
        reason=spelling.reason,
        question=spelling.question,
    )


def _one_level(tree: _Stripped, levels: list[list[str]], k: int) -> FolderShape | None:
    names, counts = sorted(set(levels[k])), Counter(levels[k])
    if len(names) < 2:
        return None
    pattern, labels = _class_pattern(names)
    certainty, question = _how_sure(names, counts)
    if labels != ("label",) and certainty == "sure":
        certainty, question = "likely", ""
    reason = f"{len(names)} class folders, such as {names[0]!r}"
    spelling = _Spelling(
        names={k: pattern}, labels=labels, certainty=certainty, reason=reason, question=question
    )
    return _spelled(tree, len(levels), spelling)


def _how_sure(names: Sequence[str], counts: Counter[str]) -> tuple[Certainty, str]:
    """Return whether folders are classes: not where they may be people, cases, dates or one photo each."""
    ask = (
        f"Are the {len(names)} folders, such as {names[0]!r}, the classes, or the subjects (dataset.subject)?"
    )
    few = sum(c < 2 for c in counts.values())
    people = [n for n in names if _words(re.sub(r"\d+", " ", n)) & set(SUBJECT_WORDS) and re.search(r"\d", n)]
    about_people = len(people) > 0.5 * len(names)
    numbered = sum(bool(_ID.match(n)) for n in names) > 0.8 * len(names)
    dated = sum(bool(_DATE.match(n)) for n in names) > 0.5 * len(names)
    if about_people or dated or few > 0.1 * len(names) or (numbered and len(names) >= 10):
        return "unsure", ask
    if len(names) > MANY and np.median(list(counts.values())) <= 5:
        return "unsure", ask
    return ("likely" if numbered or few or len(names) > 200 else "sure"), ""


def _several_levels(tree: _Stripped, levels: list[list[str]], open_: list[int]) -> FolderShape:
    """Take the level of many values that look like ids as the subject, the other level as the label."""
    if len(open_) > 2:
        return _spelled(tree, len(levels), _deep(levels, open_))
    a, b = open_
    outer, inner = levels[a], levels[b]
    role = _pair(outer, inner)
    shown = f"{len(set(outer))} folders, such as {outer[0]!r}, over {len(set(inner))}, such as {inner[0]!r}"
    if role.subject is None:
        ask = (
            f"Which folder is the class, the outer ({outer[0]!r}) or the inner one ({inner[0]!r}), "
            "and what is the other?"
        )
        names, labels = {a: "{group}", b: "{label}"}, ("label", "group")
        spelling = _Spelling(names=names, labels=labels, certainty="unsure", reason=shown, question=ask)
        return _spelled(tree, len(levels), spelling)
    label, subject = (b, a) if role.subject == "outer" else (a, b)
    names = {label: "{label}", subject: "{subject}"}
    spelling = _Spelling(
        names=names, labels=("label",), certainty=role.certainty, reason=shown, question=role.question
    )
    return _spelled(tree, len(levels), spelling)


def _deep(levels: list[list[str]], open_: list[int]) -> _Spelling:
    """Take, of three levels and more, the outermost of ids as the subject, the innermost of the rest as the
    label.
    """
    ids = [k for k in open_ if _like_ids(levels[k])]
    label = ([k for k in open_ if k not in ids] or open_)[-1]
    names = {label: "{label}"}
    if ids and ids[0] != label:
        names[ids[0]] = "{subject}"
    path = "/".join(levels[k][0] for k in open_)
    ask = (
        f"Which of the {len(open_)} levels of folders, such as {path!r}, is the class, and which the subject?"
    )
    reason = f"{len(open_)} levels of folders"
    return _Spelling(names=names, labels=("label",), certainty="unsure", reason=reason, question=ask)


@dataclass(frozen=True)
class _Pair:
    subject: str | None
    certainty: Certainty = "unsure"
    question: str = ""


def _pair(outer: Sequence[str], inner: Sequence[str]) -> _Pair:
    """Return which of two levels is the subject: the one of ids with many values; None where neither is."""
    parents: dict[str, set[str]] = defaultdict(set)
    for o, i in zip(outer, inner, strict=True):
        parents[i].add(o)
    n_outer, n_inner = len(set(outer)), len(parents)
    nested = sum(len(p) == 1 for p in parents.values()) > 0.8 * n_inner
    pairs = len(set(zip(outer, inner, strict=True)))
    ask = "Is each folder such as {} one subject (person, animal, burst), and {} the class?"
    if nested:
        several = n_inner >= 2 * n_outer and n_inner >= FEWEST_SUBJECTS
        if not several:
            return _Pair(None)
        ids = _like_ids(inner)
        sure: Certainty = "likely" if ids else "unsure"
        return _Pair("inner", sure, "" if ids else ask.format(repr(inner[0]), repr(outer[0])))
    both = (_like_ids(outer), _like_ids(inner))
    if n_outer >= max(FEWEST_SUBJECTS, 2 * n_inner) and (both[0] or n_outer >= 20) and not both[1]:
        far = both[0] and n_outer >= 10 and pairs >= 0.5 * n_outer * n_inner
        return _Pair(
            "outer", "likely" if far else "unsure", "" if far else ask.format(repr(outer[0]), repr(inner[0]))
        )
    if n_inner >= max(FEWEST_SUBJECTS, 2 * n_outer) and both[1]:
        return _Pair("inner", "unsure", ask.format(repr(inner[0]), repr(outer[0])))
    return _Pair(None)


def _like_ids(level: Sequence[str]) -> bool:
    """Return whether the folder names look like case numbers: a digit in nearly every name, one shape for most."""
    names = set(level)
    numbered = sum(bool(re.search(r"\d", n)) for n in names) if len(names) >= FEWEST_SUBJECTS else 0
    shapes = Counter(re.sub(r"\d+", "0", n) for n in names)
    return numbered > 0.9 * len(names) and shapes.most_common(1)[0][1] >= 0.5 * len(names)


def _class_pattern(names: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return `{a}___{b}` where the names of all classes are made of parts that recur, else `{label}`."""
    for separator in ("___", "__", " - ", "_", "-"):
        split = [n.split(separator) for n in names]
        if {len(s) for s in split} not in ({2}, {3}) or not all(part for s in split for part in s):
            continue
        values = [set(column) for column in zip(*split, strict=True)]
        product = int(np.prod([len(v) for v in values]))
        strong = separator in ("___", "__", " - ")
        recurs = any(len(v) < len(names) for v in values) and all(len(v) > 1 for v in values)
        if recurs and (strong or len(names) >= 0.6 * product):
            labels = tuple(("first", "second", "third")[: len(values)])
            return separator.join(f"{{{n}}}" for n in labels), labels
    return "{label}", ("label",)
