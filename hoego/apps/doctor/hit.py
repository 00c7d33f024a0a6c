"""What a check yields, and words that several checks share."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.source import SourceModule, word_set
from hoego.apps.doctor.syntax import identifiers, last, words


@dataclass(frozen=True, kw_only=True)
class DefectMatch:
    """A line at fault; `question` where a person must judge."""

    defect: str
    file: str
    line: int
    cell: int | None
    evidence: str
    detail: str
    question: bool = False


Check = Callable[[SourceProject], Iterator[DefectMatch]]


def match_defect(
    defect: str, module: SourceModule, node: ast.AST, detail: str, question: bool = False
) -> DefectMatch:
    """Return a match of a defect at the line of a node."""
    line = int(getattr(node, "lineno", 1))
    shown, cell = module.place(line)
    return DefectMatch(
        defect=defect,
        file=module.file,
        line=shown,
        cell=cell,
        evidence=module.text(line),
        detail=detail,
        question=question,
    )


_PEOPLE = word_set(
    "profile profiles person persons people subject subjects patient patients identity identities "
    "individual individuals pid id ids uid folders dirs subdirs unique groups groupby user users "
    "track tracks duplicates nunique human humans face_id participant participants speaker plant "
    "animal case cases"
)
_PHOTOS = word_set(
    "image images img imgs photo photos picture pictures jpg jpeg png dataset datasets imagefolder "
    "frame frames"
)
_NEUTRAL = word_set("dir root base exts extension size transform mean std batch width height channels")


def kind_of(identifier: str) -> str:
    """Return `people`, `photos` or "", read from an identifier's words."""
    parts = words(identifier)
    people = [w for w in parts if w in _PEOPLE]
    photos = [w for w in parts if w in _PHOTOS]
    if any(w in _NEUTRAL for w in parts) and not people:
        return ""
    if photos and people and set(people) <= {"id", "ids"}:
        return "photos"
    if people:
        return "people"
    return "photos" if photos else ""


def nearest_kind(trace: dict[str, int]) -> str:
    """Return which of people and photos is fewer steps from a value; empty where neither or both at once."""
    steps: dict[str, int] = {}
    for identifier, step in trace.items():
        kind = kind_of(identifier)
        if kind == "people" and set(words(identifier)) & _PEOPLE <= {"id", "ids"}:
            step += 3
        if kind:
            steps[kind] = min(step, steps.get(kind, step))
    people, photos = steps.get("people", 99), steps.get("photos", 99)
    if people == photos:
        return "both" if people < 99 else ""
    return "people" if people < photos else "photos"


_RANDOM_AUGMENTS = word_set(
    "ColorJitter AutoAugment RandAugment TrivialAugmentWide AugMix HorizontalFlip VerticalFlip Flip "
    "ShiftScaleRotate Rotate Affine Cutout CoarseDropout GaussNoise GaussianBlur Blur MotionBlur "
    "HueSaturationValue RGBShift ElasticTransform GridDistortion OpticalDistortion Perspective OneOf "
    "SomeOf RandomErasing ISONoise ImageCompression RandomApply RandomChoice Fliplr Flipud "
    "AddGaussianNoise"
)


def is_augmenting(name: str) -> bool:
    """Return whether a transform's class name draws at random."""
    return (
        name.startswith("Random") and name[6:7].isupper() and "Sampler" not in name
    ) or name in _RANDOM_AUGMENTS


def augmenting_calls(module: SourceModule, node: ast.AST) -> list[ast.Call]:
    """Return the calls inside a node that augment images."""
    return [c for c in ast.walk(node) if isinstance(c, ast.Call) and is_augmenting(last(module.name(c.func)))]


def loops_around(module: SourceModule, node: ast.AST) -> list[ast.For]:
    """Return the `for` loops that enclose a node within its function, innermost first."""
    found: list[ast.For] = []
    current = module.parents.get(node)
    while current is not None and not isinstance(
        current, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    ):
        if isinstance(current, ast.For):
            found.append(current)
        current = module.parents.get(current)
    return found


def over_loader(loop: ast.For) -> bool:
    """Return whether a loop runs over batches: its iterable is named like a loader."""
    return any(
        word in ("loader", "dataloader", "dl", "batches", "pbar", "batch") or word.endswith("loader")
        for identifier in identifiers(loop.iter)
        for word in words(identifier)
    )
