"""Optimisers, parameter groups, schedules of the learning rate, sharpness-aware steps, the learning-rate finder."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import timm.optim as timm_optim
import torch
from timm.models import group_parameters
from torch import Tensor, nn

from hoego.errors import NotEstimableError, TrainError, nearest
from hoego.recipe.techniques import OptimSettings
from hoego.results.training import LrFinding, LrStep


def parameter_groups(
    model: nn.Module, settings: OptimSettings, heads: Iterable[nn.Parameter] = ()
) -> list[dict[str, Any]]:
    """Group parameters by `weight_decay`, `lr` and `lr_scale` (the group's factor of the rate).

    Vectors (biases, norms) and what the model lists in `no_weight_decay()` do not decay. With `layer_decay` the factor
    of a layer is layer_decay^(layers above it), by timm's grouping of layers (Clark et al. 2020; Bao et al. 2022).

    Args:
        model: the network, with everything that learns in it.
        settings: the section `optim`.
        heads: the parameters that `head_lr` is of.
    """
    skipped = set(getattr(model, "no_weight_decay", set)())
    if settings.layer_decay < 1:
        groups = timm_optim.param_groups_layer_decay(  # type: ignore[attr-defined]
            model,
            weight_decay=settings.weight_decay,
            no_weight_decay_list=skipped,
            layer_decay=settings.layer_decay,
        )
        parts = [(g["params"], g["weight_decay"], float(g["lr_scale"])) for g in groups]
    else:
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        plain = [p for n, p in named if p.ndim <= 1 or n.endswith(".bias") or n in skipped]
        chosen = {id(p) for p in plain}
        parts = [
            ([p for _, p in named if id(p) not in chosen], settings.weight_decay, 1.0),
            (plain, 0.0, 1.0),
        ]
    head_ids = {id(p) for p in heads}
    out = []
    for params, decay, scale in parts:
        for is_head in (False, True):
            members = [p for p in params if (id(p) in head_ids) == is_head]
            if members:
                factor = scale * (settings.head_lr if is_head else 1.0)
                out.append(
                    {"params": members, "weight_decay": decay, "lr": settings.lr * factor, "lr_scale": factor}
                )
    return out


def build_optimizer(
    model: nn.Module, settings: OptimSettings, *, heads: Iterable[nn.Parameter] = ()
) -> torch.optim.Optimizer:
    """Build the optimiser of a recipe over the model's parameters, fused where torch has it.

    Raises:
        TrainError: an unknown name, or an optimiser that this installation cannot build.
    """
    groups = parameter_groups(model, settings, heads)
    extra: dict[str, Any] = {} if settings.betas is None else {"betas": settings.betas}
    if settings.name == "adamw":
        return torch.optim.AdamW(groups, lr=settings.lr, weight_decay=0.0, fused=True, **extra)
    if settings.name == "sgd":
        if settings.betas is not None:
            raise TrainError("optim.betas is not for sgd.", remedy="Set optim.momentum instead.")
        return torch.optim.SGD(
            groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.momentum > 0, fused=True
        )
    known = [str(name) for name in timm_optim.list_optimizers()]  # type: ignore[attr-defined]
    if settings.name not in known:
        raise TrainError(f"There is no optimiser {settings.name!r}.", remedy=nearest(settings.name, known))
    try:
        built: torch.optim.Optimizer = timm_optim.create_optimizer_v2(  # type: ignore[attr-defined]
            groups, opt=settings.name, lr=settings.lr, weight_decay=0.0, momentum=settings.momentum, **extra
        )
    except (ImportError, ModuleNotFoundError, AssertionError, TypeError, RuntimeError) as e:
        raise TrainError(f"The optimiser {settings.name!r} cannot be built: {e}") from e
    return built


def lr_factor(step: int, total: int, settings: OptimSettings) -> float:
    """Return the learning rate of step `step` (from 0) of `total`, as a factor of `optim.lr`.

    - cosine: a linear rise over the warm-up, then final + (1 - final) (1 + cos(pi t)) / 2 (Loshchilov and Hutter 2017,
      eq. 5, one cycle).
    - onecycle: a cosine rise from 1/25 over the warm-up (0.3 in the paper; here `warmup`), then a cosine fall to
      1/250,000 (Smith and Topin 2018, as torch's OneCycleLR).
    - step: after the warm-up, `step_factor` to the number of whole `step_every` shares that have passed.
    - constant: 1 after the warm-up.
    """
    rise = round(settings.warmup * total)
    if settings.schedule == "onecycle":
        return _one_cycle(step, total, settings.warmup)
    if step < rise:
        return (step + 1) / rise
    if settings.schedule == "cosine":
        t = (step - rise) / max(total - rise, 1)
        return settings.final + (1 - settings.final) * (1 + math.cos(math.pi * min(t, 1.0))) / 2
    if settings.schedule == "step":
        return float(settings.step_factor ** math.floor(step / (settings.step_every * total) + 1e-9))
    return 1.0


def _one_cycle(step: int, total: int, rise: float) -> float:
    start, end = 1 / 25, 1 / 25 / 1e4  # div_factor and final_div_factor of torch's OneCycleLR, by default
    top = rise * total - 1
    if step <= top and top > 0:
        return start + (1 - start) * (1 - math.cos(math.pi * step / top)) / 2
    left = max(total - 1 - max(top, 0), 1)
    t = min((step - max(top, 0)) / left, 1.0)
    return end + (1 - end) * (1 + math.cos(math.pi * t)) / 2


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every group the rate lr times its own `lr_scale`."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_scale", 1.0)


def clip_gradients(parameters: Iterable[nn.Parameter], largest: float) -> Tensor:
    """Scale the gradients to the norm `largest` where they exceed it; return the norm, left on the device."""
    return nn.utils.clip_grad_norm_(list(parameters), largest)


class BackboneFreezer:
    """Keeps parts of the backbone as they are, norm statistics included.

    Everything but the heads in the first `freeze_epochs` epochs; the lowest `freeze_layers` layers in all epochs. No
    gradient reaches the lowest layers, so a step computes them forward only: of tf_efficientnet_lite0 the stem and two
    stages are about half of the time.

    Raises:
        TrainError: the backbone does not say what its layers are, or has no more than are frozen.
    """

    def __init__(self, model: nn.Module, heads: Iterable[nn.Parameter], settings: OptimSettings) -> None:
        self.epochs = settings.freeze_epochs
        self.keep_norms = settings.freeze_norm
        head_ids = {id(p) for p in heads}
        self.backbone = [p for p in model.parameters() if id(p) not in head_ids and p.requires_grad]
        self.lowest = lowest_layers(model, settings.freeze_layers) if settings.freeze_layers else set()
        self.norms = [
            m
            for m in model.modules()
            if isinstance(m, nn.modules.batchnorm._BatchNorm)
            and not any(id(p) in head_ids for p in m.parameters())
        ]

    def apply(self, epoch: int) -> None:
        """Call after `model.train()` at the start of each epoch (from 0)."""
        frozen = epoch < self.epochs
        for p in self.backbone:
            still = frozen or id(p) in self.lowest
            p.requires_grad_(not still)
            if still:
                p.grad = None
        for m in self.norms:
            if frozen or self.keep_norms or any(id(p) in self.lowest for p in m.parameters()):
                m.eval()


def lowest_layers(model: nn.Module, count: int) -> set[int]:
    """Return the ids of the parameters of the lowest layers, by timm's coarse grouping (the stem, then the stages).

    Raises:
        TrainError: the model does not say what its layers are, or has no more than that.
    """
    matcher = getattr(model, "group_matcher", None)
    if not callable(matcher):
        raise TrainError(
            f"{type(model).__name__} does not say what its layers are.",
            remedy="Set optim.freeze_layers = 0.",
        )
    layers = group_parameters(model, matcher(coarse=True), return_values=True)
    if count >= len(layers):
        raise TrainError(
            f"optim.freeze_layers = {count}, and the model has {len(layers)} layers.",
            remedy="Freeze fewer; optim.freeze_epochs trains only the heads.",
        )
    return {id(p) for k in range(count) for p in layers[k]}


class Sam:
    """Sharpness-aware minimisation: the gradient at w + e, e = rho g / |g|, applied at w (Foret et al. 2021, alg. 1).

    Adaptive (Kwon et al. 2021, alg. 1): e = rho T^2 g / |T g| with T = |w| + 0.01 for matrices and kernels, 1 for
    vectors. Use: backward; `ascent_step`; zero the gradients; backward again on the same batch; `descent_step`;
    optimizer.step(). Between `descent_step` and the next `ascent_step` it holds no state.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], rho: float, *, adaptive: bool = False) -> None:
        self.parameters = list(parameters)
        self.rho, self.adaptive = rho, adaptive
        self._moved: list[tuple[nn.Parameter, Tensor]] = []

    @torch.no_grad()
    def ascent_step(self) -> None:
        """Move the weights to the worst point nearby, by the gradients at hand."""
        live = [p for p in self.parameters if p.grad is not None]
        if not live:
            return
        grads = [p.grad for p in live if p.grad is not None]
        if self.adaptive:
            sizes = [p.abs() + 0.01 if p.ndim > 1 else torch.ones_like(p) for p in live]
            grads = list(torch._foreach_mul(grads, sizes))
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))
        moves = list(torch._foreach_mul(grads, self.rho / (norm + 1e-12)))
        if self.adaptive:
            torch._foreach_mul_(moves, sizes)
        self._moved = [(p, p.detach().clone()) for p in live]
        torch._foreach_add_([p.data for p in live], moves)

    @torch.no_grad()
    def descent_step(self) -> None:
        """Put the weights back exactly where they were."""
        for p, before in self._moved:
            p.copy_(before)
        self._moved = []


