"""The sections of a recipe for data, labels, split, model, selection, scoring, queue and submission."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hoego.recipe.base import SettingsSection

Interpolation = Literal["bilinear", "bicubic", "lanczos", "box"]


class CropSettings(SettingsSection):
    """Part of the preprocessing: the same in training, validation and test."""

    box: tuple[float, float, float, float] | None = Field(
        None, description="Fixed crop as shares of the photo: left, top, right, bottom (0 to 1)."
    )
    file: str | None = Field(
        None, description="Table with one box per image: image, x0, y0, x1, y1 in pixels, from any detector."
    )


class DatasetSettings(SettingsSection):
    """Where the photos lie and how their table is read."""

    root: str = Field(".", description="Folder that all paths start from; relative to the file that sets it.")
    layout: Literal["auto", "competition", "folders", "table"] = Field(
        "auto", description="How to read the folder; auto detects it."
    )
    table: str | None = Field(None, description="CSV, TSV or Parquet file of the photos (layout table).")
    path: str = Field("path", description="Column of the photo's path (layout table).")
    image: str | None = Field(None, description="Column of the image id; by default the path.")
    subject: tuple[str, ...] = Field(
        (), description="Subject columns (person, patient, site, burst); several are joined transitively."
    )
    pattern: str | None = Field(
        None, description='How a class folder\'s name spells its attributes, such as "{crop}___{disease}".'
    )
    subject_regex: str | None = Field(
        None,
        description="Regular expression over the path; its first group is the subject (besides dataset.subject).",
    )
    label_regex: str | None = Field(
        None,
        description="Regular expression over the path; its named groups are attributes (layout folders).",
    )
    exclude: tuple[str, ...] = Field((), description="Glob patterns of paths that are not photos of the set.")
    links: Literal["inside", "top", "follow"] = Field(
        "top",
        description="Links that lead out of root: inside refuses them, top allows folders right in root, follow all.",
    )
    overlay: str | None = Field(
        None,
        description="Corrections: image, attribute, value, reason, source, and run where one suggested it.",
    )
    unlabelled: str | None = Field(
        None, description="Table or folder of photos without labels (the test set)."
    )
    namespace: str = Field(
        "",
        description="Prefix of every subject's name, for data sets whose ids coincide without being the same.",
    )
    size: tuple[int, int] | None = Field(
        None,
        description="Height and width in pixels after resizing; not said: those of the published weights, or 224.",
    )
    fit: Literal["squash", "crop", "pad"] = Field(
        "squash", description="How a photo of another shape becomes one of `size`."
    )
    interpolation: Interpolation | None = Field(
        None,
        description="Resampling filter (with antialiasing); not said: that of the published weights, or bilinear.",
    )
    crop: CropSettings = CropSettings()
    packed: str | None = Field(
        None,
        description="Folder of shards (hoego pack), below root or absolute: trainings read the pixels from it.",
    )


class AttributeSettings(SettingsSection):
    """One attribute of the label."""

    column: str | None = Field(None, description="Column it is read from; by default its own name.")
    kind: Literal["auto", "nominal", "ordinal", "binned"] = Field(
        "auto", description="auto: binned where edges are given, else nominal."
    )
    classes: tuple[str, ...] = Field((), description="Class names in order; by default those in the data.")
    edges: tuple[float, ...] = Field(
        (), description="Edges of a binned attribute; class k is edge[k-1] <= x < edge[k]."
    )
    missing: Literal["error", "allow"] = Field(
        "error", description="allow: a blank label masks this attribute's loss and score."
    )
    one_hot: tuple[str, ...] = Field(
        (), description="Columns of 1 and 0, one per class: the class is the column that holds 1."
    )


Answer = Literal["mask", "yes", "no"]


class MultiSettings(SettingsSection):
    """Several labels for a photo, each an attribute of the classes no and yes."""

    columns: tuple[str, ...] = Field(
        (), description="One column of 1, 0, -1 or blank per label; or one column that names several labels."
    )
    separator: str = Field("", description='Between the labels of one cell, such as "|".')
    labels: tuple[str, ...] = Field(
        (), description="The labels that cells may name; by default those that occur."
    )
    none: tuple[str, ...] = Field((), description='Words of a cell that mean no label, such as "No Finding".')
    uncertain: Answer = Field("mask", description="What -1 means: mask (no loss and no score), yes or no.")
    blank: Answer = Field(
        "mask", description="What a blank cell means: mask (no loss and no score), yes or no."
    )


class LabelSettings(SettingsSection):
    """The attributes of a photo and the target to predict."""

    target: str | None = Field(
        None,
        description='Attribute to predict, or "composite"; the composite if several attributes make one.',
    )
    composite: tuple[str, ...] | None = Field(
        None, description="Attributes of the composite class, most significant first; all by default."
    )
    sparse: bool = Field(False, description="The composite has only the combinations that exist in the data.")
    attributes: dict[str, AttributeSettings] = Field(
        default_factory=dict, description="The attributes, by name."
    )
    multi: MultiSettings = MultiSettings()


class SplitSettings(SettingsSection):
    """How subjects are divided into training and held-out sides."""

    name: str = Field("", description="Name of the saved split; empty: made from kind and seed.")
    kind: Literal["holdout", "folds", "naive"] = Field(
        "holdout",
        description="holdout, folds (both by subject), or naive (by photo: only to measure the leak).",
    )
    folds: int = Field(5, ge=2, le=100, description="Number of folds K (kind folds).")
    ratio: float = Field(0.2, gt=0, lt=1, description="Share held out (kinds holdout and naive).")
    seed: int = Field(0, ge=0, description="Seed of the assignment.")
    stratify: tuple[str, ...] = Field((), description="Attributes to balance besides the target.")
    join: tuple[tuple[str, ...], ...] = Field(
        (), description="Lists of subjects (or images) that are one, such as confirmed near-duplicates."
    )


class AuditSettings(SettingsSection):
    """Which findings the audit accepts."""

    accept: tuple[str, ...] = Field((), description="Names of checks whose errors you accept.")
    near_distance: int = Field(
        6, ge=0, le=16, description="Bits by which the hashes of a near-duplicate may differ (of 64)."
    )


class ModelSettings(SettingsSection):
    """The network and its heads."""

    name: str = Field("resnet18", description="Any timm model, or one of Hoego's own (hoego_small32).")
    pretrained: bool = Field(
        False, description="Start from published weights, found on this machine or fetched (docs: models)."
    )
    checkpoint: str | None = Field(
        None, description="Start from local weights: .safetensors, or .pth that holds weights only."
    )
    trained_on: tuple[str, ...] = Field(
        (),
        description="What an outside checkpoint was trained on: tables of photos or subjects, or evidence of a watch.",
    )
    head: Literal["composite", "multi", "single"] = Field(
        "multi", description="One head for the target, one per attribute, or one attribute alone."
    )
    attribute: str | None = Field(None, description="The attribute of a single head.")
    head_start: Literal["random", "probe"] = Field(
        "random",
        description="probe: start the heads from a linear probe of the frozen features, fitted on the training side.",
    )
    drop: float = Field(0.0, ge=0, lt=1, description="Dropout before the head.")
    cosine: float = Field(
        0.0,
        ge=0,
        description="Scale of cosine heads (30 in LDAM's paper, with loss_options.ldam.scale); 0: linear.",
    )
    drop_path: float = Field(0.0, ge=0, lt=1, description="Stochastic depth, where the model has it.")
    mean: tuple[float, ...] | None = Field(
        None, description="Mean of each channel, for normalising; not said: the weights' own, or ImageNet's."
    )
    std: tuple[float, ...] | None = Field(
        None, description="Standard deviation of each channel; not said: the weights' own, or ImageNet's."
    )
    options: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="Further keyword arguments of the timm model."
    )


class WeightsSettings(SettingsSection):
    """Where published weights are stored."""

    folder: str | None = Field(
        None,
        description="Folder of weights (hoego weights add), looked at before HOEGO_WEIGHTS and the caches.",
    )


class SelectSettings(SettingsSection):
    """How the epoch is chosen."""

    on: Literal["held-out", "inner", "last"] = Field(
        "held-out",
        description="Score that chooses the epoch: held-out photos, a slice of the training subjects, none.",
    )
    by: str = Field(
        "macro_f1", description="macro_f1, accuracy, loss, or an attribute's name (its macro F1)."
    )
    inner_ratio: float = Field(
        0.1, gt=0, lt=1, description="Share of the training subjects in the inner slice."
    )
    patience: int = Field(
        0, ge=0, description="Epochs without a better score before stopping; 0 never stops early."
    )
    every: int = Field(1, ge=1, description="Epochs between two scorings of the held-out side.")


class ScoreSettings(SettingsSection):
    """How predictions are scored."""

    metrics: tuple[str, ...] = Field(
        (), description='Metrics to show besides the usual ones; "module:function" for one of your own.'
    )
    resamples: int = Field(10_000, ge=100, description="Bootstrap resamples over subjects.")
    level: float = Field(0.95, gt=0.5, lt=1, description="Confidence level of the intervals.")


class QueueSettings(SettingsSection):
    """Runs that wait for the machine."""

    priority: int = Field(0, description="Higher values run first.")
    shorten: bool = Field(
        False, description="The deadline may shorten this run (fewer epochs, schedule fitted)."
    )
    keep: Literal["all", "best", "selected"] = Field(
        "best", description="Checkpoints kept when the run ends; the selected one always is."
    )


class SubmissionSettings(SettingsSection):
    """The test set's form and the limits of the leaderboard."""

    info: str | None = Field(None, description="Table whose order and ids the submission follows (info.csv).")
    image: str = Field("ImageID", description="Its column of image ids.")
    answer: str = Field("ans", description="Its column of answers.")
    per_day: int = Field(10, ge=1, description="Submissions allowed a day.")
    timezone: str = Field("UTC", description="Time zone in which a submission day ends.")
    metric: str = Field("macro_f1", description="Metric of the leaderboard.")
    public_share: float = Field(
        0.5, gt=0, le=1, description="Share of the test photos behind the public score."
    )
