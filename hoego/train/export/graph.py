"""What is exported: one module from uint8 photos to the probabilities that `hoego predict` gives."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from hoego.data.schema import COMPOSITE, LabelSchema
from hoego.exported.names import CALIBRATED, MEMBERS
from hoego.exported.parity import public_names
from hoego.recipe import normalisation
from hoego.train.forward import Readers
from hoego.train.models import Network
from hoego.train.ordinal import OrdinalHead
from hoego.train.predict import TrainedModel
from hoego.train.small_maps import SmallMapConv2d

SMALLEST = 1e-12
"""Probability below which calibration does not look, as in `hoego.evaluate.diagnose.calibration`."""


class ExportMember(nn.Module):
    """One trained network: normalised photos float [N, 3, H, W] to probabilities [N, C] by head.

    Args:
        network: in evaluation mode.
        readers: how outputs become class probabilities; None where they are logits.
    """

    def __init__(self, network: Network, readers: Readers) -> None:
        super().__init__()
        self.network = network
        ordered = {name: reader for name, reader in readers.items() if reader is not None}
        self.ordered = tuple(ordered)
        # As modules, so that their parameters are weights of the graph.
        self.heads = nn.ModuleList(copy.deepcopy(_owner(reader)).cpu() for reader in ordered.values())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Compute the class probabilities of each head."""
        out = {}
        for name, raw in self.network(images).items():
            if name in self.ordered:
                head = self.heads[self.ordered.index(name)]
                assert isinstance(head, OrdinalHead)
                out[name] = head.class_probabilities(raw)
            else:
                out[name] = raw.softmax(1)
        return out


class ExportGraph(nn.Module):
    """Photos uint8 [N, H, W, 3] to probabilities: scaling, mean and deviation, M networks, their mean, the composite.

    Args:
        members: the M trained models, of one recipe.
        temperatures: by attribute or "composite"; each adds an output of calibrated probabilities.
    """

    def __init__(self, members: Sequence[TrainedModel], temperatures: Mapping[str, float]) -> None:
        super().__init__()
        first = members[0]
        self.schema: LabelSchema = first.schema
        self.heads = tuple(first.network.outputs)
        self.public = public_names(self.heads, self.schema)
        self.temperatures = {k: float(t) for k, t in temperatures.items() if k in self.public}
        self.members = nn.ModuleList(ExportMember(plain_network(m.network), m.decoders) for m in members)
        mean, std = normalisation(first.recipe)
        # The same product and sum as in training (`colour.scaled`), so that the numbers differ by rounding alone.
        self.register_buffer("gain", torch.tensor([1 / s / 255 for s in std]).view(1, 3, 1, 1))
        self.register_buffer(
            "offset", torch.tensor([-m / s for m, s in zip(mean, std, strict=True)]).view(1, 3, 1, 1)
        )
        codes = (
            torch.from_numpy(self.schema.combination_codes.astype("int64")) if self.schema.composite else None
        )
        self.codes = codes

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the outputs, in the order of `forward`."""
        members = tuple(MEMBERS + h for h in self.heads) if len(self.members) > 1 else ()
        return (*self.public, *(CALIBRATED + k for k in self.temperatures), *members)

    def forward(self, photos: Tensor) -> tuple[Tensor, ...]:
        """Compute probabilities [N, C] by attribute, calibrated ones, and those of each member [N, M, C]."""
        gain, offset = self.get_buffer("gain"), self.get_buffer("offset")
        images = photos.permute(0, 3, 1, 2).float() * gain + offset
        each = [member(images) for member in self.members]
        stacked = {h: torch.stack([p[h] for p in each], 1) for h in self.heads}
        heads = {h: p.mean(1) for h, p in stacked.items()}
        found = {name: self._public(name, heads) for name in self.public}
        out = [found[name] for name in self.public]
        for name, temperature in self.temperatures.items():
            out.append((found[name].clamp_min(SMALLEST).log() / temperature).softmax(1))
        if len(self.members) > 1:
            out += [stacked[h] for h in self.heads]
        return tuple(out)

    def _public(self, name: str, heads: Mapping[str, Tensor]) -> Tensor:
        if name in heads:
            return heads[name]
        assert self.codes is not None
        if name == COMPOSITE:
            return self._product(heads)
        codes = self.codes[:, self.schema.composite.index(name)]
        places = torch.nn.functional.one_hot(codes, self.schema.n_classes(name)).float()
        return heads[COMPOSITE] @ places

    def _product(self, heads: Mapping[str, Tensor]) -> Tensor:
        """Multiply the attributes over the combinations that exist, normalised there; uniform where all are 0."""
        assert self.codes is not None
        joint: Tensor | None = None
        for i, name in enumerate(self.schema.composite):
            part = heads[name][:, self.codes[:, i]]
            joint = part if joint is None else joint * part
        assert joint is not None
        total = joint.sum(1, keepdim=True)
        even = torch.full_like(joint, 1 / joint.shape[1])
        return torch.where(total > 0, joint / total.clamp_min(1e-38), even)


def _owner(reader: Callable[[Tensor], Tensor]) -> OrdinalHead:
    head = getattr(reader, "__self__", None)
    assert isinstance(head, OrdinalHead)
    return head


def plain_network(network: Network) -> Network:
    """Return a copy on the CPU whose convolutions are PyTorch's own: the faster ones are not single operators."""
    out = copy.deepcopy(network).cpu().float().eval()
    for module in out.modules():
        if isinstance(module, SmallMapConv2d):
            module.__class__ = nn.Conv2d  # type: ignore[assignment]
    return out