@contextmanager
def frozen_batch_norm(model: nn.Module) -> Iterator[None]:
    """Normalise by the batch without moving the running statistics of batch norms (SAM's second pass)."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    kept = [
        (m.momentum, None if m.num_batches_tracked is None else m.num_batches_tracked.clone()) for m in norms
    ]
    for m in norms:
        m.momentum = 0.0
    try:
        yield
    finally:
        for m, (momentum, seen) in zip(norms, kept, strict=True):
            m.momentum = momentum
            if seen is not None and m.num_batches_tracked is not None:
                m.num_batches_tracked.copy_(seen)


def find_lr(
    train_step: Callable[[float], float],
    *,
    low: float = 1e-6,
    high: float = 1.0,
    steps: int = 100,
    smoothing: float = 0.9,
    diverge: float = 4.0,
) -> LrFinding:
    """Run the learning-rate range test (Smith 2017, section 3.3): one step at each of geometrically rising rates.

    Args:
        train_step: takes one optimiser step at the given rate and returns the loss before it.
        low, high: first and last rate.
        steps: how many.
        smoothing: beta of the exponential average of the losses.
        diverge: the search ends when the smoothed loss exceeds this many times its minimum, or is not finite.

    Raises:
        NotEstimableError: fewer than ten steps before the loss was no longer finite.
    """
    rates, losses, smoothed = [], [], []
    average, diverged = 0.0, False
    for i in range(steps):
        rate = low * (high / low) ** (i / max(steps - 1, 1))
        loss = float(train_step(rate))
        if not math.isfinite(loss):
            diverged = True
            break
        average = smoothing * average + (1 - smoothing) * loss
        rates.append(rate)
        losses.append(loss)
        smoothed.append(average / (1 - smoothing ** (i + 1)))
        # The first losses are noisy: ten steps before divergence can end the search.
        if i >= 10 and smoothed[-1] > diverge * min(smoothed):
            diverged = True
            break
    if len(rates) < 10:
        raise NotEstimableError(
            f"The loss was finite for {len(rates)} steps only, which determines no learning rate.",
            remedy="Start lower, or look for a loss or input that is not a number.",
        )
    lowest = min(range(len(smoothed)), key=smoothed.__getitem__)
    curve = zip(rates, losses, smoothed, strict=True)
    return LrFinding(
        suggestion=rates[lowest] / 10,
        steepest=rates[_steepest(smoothed)],
        diverged=diverged,
        curve=tuple(LrStep(lr=r, loss=x, smoothed=s) for r, x, s in curve),
    )


def _steepest(smoothed: Sequence[float]) -> int:
    slopes = [(smoothed[i + 1] - smoothed[i - 1]) / 2 for i in range(1, len(smoothed) - 1)]
    return 1 + min(range(len(slopes)), key=slopes.__getitem__)
