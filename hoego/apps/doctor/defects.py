"""The table of defects: what each is, why it matters and what Hoego does instead.

The first ten come from the baseline that every team of the Boostcamp AI Tech mask competition was given (2021-2023),
the rest from what the teams added; `source` says which.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Defect:
    """One kind of defect.

    Attributes:
        id: the name used in reports and by `--ignore`.
        title: one line.
        severity: `error` (a printed score is wrong or cannot be believed), `warning` (training or a file is not
            what was meant), `note` (worth knowing).
        why: what it does to the numbers.
        remedy: what to do in Hoego.
        source: where the field met it.
    """

    id: str
    title: str
    severity: str
    why: str
    remedy: str
    source: str


DEFECTS: tuple[Defect, ...] = (
    Defect(
        "photo-split",
        "The split is drawn over photos, not over people",
        "error",
        "Photos of one person stand on both sides, so validation asks whether a face is remembered. One team "
        "measured F1 0.92 in validation and 0.69 on the test; with a split by person 0.65 and 0.64.",
        '`hoego split` splits by subject and proves that no subject is on two sides; `split.kind = "naive"` '
        "measures the leak.",
        "baseline 1",
    ),
    Defect(
        "one-model-for-all-folds",
        "One model is trained through all folds",
        "error",
        "From the second fold on the model has trained on the photos that it is scored on, so the mean over folds is "
        "the score of memory.",
        "Hoego trains each fold from the same starting weights, and every row of its predictions names the model "
        "behind it.",
        "teams",
    ),
    Defect(
        "people-with-replacement",
        "People are drawn for the split with replacement",
        "warning",
        "A person drawn twice counts once: the held-out side is smaller than asked for (488 people instead of 540 "
        "at seed 42), and no class is held to its share.",
        "`hoego split` draws each subject once, stratified, and shows the sides and the largest deviation.",
        "baseline 2",
    ),
    Defect(
        "listing-order",
        "Who is where depends on the order in which the file system lists files",
        "error",
        "os.listdir and glob promise no order, so the same seed gives another split on another machine, and "
        "scores from two machines are not of the same people.",
        "Hoego sorts by image id and gives every split a fingerprint; comparing across fingerprints is refused.",
        "baseline 3",
    ),
    Defect(
        "shared-augmentation",
        "One data set object serves both sides, so training augmentation reaches validation",
        "error",
        "Subsets share the object's transform: validation is scored on augmented photos, or, where a second "
        "set_transform is called as a repair, training silently loses its augmentation.",
        "In Hoego preprocessing is one saved object for all sides and augmentation belongs to training alone.",
        "baseline 4",
    ),
    Defect(
        "best-by-accuracy",
        "The best checkpoint is chosen by accuracy",
        "warning",
        "With classes this uneven accuracy rises by forgetting the rare ones; the competition asks for macro F1.",
        "Hoego keeps a checkpoint per criterion and selects by macro F1 of the whole held-out side (`select.by`).",
        "baseline 5",
    ),
    Defect(
        "no-f1",
        "F1 is never computed",
        "warning",
        "The number that decides is not seen before the leaderboard shows it.",
        "Every Hoego score has macro F1 first, with an interval, for the target and for each attribute.",
        "baseline 5",
    ),
    Defect(
        "validation-drop-last",
        "The validation loader drops its last batch",
        "error",
        "The dropped photos are never scored; divided by the full length, accuracy has a ceiling (79.4 % at "
        "batch 1000 in the baseline).",
        "Hoego predicts every held-out image once and joins the labels by image id.",
        "baseline 6",
    ),
    Defect(
        "unused-flag",
        "A flag is read from the command line and never used",
        "warning",
        "Whoever sets it believes to have changed something; the record says so, and the run did not.",
        "A Hoego recipe refuses unknown keys, and what is recorded is the object that ran.",
        "baseline 7",
    ),
    Defect(
        "flag-type",
        "A flag's type cannot read its own values",
        "warning",
        "type=list splits a string into letters and type=bool takes every non-empty string, 'False' too, for True.",
        "Settings of a Hoego recipe are typed and checked: `--set dataset.size=[128,96]`.",
        "baseline 7",
    ),
    Defect(
        "size-order",
        "Height and width are in one order in training and in the other at inference",
        "error",
        "The model meets photos squeezed the other way round; the score on the test falls and nothing says why.",
        "One preprocessing object, saved with the run, serves training, validation and test.",
        "baseline 7",
    ),
    Defect(
        "own-preprocessing",
        "Inference builds a preprocessing of its own",
        "warning",
        "Two copies drift apart: another resize, another mean, no crop; validation then says nothing about the test.",
        "`hoego predict RUN` reads the preprocessing that was saved with the run.",
        "baseline 7",
    ),
    Defect(
        "smoothing-zero",
        "Label smoothing has the default 0.0",
        "warning",
        "Chosen by name alone it is plain cross-entropy under another name.",
        '`loss = "smoothing"` in Hoego smooths by a stated amount, and the resolved recipe shows it.',
        "baseline 8",
    ),
    Defect(
        "loss-classes",
        "A loss has a default number of classes that is not this data's",
        "error",
        "Chosen by name alone it looks at three classes of the eighteen, or fails on the fourth.",
        "Hoego's losses take the classes from the label schema.",
        "baseline 8",
    ),
    Defect(
        "shared-class-lists",
        "Lists are class attributes that every object appends to",
        "error",
        "A second object in one process holds the photos of the first too: k-fold trains on its held-out photos.",
        "Hoego's data set is a frozen table read once, with a fingerprint.",
        "baseline 9",
    ),
    Defect(
        "std-formula",
        "The standard deviation of the pixels is computed wrongly",
        "warning",
        "Mixed scales or an overflow of 8-bit squares give 0.60 where 0.23 is right; inputs are scaled by it.",
        "Hoego normalises with the model's own mean and standard deviation and saves them with the run.",
        "baseline 10",
    ),
    Defect(
        "batch-f1",
        "Macro F1 is averaged over batches",
        "error",
        "A class absent from a batch counts as zero or not at all: the number depends on the batch size.",
        "Hoego scores the whole held-out side at once.",
        "added by teams",
    ),
    Defect(
        "micro-f1",
        "F1 is micro-averaged",
        "error",
        "With one label per photo micro F1 is accuracy under another name.",
        "Hoego's macro F1 is the mean over the classes present in the truth.",
        "added by teams",
    ),
    Defect(
        "filter-before-split",
        "People are filtered by age before the split",
        "error",
        "The hardest people leave validation too, and the score rises without the model being better.",
        "`train_edits.age.drop` in Hoego changes the training side only and cannot reach the held-out side.",
        "added by teams",
    ),
    Defect(
        "augmented-before-split",
        "Photos are augmented, mixed or oversampled before the split",
        "error",
        "Copies of a photo, or halves of it, lie on both sides.",
        "Mixing and sampling (`mixing.*`, `sampling.*`) act on training batches after the split.",
        "added by teams",
    ),
    Defect(
        "inverted-probability",
        "A mixing probability acts as its complement",
        "warning",
        "A flag of 0.2 mixes 80 % of the batches; a probability of 0 mixes them all.",
        "`mixing.cutmix.share` is the share of batches mixed, and a test counts them.",
        "added by teams",
    ),
    Defect(
        "picked-by-leaderboard",
        "Ensemble members carry public scores: they were picked by the leaderboard",
        "warning",
        "The best of many on half of the test people is best partly by luck, and falls on the private half.",
        "`hoego ensemble` picks by cross-fitting on held-out people; `hoego submit` keeps the ledger and warns.",
        "added by teams",
    ),
    Defect(
        "fitted-on-validation",
        "Something is fitted on the validation side and scored there",
        "error",
        "Weights, thresholds or a stacked model fitted on the rows that score them make the score too good.",
        "`hoego ensemble` and decision rules are cross-fitted; the printed score is not that of the fit.",
        "added by teams",
    ),
    Defect(
        "unsafe-load",
        "Checkpoints are unpickled as code",
        "note",
        "A pickle runs what its author wrote into it; whole-model pickles also break when a class is renamed.",
        "Hoego writes safetensors and reads weights only.",
        "added by teams",
    ),
    Defect(
        "no-seed",
        "No seed is set",
        "warning",
        "Neither the split nor the run can be had again, and two runs differ by luck.",
        "`seed` is part of every Hoego recipe; `hoego reproduce RUN` checks it.",
        "added by teams",
    ),
    Defect(
        "no-eval-mode",
        "Validation runs in training mode",
        "error",
        "Dropout stays on and batch normalisation learns from the validation photos.",
        "Hoego predicts in evaluation mode, always.",
        "added by teams",
    ),
    Defect(
        "train-mode-lost",
        "After the first validation the model never returns to training mode",
        "warning",
        "From the second epoch on dropout is off and batch normalisation is frozen.",
        "Hoego's loop sets the mode at the head of every epoch.",
        "added by teams",
    ),
    Defect(
        "softmax-before-cross-entropy",
        "Cross-entropy is given probabilities instead of logits",
        "warning",
        "The softmax is taken twice: gradients shrink and the loss cannot fall below a floor.",
        "Hoego's models give logits, and Predictions say which of the two they hold.",
        "added by teams",
    ),
    Defect(
        "trains-on-validation",
        "The optimiser steps on the validation loader",
        "error",
        "The validation photos are trained on, and their score is a training score.",
        "A Hoego run can train only on the side that its split gives it.",
        "added by teams",
    ),
)

BY_ID = {defect.id: defect for defect in DEFECTS}
