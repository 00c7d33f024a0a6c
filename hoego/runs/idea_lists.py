"""Bundled lists of ideas, each with its source and how often it was reported to help.

`promise` is (teams that found it helps + 1) / (teams that reported on it + 2): Laplace's rule of succession.
"""

from __future__ import annotations

from dataclasses import dataclass

_TEAMS = "reports of the mask competition's teams (Boostcamp AI Tech level 1, 2021-2023)"


@dataclass(frozen=True, kw_only=True)
class BundledIdea:
    """A bundled idea: its settings, the hypothesis, and where it comes from."""

    text: str
    overlay: tuple[str, ...]
    why: str
    source: str
    promise: float


def _team(text: str, overlay: tuple[str, ...], why: str, *, helped: int, not_: int) -> BundledIdea:
    source = f"{_TEAMS}: helped {helped}, did not {not_}"
    return BundledIdea(
        text=text, overlay=overlay, why=why, source=source, promise=(helped + 1) / (helped + not_ + 2)
    )


def _paper(text: str, overlay: tuple[str, ...], why: str, source: str) -> BundledIdea:
    return BundledIdea(text=text, overlay=overlay, why=why, source=source, promise=0.5)


LISTS: dict[str, tuple[BundledIdea, ...]] = {
    "mask-competition": (
        _team(
            "train the 60 edge at 58",
            ("train_edits.age.shift.60=58",),
            "people of 57 to 59 look like those of 60 and outnumber them",
            helped=5,
            not_=3,
        ),
        _team(
            "leave ages 27-29 and 57-59 out of training",
            ("train_edits.age.drop=[[27, 29], [57, 59]]",),
            "faces beside an edge teach the wrong side of it",
            helped=1,
            not_=0,
        ),
        _team(
            "oversample the rare classes fully",
            ("sampling.kind=oversample", "sampling.strength=1.0"),
            "macro F1 counts every class alike, the photos do not",
            helped=3,
            not_=5,
        ),
        _team(
            "oversample by the square root",
            ("sampling.kind=square_root",),
            "half way to balance overfits the rare class less",
            helped=3,
            not_=5,
        ),
        _team(
            "mixup on half of the batches", ("mixing.mixup.share=0.5",), "smoother borders", helped=3, not_=2
        ),
        _team(
            "CutMix with a free box",
            ("mixing.cutmix.share=0.5",),
            "no single part of the picture decides",
            helped=1,
            not_=3,
        ),
        _team(
            "CutMix of vertical halves of the face",
            ("mixing.cutmix_vertical.share=0.5",),
            "both halves of a face tell its age; a half keeps its layout where a box does not",
            helped=4,
            not_=0,
        ),
        _team("focal loss", ("loss=focal",), "the hard photos get the gradient", helped=3, not_=2),
        _team(
            "focal and F1 loss, 0.6 to 0.4",
            ("loss.focal=0.6", "loss.f1=0.4"),
            "the loss says what the score measures",
            helped=1,
            not_=0,
        ),
        _team(
            "one head per attribute",
            ("model.head=multi",),
            "mask and gender are easy; age may learn from photos of all of them",
            helped=4,
            not_=4,
        ),
    ),
    "imbalance": (
        _paper(
            "logit adjustment",
            ("loss=logit_adjusted",),
            "the prior of the training set is taken out of the loss",
            "Menon et al. 2021, Long-tail learning via logit adjustment",
        ),
        _paper(
            "class-balanced loss",
            ("loss=class_balanced",),
            "weights by the effective number of photos",
            "Cui et al. 2019, Class-balanced loss based on effective number of samples",
        ),
        _paper(
            "LDAM with deferred re-weighting",
            ("loss=ldam",),
            "a larger margin for rare classes",
            "Cao et al. 2019, Learning imbalanced datasets with label-distribution-aware margin loss",
        ),
        _paper(
            "progressive sampling",
            ("sampling.kind=progressive",),
            "features first from all photos, the decision from balanced classes",
            "Kang et al. 2020, Decoupling representation and classifier for long-tailed recognition",
        ),
    ),
    "generalise": (
        _paper(
            "TrivialAugment",
            ("augment.policy=trivialaugment",),
            "one strong random operation per photo, nothing to tune",
            "Müller and Hutter 2021, TrivialAugment: tuning-free yet state-of-the-art data augmentation",
        ),
        _paper(
            "random erasing",
            ("augment.erase=0.25",),
            "no single part of the picture decides",
            "Zhong et al. 2020, Random erasing data augmentation",
        ),
        _paper(
            "label smoothing",
            ("loss=smooth",),
            "less certain where labels err",
            "Szegedy et al. 2016, Rethinking the Inception architecture for computer vision",
        ),
        _paper(
            "sharpness-aware minimisation",
            ("optim.sam=0.05",),
            "flat minima carry over to new people",
            "Foret et al. 2021, Sharpness-aware minimization for efficiently improving generalization",
        ),
    ),
}
