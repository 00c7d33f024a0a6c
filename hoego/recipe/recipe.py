"""The recipe: all settings of a run in one frozen object, which a run executes and its record keeps."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any, Literal

from pydantic import Field, field_validator

from hoego.recipe.base import SettingsSection
from hoego.recipe.fold import Fold
from hoego.recipe.losses import DistillSettings, HeadsSettings, LossOptions, OrdinalSettings, loss_weights
from hoego.recipe.sections import (
    AuditSettings,
    DatasetSettings,
    LabelSettings,
    ModelSettings,
    QueueSettings,
    ScoreSettings,
    SelectSettings,
    SplitSettings,
    SubmissionSettings,
    WeightsSettings,
)
from hoego.recipe.techniques import (
    AttributeEdit,
    AugmentSettings,
    AverageSettings,
    MixingSettings,
    OptimSettings,
    SamplingSettings,
    TtaSettings,
)


class Recipe(SettingsSection):
    """One resolved experiment. Field order is the order of `hoego settings`."""

    name: str = Field("", description="A short name for the recipe; by default the file's.")
    dataset: DatasetSettings = DatasetSettings()
    labels: LabelSettings = LabelSettings()
    split: SplitSettings = SplitSettings()
    audit: AuditSettings = AuditSettings()
    model: ModelSettings = ModelSettings()
    weights: WeightsSettings = WeightsSettings()
    epochs: int = Field(10, ge=1, description="Passes over the training photos.")
    batch_size: int = Field(64, ge=1, description="Photos per optimiser step.")
    seed: int = Field(
        0, ge=0, description="Seed of the initial weights, the order, the mixing and the augmentation."
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="auto times a few steps of float32 and bfloat16 and takes the faster."
    )
    compile: Literal["auto", "on", "off"] = Field(
        "auto", description="torch.compile; auto decides by device and length of the run."
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps.")
    devices: int = Field(
        1,
        ge=1,
        le=1024,
        description="Processes that train together, one per GPU, or on the CPU; each takes its share of every batch.",
    )
    sync_norm: bool = Field(
        True,
        description="On several devices: batch norms take the photos of all; false: each device takes its own.",
    )
    threads: int = Field(
        0, ge=0, le=1024, description="CPU threads of the model; 0 times one to all and takes the fastest."
    )
    fold: Fold = Field(
        0,
        description='Fold that is held out, or "all" for out-of-fold predictions of every photo; --fold overrides.',
    )
    refit: bool = Field(False, description="Train a last model on all subjects, for new images.")
    loss: str | dict[str, float] = Field(
        "ce", description="A loss by name, or a table of weights that blends several."
    )
    loss_options: LossOptions = LossOptions()
    heads: HeadsSettings = HeadsSettings()
    ordinal: dict[str, OrdinalSettings] = Field(
        default_factory=dict, description="How ordered attributes are learned, per attribute."
    )
    distill: DistillSettings = DistillSettings()
    sampling: SamplingSettings = SamplingSettings()
    mixing: MixingSettings = MixingSettings()
    augment: AugmentSettings = AugmentSettings()
    optim: OptimSettings = OptimSettings()
    average: AverageSettings = AverageSettings()
    views: TtaSettings = TtaSettings()
    train_edits: dict[str, AttributeEdit] = Field(
        default_factory=dict, description="Changes of training labels alone, per attribute."
    )
    source_weights: dict[str, float] = Field(
        default_factory=dict, description="Weight in the loss of the photos of each source; 1 by default."
    )
    select: SelectSettings = SelectSettings()
    score: ScoreSettings = ScoreSettings()
    queue: QueueSettings = QueueSettings()
    submission: SubmissionSettings = SubmissionSettings()

    @field_validator("loss")
    @classmethod
    def _loss_known(cls, value: str | dict[str, float]) -> str | dict[str, float]:
        loss_weights(value)
        return value

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe in plain types without the settings that are None, since TOML has no null."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def fingerprint(self) -> str:
        """16 hex digits over everything but the name, the seed, where weights lie and what only the queue reads."""
        # Runs that differ in these alone are repetitions of one experiment: seeds and folds are averaged over, and the
        # others change where or when a run is made, not what it computes.
        left_out = ("name", "seed", "fold", "queue", "threads", "weights")
        # On one device they say nothing, and runs of versions without them keep their fingerprint.
        alone = ("devices", "sync_norm") if self.devices == 1 else ()
        data = {k: v for k, v in self.to_dict().items() if k not in (*left_out, *alone)}
        return blake2b(json.dumps(data, sort_keys=True).encode(), digest_size=8).hexdigest()
