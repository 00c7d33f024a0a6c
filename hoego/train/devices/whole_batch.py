"""A backbone on a device's share of a batch, with the batch norms and the dropout of the whole batch.

While the mode is on, functions of torch that tie the photos of a batch together are answered for all devices: batch
norm takes its statistics over them, dropout and stochastic depth draw for the whole batch and keep the rows of this
device. So the modules stay as they are, and their weights can be loaded anywhere. PyTorch's own SyncBatchNorm does
the first on GPUs alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from hoego.errors import TrainError
from hoego.train.devices.group import DeviceGroup

_REFUSED: dict[Any, str] = {
    getattr(owner, name): name
    for owner, names in (
        (torch, "rand rand_like randn randn_like randint randint_like randperm multinomial bernoulli normal"),
        (Tensor, "normal_ uniform_ exponential_ random_ geometric_ cauchy_ log_normal_ multinomial"),
        (F, "dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout rrelu gumbel_softmax"),
    )
    for name in names.split()
}
"""Functions that draw in a way that is not shared out; a backbone that calls one is refused."""


class WholeBatch(TorchFunctionMode):
    """Answers for the whole batch while the backbone runs on this device's photos.

    Args:
        group: the devices.
        sync_norm: whether batch norms take their statistics over all devices; else each over its own photos.
    """

    def __init__(self, group: DeviceGroup, *, sync_norm: bool) -> None:
        super().__init__()
        self.group, self.sync_norm = group, sync_norm
        self.total = 0

    def of(self, total: int) -> WholeBatch:
        """Return the context for a batch of `total` photos over all devices."""
        self.total = total
        return self

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function of torch, or answer it for the whole batch."""
        kwargs = kwargs or {}
        if func is F.batch_norm and self.sync_norm:
            return self._batch_norm(*args, **kwargs)
        if func is F.dropout:
            return self._dropout(*args, **kwargs)
        if func is Tensor.bernoulli_ and not isinstance(_of_rate(*args[1:], **kwargs), Tensor):
            return args[0].copy_(self._drawn(args[0], _of_rate(*args[1:], **kwargs)))
        if not self._shared(func, args, kwargs):
            name = _REFUSED.get(func, "dropout inside its attention")
            raise TrainError(
                f"The model draws random numbers by {name}, which cannot be shared out among devices.",
                remedy="Train it on one device (devices = 1), or switch that off in model.options.",
            )
        return func(*args, **kwargs)

    @staticmethod
    def _shared(func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> bool:
        """Return whether a call draws nothing that the devices would have to share."""
        if func is F.scaled_dot_product_attention:
            return not kwargs.get("dropout_p") and args[4:5] <= (0.0,)
        return func not in _REFUSED

    def _drawn(self, like: Tensor, rate: float) -> Tensor:
        """Draw ones with probability `rate` for the whole batch; return the rows of this device, shaped as `like`.

        The first axis of `like` holds the photos, or several parts of each photo one after another (windows).
        """
        own = self.group.n_own(self.total)
        parts, rest = divmod(len(like), own)
        if rest:
            raise TrainError(
                f"The model draws for {len(like)} rows where the device has {own} photos, which cannot be shared out.",
                remedy="Train it on one device (devices = 1).",
            )
        shape = (self.total * parts, *like.shape[1:])
        last = like.dim() == 4 and like.is_contiguous(memory_format=torch.channels_last)
        order = torch.channels_last if last else torch.contiguous_format
        whole = torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=order).bernoulli_(rate)
        photos = whole.view(self.total, parts, *whole.shape[1:])
        return photos[self.group.rank :: self.group.world].flatten(0, 1)

    def _dropout(self, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not training or p == 0:
            return input
        keep = self._drawn(input, 1 - p)
        return input * (keep.div_(1 - p) if p < 1 else keep)

    def _batch_norm(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        *more: Any,
        **named: Any,
    ) -> Tensor:
        given = dict(zip(("weight", "bias", "training", "momentum", "eps"), more, strict=False)) | named
        if not given.get("training"):
            return F.batch_norm(input, running_mean, running_var, **given)
        counts = torch.tensor(self.group.counts(self.total))
        places = input[0, 0].numel()
        if self.total * places < 2:
            raise ValueError("Expected more than 1 value per channel when training")
        out, mean, var = _WholeNorm.apply(
            input,
            given.get("weight"),
            given.get("bias"),
            given.get("eps", 1e-5),
            (self.group, counts * places),
        )
        if running_mean is not None and running_var is not None:
            momentum, n = given.get("momentum", 0.1), self.total * places
            with torch.no_grad():
                running_mean.mul_(1 - momentum).add_(mean, alpha=momentum)
                running_var.mul_(1 - momentum).add_(var, alpha=momentum * n / (n - 1))
        return out  # type: ignore[no-any-return]


def _of_rate(p: Any = 0.5, *, generator: Any = None) -> Any:
    return p


class _WholeNorm(torch.autograd.Function):
    """Batch norm by the mean and variance over all devices; the parts are combined as by Chan et al. 1983, eq. 2.1."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, over: Any
    ) -> tuple[Tensor, Tensor, Tensor]:
        group, counts = over
        axes = [0, *range(2, x.dim())]
        var, mean = torch.var_mean(x.float(), axes, correction=0)
        means, variances = group.stacked(torch.stack([mean, var])).unbind(1)
        share = (counts / counts.sum()).to(x.device)[:, None]
        mean = (means * share).sum(0)
        var = ((variances + (means - mean) ** 2) * share).sum(0)
        ctx.save_for_backward(x, weight, mean, torch.rsqrt(var + eps))
        ctx.group, ctx.axes, ctx.n = group, axes, int(counts.sum())
        ctx.mark_non_differentiable(mean, var)
        return F.batch_norm(x, mean, var, weight, bias, False, 0.0, eps), mean, var

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse = ctx.saved_tensors
        shape = [1, -1, *[1] * (x.dim() - 2)]
        dy, away = grads[0].float(), x.float() - mean.view(shape)
        sums = torch.stack([dy.sum(ctx.axes), (dy * away).sum(ctx.axes)])
        own_bias, own_weight = sums[0].clone(), sums[1] * inverse
        total = ctx.group.add(sums) / ctx.n
        slope = inverse if weight is None else inverse * weight
        centred = dy - total[0].view(shape) - away * (inverse**2 * total[1]).view(shape)
        learned = (None, None) if weight is None else (own_weight, own_bias)
        return (centred * slope.view(shape)).to(x.dtype), *learned, None, None
