"""The devices of one training, as each of them sees the others (torch.distributed).

Every device holds all weights. It runs the backbone on its share of a batch; the features of all are then gathered, and
every device computes the heads and the loss of the whole batch from them. So masks, weights, class weights and losses
that are a property of the batch count as in one process. The gradients of the backbone are the sum over the devices.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from hoego.train.devices.joining import join_rows

TIMEOUT = datetime.timedelta(minutes=20)
"""After which a device that no longer answers counts as dead. One that has died is noticed at once."""


@dataclass(frozen=True)
class DeviceGroup:
    """The devices of a training.

    Args:
        rank: of this device, from 0; device 0 alone writes.
        world: how many there are.
        device: where this process computes.
    """

    rank: int
    world: int
    device: torch.device

    @classmethod
    def open(cls, rank: int, world: int, device: torch.device, store: Any) -> DeviceGroup:
        """Connect to the other devices, by `nccl` between GPUs and by `gloo` between CPUs; `store` is torch's."""
        if device.type == "cuda":
            torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        with _on_loopback():
            dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=TIMEOUT)
        return cls(rank, world, device)

    def close(self) -> None:
        """Leave the others."""
        if dist.is_initialized():
            dist.destroy_process_group()

    def counts(self, total: int) -> list[int]:
        """Return how many photos of a batch of `total` are each device's."""
        return [len(range(rank, total, self.world)) for rank in range(self.world)]

    def n_own(self, total: int) -> int:
        """Return how many photos of a batch of `total` are this device's."""
        return self.counts(total)[self.rank]

    def gather(self, own: Tensor, total: int) -> Tensor:
        """Join the rows [b, F] of all devices to [total, F], in the order of the batch.

        The gradient of a device's own rows passes; it is whole, since every device computes the whole loss.
        """
        joined: Tensor = _GatherRows.apply(own.float(), self, total)
        return joined

    def stacked(self, own: Tensor) -> Tensor:
        """Return a tensor of every device, [world, ...]."""
        parts = [torch.empty_like(own) for _ in range(self.world)]
        dist.all_gather(parts, own.contiguous())
        return torch.stack(parts)

    def add(self, own: Tensor) -> Tensor:
        """Return the sum over the devices; `own` is overwritten."""
        dist.all_reduce(own)
        return own

    def reduce_gradients(
        self, partial: Sequence[nn.Parameter], whole: Sequence[nn.Parameter], averaged: Sequence[Tensor]
    ) -> None:
        """Make gradients and running statistics those of all devices, bit for bit the same on each.

        Args:
            partial: parameters whose gradients are of this device's photos: they are added.
            whole: parameters whose gradients are of the whole batch already: their mean is taken, which removes what
                a GPU adds in another order.
            averaged: running statistics that each device has of its own photos.
        """
        own = [p.grad for p in partial if p.grad is not None]
        same = [*(p.grad for p in whole if p.grad is not None), *averaged]
        if not own and not same:
            return
        flat = torch.cat([*(t.reshape(-1) for t in own), *(t.reshape(-1) / self.world for t in same)])
        dist.all_reduce(flat)
        tensors = [*own, *same]
        parts = torch.split(flat, [t.numel() for t in tensors])
        with torch.no_grad():
            for tensor, part in zip(tensors, parts, strict=True):
                tensor.copy_(part.view(tensor.shape))

    def copy_first(self, modules: Sequence[nn.Module]) -> None:
        """Copy weights and buffers of device 0 to all others: they start from the same, bit for bit."""
        for module in modules:
            for tensor in module.state_dict().values():
                dist.broadcast(tensor, 0)

    def agree(self, number: int) -> int:
        """Return the number of device 0."""
        said = torch.tensor([number], device=self.device)
        dist.broadcast(said, 0)
        return int(said)

    def wait(self) -> None:
        """Wait until all devices are here."""
        dist.all_reduce(torch.zeros(1, device=self.device))
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def join(
        self, ids: NDArray[np.str_], values: Mapping[str, NDArray[np.float32]], images: NDArray[np.str_]
    ) -> dict[str, NDArray[np.float32]]:
        """Join what each device predicted; return values [N, C] by head in the order of `images` [N].

        Args:
            ids: images [n] that this device predicted.
            values: float32 [n, C] by head.
            images: all held-out images [N].

        Raises:
            MismatchError: together they are not exactly the held-out images.
        """
        parts: list[Any] = [None] * self.world
        dist.all_gather_object(parts, (ids, dict(values)))
        return join_rows(parts, images)


class _GatherRows(torch.autograd.Function):
    """Rows of all devices, each of which has every world-th; padded on the way where they have not as many."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, group: DeviceGroup, total: int) -> Tensor:
        ctx.group = group
        most = -(-total // group.world)
        padded = own.new_zeros((most, *own.shape[1:]))
        padded[: len(own)] = own
        return group.stacked(padded).transpose(0, 1).flatten(0, 1)[:total].contiguous()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return grads[0][ctx.group.rank :: ctx.group.world].contiguous(), None, None


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """Keep the devices of one machine off the network, unless the environment names an interface."""
    names = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    wanted = {"GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"} - set(os.environ) if names else set()
    os.environ.update(dict.fromkeys(wanted, names[0] if names else ""))
    try:
        yield
    finally:
        for name in wanted:
            os.environ.pop(name, None)
