"""The parts of one training in one object that can take a step: modules, optimiser and input."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hoego.data.dataset import Dataset
from hoego.errors import RecipeError, TrainError
from hoego.recipe import Recipe, is_filled
from hoego.results.training import ResolvedSettings
from hoego.train.averaging import Ema, Swa, WeightAverage
from hoego.train.batches import BatchMaker, TrainingRows
from hoego.train.counter import generator
from hoego.train.data import PixelLoader
from hoego.train.devices.group import DeviceGroup
from hoego.train.devices.whole_batch import WholeBatch
from hoego.train.forward import Readers
from hoego.train.models import BuiltNetwork, HeadSpec, Network, build_network, head_specs
from hoego.train.objective import LossBatch, Objective, TrainingTargets, make_targets
from hoego.train.optim import (
    BackboneFreezer,
    Sam,
    build_optimizer,
    clip_gradients,
    frozen_batch_norm,
    lr_factor,
    set_lr,
)
from hoego.train.ordinal import OrdinalHead
from hoego.train.precision import MixedPrecision
from hoego.train.pseudo import n_steps
from hoego.train.weighting import HeadWeights, build_weighting
from hoego.train.weights.start import folder_of, start_of

BODY = "network.backbone."


class TrainableModules(nn.Module):
    """All trainable modules: the network, the parameters of its losses, the weights between its heads."""

    def __init__(self, network: Network, objective: Objective, weighting: HeadWeights) -> None:
        super().__init__()
        self.network = network
        self.objective = objective
        self.weighting = weighting

    def heads(self) -> list[nn.Parameter]:
        """Return the parameters that are not the backbone's."""
        others = [*self.objective.parameters(), *self.weighting.parameters()]
        return [*self.network.head_parameters(), *others]

    def decoders(self) -> Readers:
        """Return how outputs become class probabilities, by head; None where they are logits."""
        parts = {name: self.objective.part(name) for name in self.objective.names}
        return {n: p.class_probabilities if isinstance(p, OrdinalHead) else None for n, p in parts.items()}

    def no_weight_decay(self) -> set[str]:
        """Return the backbone's own list, for the optimiser's groups."""
        own = getattr(self.network.backbone, "no_weight_decay", None)
        return {BODY + name for name in own()} if callable(own) else set()

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Return the backbone's layers, bottom to top, for layer-wise learning rates (timm's form)."""
        own = getattr(self.network.backbone, "group_matcher", None)
        if not callable(own):
            raise TrainError(
                f"{type(self.network.backbone).__name__} does not say what its layers are.",
                remedy="Set optim.layer_decay = 1 and optim.freeze_layers = 0.",
            )
        return {name: _prefixed(spec) for name, spec in own(coarse=coarse).items()}


def _prefixed(spec: Any) -> Any:
    if isinstance(spec, str):
        return spec.replace("^", "^" + BODY.replace(".", r"\."))
    if isinstance(spec, list | tuple) and spec and isinstance(spec[0], list | tuple):
        return [(_prefixed(pattern), *rest) for pattern, *rest in spec]
    return spec


class TrainStepper:
    """The parts of one training, able to take steps. Equal recipe, rows and `resolved` give equal parts.

    Args:
        recipe: the resolved recipe; settings that it leaves open are read from the weights.
        dataset: for its schema.
        rows: the training side.
        pixels: of the training rows, in their order.
        resolved: device, threads, precision, compile.
        initialise: False leaves out the starting weights (a state is loaded over them).
    """

    def __init__(
        self,
        recipe: Recipe,
        dataset: Dataset,
        rows: TrainingRows,
        pixels: PixelLoader,
        resolved: ResolvedSettings,
        *,
        initialise: bool = True,
    ) -> None:
        recipe = recipe if is_filled(recipe) else start_of(recipe).recipe
        self.recipe, self.rows, self.pixels, self.resolved = recipe, rows, pixels, resolved
        self.device = torch.device(resolved.device)
        self.precision = MixedPrecision(self.device, resolved.precision)
        self.schema = dataset.schema
        self.heads: tuple[HeadSpec, ...] = head_specs(recipe.model, dataset.schema)
        self.skipped = 0  # steps of the schedule that were left out to end in time
        self.group: DeviceGroup | None = None
        self.steps = n_steps(len(rows.images), rows.teacher_targets.pseudo_labels, recipe)
        self.built = self._learner(dataset, initialise)
        self.targets: TrainingTargets = make_targets(
            self.heads, self.schema, rows.labels, self.device, rows.teacher_targets
        )
        self._optimiser()
        self.input = BatchMaker(recipe, self.schema, self.heads, rows, pixels, self.device)
        self.augment = self.input.augment

    def _learner(self, dataset: Dataset, initialise: bool) -> BuiltNetwork:
        recipe = self.recipe
        # Before the objective too, whose parameters are drawn first: equal recipes start from equal weights.
        torch.manual_seed(recipe.seed)
        objective = Objective(recipe, dataset.schema, self.heads, self.rows.labels)
        built = build_network(
            recipe.model,
            objective.outputs(),
            self.pixels.size,
            initialise=initialise,
            folder=folder_of(recipe),
        )
        weighting = build_weighting(recipe.heads, objective.names)
        learner = TrainableModules(built.network, objective, weighting)
        self.learner = learner.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network, self.objective, self.weighting = built.network, objective, weighting
        self.features = built.network.features
        if self.resolved.compile:
            self.features = torch.compile(
                built.network.features, mode="reduce-overhead" if self._on_gpu else None
            )
        return built

    @property
    def _on_gpu(self) -> bool:
        return self.device.type == "cuda"

    def _optimiser(self) -> None:
        optim = self.recipe.optim
        if optim.sam and optim.accumulate > 1:
            raise TrainError(
                "optim.sam and optim.accumulate do not go together.", remedy="Set accumulate = 1."
            )
        heads = self.learner.heads()
        self.optimizer = build_optimizer(self.learner, optim, heads=heads)
        self.freezer = BackboneFreezer(self.learner, heads, optim)
        self.sam = (
            Sam(self.learner.parameters(), optim.sam, adaptive=optim.sam_adaptive) if optim.sam else None
        )
        average = self.recipe.average
        self.ema = Ema(self.learner, average.ema, warmup=average.ema_warmup) if average.ema else None
        self.swa = Swa(self.learner) if average.swa else None

    @property
    def averages(self) -> dict[str, WeightAverage]:
        """Averages of the weights that can predict by now, by name."""
        found = {"ema": self.ema, "swa": self.swa}
        return {name: a for name, a in found.items() if a is not None and a.updates > 0}

    def across(self, group: DeviceGroup) -> None:
        """Take steps together with the other devices from now on, each on its share of every batch.

        Raises:
            RecipeError: a batch has fewer photos than there are devices.
        """
        size = min(self.recipe.batch_size, len(self.rows.images))
        if size < group.world:
            raise RecipeError(
                f"A batch of {size} photos leaves some of {group.world} devices without one.",
                remedy="Raise batch_size, or train on fewer devices.",
            )
        self.group = self.input.group = group
        self.whole = WholeBatch(group, sync_norm=self.recipe.sync_norm)
        averages = [a.module for a in (self.ema, self.swa) if a is not None]
        group.copy_first([self.learner, *averages])
        own = {id(p) for p in self.learner.heads()}
        self._partial = [p for p in self.learner.parameters() if id(p) not in own]
        self._averaged = [] if self.recipe.sync_norm else running_statistics(self.network)

    def average_norms(self, network: nn.Module) -> None:
        """Average the running statistics of a network where each device has its own."""
        if self.group is not None and not self.recipe.sync_norm:
            self.group.reduce_gradients([], [], running_statistics(network))

    def whole_batch(self, total: int) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which the network runs on this device's photos of a batch of `total`."""
        return contextlib.nullcontext() if self.group is None else self.whole.of(total)

    def start_epoch(self, epoch: int) -> None:
        """Put all modules into training mode for an epoch."""
        self.learner.train()
        self.freezer.apply(epoch)
        self.objective.set_epoch(epoch, self.recipe.epochs)

    def batches(
        self, epoch: int, first: int = 0, count: int | None = None
    ) -> Iterator[tuple[int, Tensor, LossBatch]]:
        """Yield the batches of an epoch (see `BatchMaker.batches`)."""
        return self.input.batches(epoch, first, count)

    def step(self, epoch: int, number: int, images: Tensor, batch: LossBatch) -> Tensor:
        """Take one training step; return the loss, left on the device."""
        optim = self.recipe.optim
        total = self.steps * self.recipe.epochs
        # Dropout and stochastic depth draw from torch's generator. Seeding every step makes a resumed training equal to
        # an uninterrupted one, and trainings in turns equal to each alone.
        torch.manual_seed(int(generator("step", self.recipe.seed, epoch, number).integers(1 << 62)))
        position = epoch * self.steps + number + self.skipped
        set_lr(self.optimizer, optim.lr * self.lr_share(position) * lr_factor(position, total, optim))
        loss = self._backward(images, batch, number, 1 / optim.accumulate)
        if (number + 1) % optim.accumulate and number + 1 < self.steps:
            return loss
        self._reduce()
        if self.sam is not None:
            self.sam.ascent_step()
            self.optimizer.zero_grad()
            with frozen_batch_norm(self.learner):
                self._backward(images, batch, number, 1.0)
            self._reduce()
            self.sam.descent_step()
        # In this order: the norm to clip at is that of the unscaled gradients.
        if optim.clip:
            self.precision.unscale(self.optimizer)
            clip_gradients(self.learner.parameters(), optim.clip)
        self.precision.step(self.optimizer)
        self.optimizer.zero_grad()
        if self.ema is not None:
            self.ema.update(self.learner)
        return loss

    def _reduce(self) -> None:
        """Make the gradients those of the whole batch, where several devices share it."""
        if self.group is not None:
            self.group.reduce_gradients(self._partial, self.learner.heads(), self._averaged)

    def _features(self, images: Tensor, total: int) -> Tensor:
        """Compute the features [B, F] of a batch of `total` photos B, which all devices compute together."""
        try:
            with self.whole_batch(total):
                features: Tensor = self.features(images)
        except ValueError as problem:
            if "more than 1 value per channel" not in str(problem):
                raise
            raise TrainError(
                f"batch_size = {self.recipe.batch_size}: batch normalisation needs more than one value per channel, "
                f"and this batch holds {len(images)} photo of which one place is left in the last map.",
                remedy="Set batch_size to 2 or more, or dataset.size to more pixels.",
            ) from None
        return features if self.group is None else self.group.gather(features, total)

    def lr_share(self, position: int) -> float:
        """Return the factor of the rate where most steps of the schedule are skipped; 1 where half of them are taken.

        A step of Adam is as long as the rate, whatever the gradient. Few of them at the full rate leave the network
        where the peak of the schedule has thrown it, and no fall brings it back.
        """
        return min(1.0, 2 * (position - self.skipped + 1) / (position + 1))

    def _backward(self, images: Tensor, batch: LossBatch, number: int, share: float) -> Tensor:
        with self.precision.autocast():
            features = self._features(images, len(batch.rows))
            outputs = self.network.classify(features)
        losses = self.objective(outputs, self.targets, batch)
        if self.recipe.heads.weighting == "gradnorm":
            self.weighting.adapt(losses, features, number)
        loss: Tensor = self.weighting(losses)
        self.precision.backward(loss * share if share != 1 else loss)
        return loss.detach()

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context of the training's precision, for predicting."""
        return self.precision.autocast()

    def synthetic(self) -> tuple[Tensor, LossBatch]:
        """Return a batch of noise on the device, for timing the model alone."""
        size = min(self.recipe.batch_size, len(self.rows.images))
        random = torch.Generator().manual_seed(0)
        photos = torch.randn(size, 3, *self.pixels.size, generator=random)
        rows = torch.arange(size, device=self.device)
        return photos.to(self.device, memory_format=torch.channels_last), LossBatch(rows)

    def state(self) -> dict[str, Any]:
        """Return everything that resuming needs, as tensors and plain values."""
        return {
            "learner": self.learner.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": None if self.ema is None else self.ema.state_dict(),
            "swa": None if self.swa is None else self.swa.state_dict(),
            "precision": self.precision.state_dict(),
            "skipped": self.skipped,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        self.learner.load_state_dict(state["learner"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.precision.load_state_dict(state["precision"])
        self.skipped = state.get("skipped", 0)  # states of earlier versions skip none
        for average, kept in ((self.ema, state["ema"]), (self.swa, state["swa"])):
            if average is not None and kept is not None:
                average.load_state_dict(kept)


def running_statistics(module: nn.Module) -> list[Tensor]:
    """Return the running means and variances of the batch norms."""
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    return [t for m in norms for t in (m.running_mean, m.running_var) if t is not None]


def names_of(heads: Sequence[HeadSpec]) -> list[str]:
    """Return the names of heads, in order."""
    return [h.name for h in heads]
