"""Convolutions on small maps: the same numbers as conv2d, whatever the shape."""

from __future__ import annotations

import itertools

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from hoego.train.small_maps import SmallMapConv2d, speed_up_small_maps  # noqa: E402

pytestmark = pytest.mark.torch

SHAPES = tuple(itertools.product((1, 2, 3, 4, 7), (1, 2, 4), (1, 2), ((5, 7), (128, 130))))


def pair(channels: tuple[int, int], stride: int, dtype: torch.dtype) -> tuple[nn.Module, nn.Module]:
    """conv2d in float64, and ours with the same weights."""
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Conv2d(*channels, 3, stride, 1, bias=False).to(dtype))
    reference = nn.Conv2d(*channels, 3, stride, 1, bias=False).double()
    reference.weight.data = ours[0].weight.detach().double()
    assert isinstance(speed_up_small_maps(ours)[0], SmallMapConv2d)
    return reference, ours


def results(conv: nn.Module, x: Tensor) -> list[Tensor]:
    """Output, gradient of the input, gradient of the weights, in float64."""
    x = x.clone().requires_grad_()
    out = conv(x)
    torch.manual_seed(1)
    out.backward(torch.randn(out.shape, dtype=torch.float64).to(torch.bfloat16).to(out.dtype))
    (weight,) = conv.parameters()
    assert x.grad is not None
    assert weight.grad is not None
    return [t.detach().double() for t in (out, x.grad, weight.grad)]


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 0.02)]
)
def test_the_numbers_are_those_of_conv2d(dtype: torch.dtype, tolerance: float) -> None:
    for height, width, stride, channels in SHAPES:
        reference, ours = pair(channels, stride, dtype)
        x = torch.randn(3, channels[0], height, width).to(dtype)
        for a, b in zip(results(reference, x.double()), results(ours, x), strict=True):
            assert a.shape == b.shape
            assert (a - b).abs().max() <= tolerance * a.abs().max(), (height, width, stride, channels)


def test_autocast_gives_bfloat16_and_a_float32_gradient() -> None:
    reference, ours = pair((128, 128), 1, torch.float32)
    x = torch.randn(4, 128, 2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        out = ours(x)
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    (weight,) = ours.parameters()
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32
    assert torch.allclose(out.double(), reference(x.double()), atol=0.05)


def test_only_plain_convolutions_are_changed() -> None:
    others = [
        nn.Conv2d(8, 8, 3, 1, 1),
        nn.Conv2d(8, 8, 3, 1, 1, bias=False, groups=8),
        nn.Conv2d(8, 8, 3, 1, 2, dilation=2, bias=False),
        nn.Conv2d(8, 8, 1, bias=False),
        nn.Conv2d(8, 8, 3, 1, 1, bias=False, padding_mode="reflect"),
    ]
    network = speed_up_small_maps(nn.Sequential(*others, nn.Conv2d(8, 8, 3, 2, 1, bias=False)))
    assert [isinstance(m, SmallMapConv2d) for m in network] == [False] * 5 + [True]
    names = ["0.weight", "0.bias", *(f"{i}.weight" for i in range(1, 6))]
    assert list(network.state_dict()) == names
