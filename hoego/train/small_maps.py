"""3 x 3 convolutions on maps of a few places, on a CPU.

Deep in a network a photo of 32 to 64 px has become a map of 1 x 1, 2 x 2 or 4 x 4 places, where most of a 3 x 3 kernel
lies on the padding. oneDNN multiplies those zeros too, and its gradient of the weights is slowest there: at 1 x 1 with
512 channels it takes about fifty times as long as the one product that is not zero. Here each tap of the kernel is a
matrix product over the places where it meets the map, so the numbers are those of `conv2d` up to rounding.

benchmarks/small_maps.py measures both ways, by shape and precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

N = TypeVar("N", bound=nn.Module)

TINY = 4
"""Places of a map up to which everything is done tap by tap."""

SMALL, WIDE = 16, 128
"""In bfloat16 the weights' gradient is computed so up to SMALL places, given WIDE channels on both sides."""


def speed_up_small_maps(network: N) -> N:
    """Make the 3 x 3 convolutions of a network (changed in place) use the faster kernel on small maps.

    Parameters, their names and everything on a GPU stay as they are.
    """
    for module in network.modules():
        if type(module) is nn.Conv2d and _fits(module):
            module.__class__ = SmallMapConv2d
    return network


def _fits(conv: nn.Conv2d) -> bool:
    plain = (
        conv.bias is None and conv.groups == 1 and conv.dilation == (1, 1) and conv.padding_mode == "zeros"
    )
    shape = conv.kernel_size == (3, 3) and conv.padding == (1, 1) and conv.stride in ((1, 1), (2, 2))
    return plain and shape


class SmallMapConv2d(nn.Conv2d):
    """A 3 x 3 convolution, padding 1, stride 1 or 2, without bias; quicker than `nn.Conv2d` on small maps on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x [B, C, H, W] to [B, O, h, w], tap by tap where the map is small."""
        weight = self.weight
        if x.device.type != "cpu":
            return super().forward(x)
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            x, weight = x.to(dtype), weight.to(dtype)
        places = x.shape[2] * x.shape[3]
        if places > TINY and not _small(places, weight):
            return super().forward(x)
        out: Tensor = _Taps.apply(x, weight, self.stride[0])
        return out


def _small(places: int, weight: Tensor) -> bool:
    wide = min(weight.shape[:2]) >= WIDE
    return places <= SMALL and wide and weight.dtype == torch.bfloat16 and torch.is_grad_enabled()


class _Taps(torch.autograd.Function):
    """x [B, C, H, W], weight [O, C, 3, 3] -> [B, O, h, w]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        if x.shape[2] * x.shape[3] > TINY:
            return F.conv2d(x, weight, None, stride, 1)
        h, w = ((n - 1) // stride + 1 for n in x.shape[2:])
        out = x.new_empty(len(x), h, w, len(weight))
        for r, c, rows, columns, kernel in _windows(x, weight, stride):
            out[:, r, c] = _product(_flat(x[:, :, rows, columns]), kernel)
        return _channels_first(out)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        (grad,) = grads
        wanted_x, wanted_weight, _ = ctx.needs_input_grad
        grad_x = _grad_x(x, weight, grad, ctx.stride) if wanted_x else None
        return grad_x, _grad_weight(x, weight, grad, ctx.stride) if wanted_weight else None, None


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Multiply a [M, K] and b [N, K] to a b' [M, N].

    In float32 as a 1 x 1 convolution, which oneDNN does: on AMD's processors it is twice as fast as MKL, which does
    PyTorch's matrix products.
    """
    if a.dtype != torch.float32 or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return a @ b.t()
    rows = a.contiguous()[None, :, None].permute(0, 3, 1, 2)
    return F.conv2d(rows, b.contiguous()[:, :, None, None])[0, :, :, 0].t()


def _channels_first(x: Tensor) -> Tensor:
    """Permute [N, H, W, C] to [N, C, H, W], as channels_last stores it.

    A single place has the strides of the plain layout, which every other kernel gives it: batch norm takes nine times
    as long over tensors that differ there.
    """
    n, h, w, c = x.shape
    return x.view(n, c, 1, 1) if h * w == 1 else x.permute(0, 3, 1, 2)


def _flat(x: Tensor) -> Tensor:
    """Flatten [N, C, H, W] to [N, H * W * C]: places first, as channels_last stores them."""
    return x.permute(0, 2, 3, 1).reshape(len(x), -1)


def _windows(x: Tensor, weight: Tensor, stride: int) -> Iterator[tuple[int, int, slice, slice, Tensor]]:
    """Yield for each output place its row, column, the rows and columns of x it reads, its kernel [O, places * C]."""
    height, width = x.shape[2:]
    for r in range((height - 1) // stride + 1):
        for c in range((width - 1) // stride + 1):
            top, left = r * stride - 1, c * stride - 1
            rows, columns = (
                slice(max(top, 0), min(top + 3, height)),
                slice(max(left, 0), min(left + 3, width)),
            )
            seen = weight[
                :, :, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
            ]
            yield r, c, rows, columns, _flat(seen)


def _grad_x(x: Tensor, weight: Tensor, grad: Tensor, stride: int) -> Tensor:
    if x.shape[2] * x.shape[3] > TINY:
        options = ([stride] * 2, [1, 1], [1, 1], False, [0, 0], 1, [True, False, False])
        found: Tensor = torch.ops.aten.convolution_backward(grad, x, weight, None, *options)[0]
        return found
    batch, channels, height, width = x.shape
    out = x.new_zeros(batch, height, width, channels)
    for r, c, rows, columns, kernel in _windows(x, weight, stride):
        part = _product(grad[:, :, r, c], kernel.t())
        out[:, rows, columns] += part.view(
            batch, rows.stop - rows.start, columns.stop - columns.start, channels
        )
    return _channels_first(out)


def _grad_weight(x: Tensor, weight: Tensor, grad: Tensor, stride: int) -> Tensor:
    """Compute the weights' gradient tap by tap: the output gradient where the tap meets the map, times the map."""
    outputs, channels = weight.shape[:2]
    out = weight.new_zeros(outputs, 3, 3, channels)
    maps, grads = x.permute(0, 2, 3, 1), grad.permute(0, 2, 3, 1)
    for i in range(3):
        for j in range(3):
            (r, rows), (c, columns) = (
                _meets(tap, n, m, stride)
                for tap, n, m in zip((i, j), x.shape[2:], grad.shape[2:], strict=True)
            )
            if r.stop > r.start and c.stop > c.start:
                here = maps[:, rows, columns].reshape(-1, channels)
                out[:, i, j] = _product(grads[:, r, c].reshape(-1, outputs).t(), here.t())
    return out.permute(0, 3, 1, 2)


def _meets(tap: int, n: int, m: int, stride: int) -> tuple[slice, slice]:
    """Return, along an axis of n places and m outputs, the outputs whose tap meets the map, and the places it reads."""
    first = 1 if tap == 0 else 0
    last = min(m, (n - tap) // stride + 1)
    start = first * stride + tap - 1
    return slice(first, max(last, first)), slice(start, start + stride * max(last - first, 0), stride)
