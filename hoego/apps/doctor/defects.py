"""The table of defects: what each is, why it matters and what Hoego does instead.

The first ten come from the baseline that every team of the Boostcamp AI Tech mask competition was given (2021-2023),
the rest from what the teams added; `source` says which.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
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
        id="photo-split",
        title="The split is drawn over photos, not over people",
        severity="error",
        why="Photos of one person are on both sides, so validation asks whether a face is remembered. One team "
        "measured F1 0.92 in validation and 0.69 on the test; with a split by person 0.65 and 0.64.",
        remedy='`hoego split` splits by subject and proves that no subject is on two sides; `split.kind = "naive"` '
        "measures the leak.",
        source="baseline 1",
    ),
    Defect(
        id="one-model-for-all-folds",
        title="One model is trained through all folds",
        severity="error",
        why="From the second fold on the model has trained on the photos that it is scored on, so the mean over folds "
        "is the score of memory.",
        remedy="Hoego trains each fold from the same starting weights, and every row of its predictions names the "
        "model behind it.",
        source="teams",
    ),
    Defect(
        id="people-with-replacement",
        title="People are drawn for the split with replacement",
        severity="warning",
        why="A person drawn twice counts once: the held-out side is smaller than asked for (488 people instead of 540 "
        "at seed 42), and no class is held to its share.",
        remedy="`hoego split` draws each subject once, stratified, and shows the sides and the largest deviation.",
        source="baseline 2",
    ),
    Defect(
        id="listing-order",
        title="Who is where depends on the order in which the file system lists files",
        severity="error",
        why="os.listdir and glob promise no order, so the same seed gives another split on another machine, and "
        "scores from two machines are not of the same people.",
        remedy="Hoego sorts by image id and gives every split a fingerprint; comparing across fingerprints is refused.",
        source="baseline 3",
    ),
    Defect(
        id="shared-augmentation",
        title="One data set object serves both sides, so training augmentation reaches validation",
        severity="error",
        why="Subsets share the object's transform: validation is scored on augmented photos, or, where a second "
        "set_transform is called as a repair, training silently loses its augmentation.",
        remedy="In Hoego preprocessing is one saved object for all sides and augmentation belongs to training alone.",
        source="baseline 4",
    ),
    Defect(
        id="best-by-accuracy",
        title="The best checkpoint is chosen by accuracy",
        severity="warning",
        why="With classes this uneven accuracy rises by forgetting the rare ones; the competition asks for macro F1.",
        remedy="Hoego keeps a checkpoint per criterion and selects by macro F1 of the whole held-out side "
        "(`select.by`).",
        source="baseline 5",
    ),
    Defect(
        id="no-f1",
        title="F1 is never computed",
        severity="warning",
        why="The number that decides is not seen before the leaderboard shows it.",
        remedy="Every Hoego score has macro F1 first, with an interval, for the target and for each attribute.",
        source="baseline 5",
    ),
    Defect(
        id="validation-drop-last",
        title="The validation loader drops its last batch",
        severity="error",
        why="The dropped photos are never scored; divided by the full length, accuracy has a ceiling (79.4 % at "
        "batch 1000 in the baseline).",
        remedy="Hoego predicts every held-out image once and joins the labels by image id.",
        source="baseline 6",
    ),
    Defect(
        id="unused-flag",
        title="A flag is read from the command line and never used",
        severity="warning",
        why="Whoever sets it believes that something has changed; the record says so, and the run ignored it.",
        remedy="A Hoego recipe refuses unknown keys, and what is recorded is the object that ran.",
        source="baseline 7",
    ),
    Defect(
        id="flag-type",
        title="A flag's type cannot read its own values",
        severity="warning",
        why="type=list splits a string into letters and type=bool takes every non-empty string, 'False' too, for True.",
        remedy="Settings of a Hoego recipe are typed and checked: `--set dataset.size=[128,96]`.",
        source="baseline 7",
    ),
    Defect(
        id="size-order",
        title="Height and width are in one order in training and in the other at inference",
        severity="error",
        why="The model meets photos squeezed the other way round; the score on the test falls and nothing says why.",
        remedy="One preprocessing object, saved with the run, serves training, validation and test.",
        source="baseline 7",
    ),
    Defect(
        id="own-preprocessing",
        title="Inference builds a preprocessing of its own",
        severity="warning",
        why="Two copies drift apart: another resize, another mean, no crop; validation then says nothing about "
        "the test.",
        remedy="`hoego predict RUN` reads the preprocessing that was saved with the run.",
        source="baseline 7",
    ),
    Defect(
        id="smoothing-zero",
        title="Label smoothing has the default 0.0",
        severity="warning",
        why="Chosen by name alone it is plain cross-entropy under another name.",
        remedy='`loss = "smoothing"` in Hoego smooths by a stated amount, and the resolved recipe shows it.',
        source="baseline 8",
    ),
    Defect(
        id="loss-classes",
        title="A loss has a default number of classes that is not this data's",
        severity="error",
        why="Chosen by name alone it looks at three classes of the eighteen, or fails on the fourth.",
        remedy="Hoego's losses take the classes from the label schema.",
        source="baseline 8",
    ),
    Defect(
        id="shared-class-lists",
        title="Lists are class attributes that every object appends to",
        severity="error",
        why="A second object in one process holds the photos of the first too: k-fold trains on its held-out photos.",
        remedy="Hoego's data set is a frozen table read once, with a fingerprint.",
        source="baseline 9",
    ),
    Defect(
        id="std-formula",
        title="The standard deviation of the pixels is computed wrongly",
        severity="warning",
        why="Mixed scales or an overflow of 8-bit squares give 0.60 where 0.23 is right; inputs are scaled by it.",
        remedy="Hoego normalises with the model's own mean and standard deviation and saves them with the run.",
        source="baseline 10",
    ),
    Defect(
        id="batch-f1",
        title="Macro F1 is averaged over batches",
        severity="error",
        why="A class absent from a batch counts as zero or not at all: the number depends on the batch size.",
        remedy="Hoego scores the whole held-out side at once.",
        source="added by teams",
    ),
    Defect(
        id="micro-f1",
        title="F1 is micro-averaged",
        severity="error",
        why="With one label per photo micro F1 is accuracy under another name.",
        remedy="Hoego's macro F1 is the mean over the classes present in the truth.",
        source="added by teams",
    ),
    Defect(
        id="filter-before-split",
        title="People are filtered by age before the split",
        severity="error",
        why="The hardest people leave validation too, and the score rises without the model being better.",
        remedy="`train_edits.age.drop` in Hoego changes the training side only and cannot reach the held-out side.",
        source="added by teams",
    ),
    Defect(
        id="augmented-before-split",
        title="Photos are augmented, mixed or oversampled before the split",
        severity="error",
        why="Copies of a photo, or halves of it, lie on both sides.",
        remedy="Mixing and sampling (`mixing.*`, `sampling.*`) act on training batches after the split.",
        source="added by teams",
    ),
    Defect(
        id="inverted-probability",
        title="A mixing probability acts as its complement",
        severity="warning",
        why="A flag of 0.2 mixes 80 % of the batches; a probability of 0 mixes them all.",
        remedy="`mixing.cutmix.share` is the share of batches mixed, and a test counts them.",
        source="added by teams",
    ),
    Defect(
        id="picked-by-leaderboard",
        title="Ensemble members carry public scores: they were picked by the leaderboard",
        severity="warning",
        why="The best of many on half of the test people is best partly by luck, and falls on the private half.",
        remedy="`hoego ensemble` picks by cross-fitting on held-out people; `hoego submit` keeps the ledger and warns.",
        source="added by teams",
    ),
    Defect(
        id="fitted-on-validation",
        title="Something is fitted on the validation side and scored there",
        severity="error",
        why="Weights, thresholds or a stacked model fitted on the rows that score them make the score too good.",
        remedy="`hoego ensemble` and decision rules are cross-fitted; the printed score is not that of the fit.",
        source="added by teams",
    ),
    Defect(
        id="unsafe-load",
        title="Checkpoints are unpickled as code",
        severity="note",
        why="A pickle runs what its author wrote into it; whole-model pickles also break when a class is renamed.",
        remedy="Hoego writes safetensors and reads weights only.",
        source="added by teams",
    ),
    Defect(
        id="no-seed",
        title="No seed is set",
        severity="warning",
        why="Neither the split nor the run can be repeated, and two runs differ by luck.",
        remedy="`seed` is part of every Hoego recipe; `hoego reproduce RUN` checks it.",
        source="added by teams",
    ),
    Defect(
        id="no-eval-mode",
        title="Validation runs in training mode",
        severity="error",
        why="Dropout stays on and batch normalisation learns from the validation photos.",
        remedy="Hoego predicts in evaluation mode, always.",
        source="added by teams",
    ),
    Defect(
        id="train-mode-lost",
        title="After the first validation the model never returns to training mode",
        severity="warning",
        why="From the second epoch on dropout is off and batch normalisation is frozen.",
        remedy="Hoego's loop sets the mode at the head of every epoch.",
        source="added by teams",
    ),
    Defect(
        id="softmax-before-cross-entropy",
        title="Cross-entropy is given probabilities instead of logits",
        severity="warning",
        why="The softmax is taken twice: gradients shrink and the loss cannot fall below a floor.",
        remedy="Hoego's models give logits, and Predictions say which of the two they hold.",
        source="added by teams",
    ),
    Defect(
        id="trains-on-validation",
        title="The optimiser steps on the validation loader",
        severity="error",
        why="The validation photos are trained on, and their score is a training score.",
        remedy="A Hoego run can train only on the side that its split gives it.",
        source="added by teams",
    ),
)

BY_ID = {defect.id: defect for defect in DEFECTS}
