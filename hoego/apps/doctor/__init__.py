"""What is wrong with an existing training folder, read without running any of it.

`diagnose_folder` lists defects of the table in `hoego.apps.doctor.defects` with file and line; `to_recipe` converts
flags,
configuration and shell scripts into a Hoego recipe; `against` lists where a folder chooses differently from a recipe.
"""

from __future__ import annotations

from pathlib import Path

from hoego.apps.doctor import (
    doubled,
    ensembles,
    flags,
    folds,
    inputs,
    loop,
    losses,
    membership,
    pixels,
    scoring,
    selecting,
    splitting,
)
from hoego.apps.doctor.against import Difference, Differences, against
from hoego.apps.doctor.convert import Conversion, ConvertedSetting, UnconvertedSetting, to_recipe
from hoego.apps.doctor.defects import BY_ID, DEFECTS, Defect
from hoego.apps.doctor.hit import Check
from hoego.apps.doctor.project import SourceProject
from hoego.apps.doctor.report import (
    DefectFinding,
    DoctorReport,
    Question,
    SourceLocation,
    UnreadFile,
    ordered,
)
from hoego.apps.doctor.source import read_folder

CHECKS: dict[str, Check] = {
    "photo-split": splitting.photo_split,
    "one-model-for-all-folds": folds.one_model_for_all_folds,
    "people-with-replacement": splitting.people_with_replacement,
    "listing-order": membership.listing_order,
    "shared-augmentation": inputs.shared_augmentation,
    "best-by-accuracy": selecting.best_by_accuracy,
    "no-f1": selecting.no_f1,
    "validation-drop-last": scoring.validation_drop_last,
    "unused-flag": flags.unused_flag,
    "flag-type": flags.flag_type,
    "size-order": pixels.size_order,
    "own-preprocessing": pixels.own_preprocessing,
    "smoothing-zero": losses.smoothing_zero,
    "loss-classes": losses.loss_classes,
    "shared-class-lists": inputs.shared_class_lists,
    "std-formula": pixels.std_formula,
    "batch-f1": scoring.batch_f1,
    "micro-f1": scoring.micro_f1,
    "filter-before-split": membership.filter_before_split,
    "augmented-before-split": doubled.augmented_before_split,
    "inverted-probability": loop.inverted_probability,
    "picked-by-leaderboard": ensembles.picked_by_leaderboard,
    "fitted-on-validation": ensembles.fitted_on_validation,
    "unsafe-load": loop.unsafe_load,
    "no-seed": loop.no_seed,
    "no-eval-mode": loop.no_eval_mode,
    "train-mode-lost": loop.train_mode_lost,
    "softmax-before-cross-entropy": losses.softmax_before_cross_entropy,
    "trains-on-validation": loop.trains_on_validation,
}


def diagnose_folder(path: Path | str) -> DoctorReport:
    """Look for every defect of the table in a training folder, by reading alone.

    Args:
        path: a folder with Python files, notebooks, shell scripts and settings, or one such file.

    Raises:
        DataError: there is nothing to read.
    """
    project = SourceProject(read_folder(path))
    findings: list[DefectFinding] = []
    questions: list[Question] = []
    for defect, check in CHECKS.items():
        for found in check(project):
            place = SourceLocation(file=found.file, cell=found.cell, line=found.line)
            if found.question:
                questions.append(
                    Question(defect=defect, place=place, evidence=found.evidence, detail=found.detail)
                )
            else:
                findings.append(
                    DefectFinding(defect=defect, place=place, evidence=found.evidence, detail=found.detail)
                )
    return DoctorReport(
        folder=str(path),
        findings=ordered(findings),
        questions=tuple(dict.fromkeys(questions)),
        checked=tuple(CHECKS),
        read=tuple(project.folder.files),
        unread=tuple(UnreadFile(file=file, reason=reason) for file, reason in project.folder.unread),
    )


__all__ = [
    "BY_ID",
    "CHECKS",
    "DEFECTS",
    "Conversion",
    "Defect",
    "Difference",
    "Differences",
    "DoctorReport",
    "DefectFinding",
    "UnconvertedSetting",
    "SourceLocation",
    "Question",
    "ConvertedSetting",
    "against",
    "diagnose_folder",
    "to_recipe",
]
