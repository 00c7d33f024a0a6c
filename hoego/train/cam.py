"""Where a model looks: Grad-CAM for convolutional networks, attention roll-out for transformers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hoego.errors import TrainError

Outputs = Callable[[Any], Tensor]
LEAST = 36
"""Places that a map needs: each place of a smaller one has seen nearly the whole photo, and shows nothing."""


def grad_cam(
    model: nn.Module,
    images: Tensor,
    classes: Tensor,
    *,
    layer: nn.Module | None = None,
    logits_of: Outputs | None = None,
) -> Tensor:
    """Compute heat maps float32[B, H, W] in [0, 1] of the evidence for a class (Selvaraju et al. 2017, eq. 1 and 2).

    The layer's channels are added with the mean gradient of the class's logit as weights, negative sums cut to 0,
    enlarged bilinearly to the photo's size and divided by their maximum. A map of zeros means that there is no
    evidence for the class.

    Args:
        model: the network, in the mode it predicts in.
        images: normalised [B, 3, H, W].
        classes: int[B].
        layer: the convolutional layer to look at; that of `last_map` where None.
        logits_of: logits [B, C] of what the model returns; needed where it does not return logits.

    Raises:
        TrainError: no layer gives a map, or the layer takes no part in the logits.
    """
    chosen = layer or last_map(model, images[:1])
    seen: list[Tensor] = []
    hook = chosen.register_forward_hook(lambda _m, _i, out: seen.append(_first(out)))
    try:
        with torch.enable_grad():
            # The input needs a gradient so that a model whose parameters are frozen has one at the layer too.
            outputs = model(images.detach().requires_grad_(True))
            logits = outputs if logits_of is None else logits_of(outputs)
            picked = logits.float().gather(1, classes.long()[:, None]).sum()
            gradient = torch.autograd.grad(picked, seen[-1], allow_unused=True)[0]
    finally:
        hook.remove()
    if gradient is None:
        raise TrainError(
            "The layer takes no part in the class's score.", remedy="Choose a layer before the head."
        )
    with torch.no_grad():
        weights = gradient.float().mean((2, 3), keepdim=True)
        heat = (weights * seen[-1].float()).sum(1, keepdim=True).relu()
        return _to_unit(
            F.interpolate(heat, size=images.shape[2:], mode="bilinear", align_corners=False)[:, 0]
        )


@torch.no_grad()
def last_map(model: nn.Module, image: Tensor) -> nn.Module:
    """Return the last leaf module, in the order of use, whose output is a map [1, K, h, w] with h * w >= LEAST.

    Where no map is so large, the last of the largest. Raises TrainError where there is none.
    """
    found: list[tuple[int, nn.Module]] = []

    def note(module: nn.Module, _inputs: Any, out: Any) -> None:
        value = _first(out)
        if isinstance(value, Tensor) and value.dim() == 4 and value.shape[2] * value.shape[3] > 1:
            found.append((min(value.shape[2] * value.shape[3], LEAST), module))

    leaves = [m for m in model.modules() if not list(m.children())]
    hooks = [m.register_forward_hook(note) for m in leaves]
    try:
        model(image)
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        raise TrainError(
            "No layer of the model gives a map to look at.", remedy="Transformers: attention roll-out."
        )
    most = max(places for places, _ in found)
    return [module for places, module in found if places == most][-1]


def rollout(attentions: Sequence[Tensor], *, prefix: int = 1) -> Tensor:
    """Compute attention roll-out [B, patches] from attention matrices [B, heads, T, T] of each layer, first to last.

    Heads are averaged, half of the identity mixed in for the residual path, rows normalised, and the layers multiplied
    (Abnar and Zuidema 2020, eq. 1). The first token's row is read; with no prefix token, the mean of all rows.

    Args:
        attentions: row t of a matrix holds the weights with which token t reads the others.
        prefix: number of tokens before the patches (class token, registers).
    """
    joint: Tensor | None = None
    for attention in attentions:
        mean = attention.float().mean(1)
        mean = (mean + torch.eye(mean.shape[-1], device=mean.device)) / 2
        mean = mean / mean.sum(-1, keepdim=True)
        joint = mean if joint is None else mean @ joint
    if joint is None:
        raise TrainError("The model showed no attention.", remedy="Convolutional networks: Grad-CAM.")
    row = joint[:, 0] if prefix else joint.mean(1)
    return row[:, prefix:]


@torch.no_grad()
def attention_map(model: nn.Module, images: Tensor, *, grid: tuple[int, int] | None = None) -> Tensor:
    """Compute heat maps float32[B, H, W] in [0, 1] of a timm transformer by attention roll-out.

    Args:
        model: its attention modules have `attn_drop` (all of timm's vision transformers with global attention).
        images: normalised [B, 3, H, W].
        grid: patches down and across; from the model's patch embedding, or square, where None.

    Raises:
        TrainError: no attention module, or patches that fill no grid.
    """
    with captured_attention(model) as attentions:
        model(images)
    inner = _with_attribute(model, "num_prefix_tokens")
    prefix = int(getattr(inner, "num_prefix_tokens", 1)) if inner is not None else 1
    heat = rollout(attentions, prefix=prefix)
    if grid is None:
        embedding = _with_attribute(model, "grid_size")
        known = getattr(embedding, "grid_size", None) if embedding is not None else None
        side = round(heat.shape[1] ** 0.5)
        grid = (int(known[0]), int(known[1])) if known is not None else (side, side)
    if grid[0] * grid[1] != heat.shape[1]:
        raise TrainError(f"{heat.shape[1]} patches do not fill a grid of {grid[0]} x {grid[1]}.")
    maps = heat.view(len(heat), 1, *grid)
    return _to_unit(F.interpolate(maps, size=images.shape[2:], mode="bilinear", align_corners=False)[:, 0])


@contextmanager
def captured_attention(model: nn.Module) -> Iterator[list[Tensor]]:
    """Yield a list to which every forward pass appends its attention matrices [B, heads, T, T], layer by layer."""
    layers = [m for m in model.modules() if isinstance(getattr(m, "attn_drop", None), nn.Module)]
    fused = [(m, m.fused_attn) for m in layers if hasattr(m, "fused_attn")]
    seen: list[Tensor] = []
    hooks = [
        m.attn_drop.register_forward_hook(lambda _m, inputs, _out: seen.append(inputs[0].detach()))  # type: ignore[union-attr]
        for m in layers
    ]
    # Fused attention never forms the matrix, and does not call `attn_drop`: it is off while the hooks are on.
    for m, _ in fused:
        m.fused_attn = False  # type: ignore[assignment]
    try:
        yield seen
    finally:
        for m, was in fused:
            m.fused_attn = was
        for hook in hooks:
            hook.remove()


def _with_attribute(model: nn.Module, name: str) -> nn.Module | None:
    return next((m for m in model.modules() if getattr(m, name, None) is not None), None)


def _first(out: Any) -> Any:
    return out[0] if isinstance(out, tuple | list) and out else out


def _to_unit(heat: Tensor) -> Tensor:
    top = heat.amax((1, 2), keepdim=True)
    return torch.where(top > 0, heat / top.clamp_min(1e-12), torch.zeros_like(heat))
