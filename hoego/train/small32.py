"""Hoego's own small network for photos of about 32 px, under a name of timm's registry."""

from __future__ import annotations

import inspect
from typing import Any

import torch
import torch.nn.functional as F
from timm.models import register_model
from torch import Tensor, nn

from hoego.errors import TrainError

SMALL_MODEL = "hoego_small32"


class PhotoNorm(nn.Module):
    """Each photo [B, 3, H, W] minus its mean, divided by its standard deviation over all channels and pixels.

    It removes brightness and contrast of the whole photo, which depend more on the light than on the object.
    """

    def __init__(self, eps: float = 3e-4) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise photos [B, 3, H, W], each by its own mean and deviation."""
        variance, mean = torch.var_mean(x, (1, 2, 3), keepdim=True, correction=0)
        out: Tensor = (x - mean) * torch.rsqrt(variance + self.eps)
        return out


class ConvNorm(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, padding: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Small32(nn.Module):
    """A plain convolutional net for photos of about 32 px, made for training on a CPU.

    A 4 x 4 stem of stride 2, then stages at 1/2, 1/4 and 1/8 of the side with few but full 3 x 3 convolutions:
    dense convolutions on small maps are what a CPU's matrix units do best, where depthwise ones and norms over many
    channels wait for memory. A 32 px photo ends as 4 x 4 places, not as one.

    Args:
        num_classes: outputs of the classifier; 0 returns the pooled features [B, num_features].
        in_chans: channels of the photos.
        width: multiple of the channel counts.
        drop_rate: dropout before the classifier.
        norm: whether each photo is normalised by itself (`PhotoNorm`).
    """

    def __init__(
        self,
        num_classes: int = 1000,
        in_chans: int = 3,
        width: float = 1.0,
        drop_rate: float = 0.0,
        norm: bool = True,
    ) -> None:
        super().__init__()
        stem, half, quarter, eighth = (max(8, round(c * width / 8) * 8) for c in (48, 64, 128, 256))
        self.norm = PhotoNorm() if norm else nn.Identity()
        self.stages = nn.Sequential(
            ConvNorm(in_chans, stem, 4, 2, 1),
            ConvNorm(stem, half),
            nn.MaxPool2d(2),
            ConvNorm(half, quarter),
            ConvNorm(quarter, quarter),
            nn.MaxPool2d(2),
            ConvNorm(quarter, eighth),
            ConvNorm(eighth, eighth),
        )
        self.num_features = self.head_hidden_size = eighth
        self.num_classes = num_classes
        self.drop_rate = drop_rate
        self.head = nn.Linear(eighth, num_classes) if num_classes else nn.Identity()

    def forward_features(self, x: Tensor) -> Tensor:
        """Compute feature maps [B, num_features, H/8, W/8]."""
        out: Tensor = self.stages(self.norm(x))
        return out

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Compute pooled features [B, num_features], or outputs [B, num_classes]."""
        pooled = F.dropout(x.mean((2, 3)), self.drop_rate, self.training)
        return pooled if pre_logits else self.head(pooled)

    def forward(self, x: Tensor) -> Tensor:
        """Compute outputs [B, num_classes], or pooled features where there is no classifier."""
        return self.forward_head(self.forward_features(x))

    def get_classifier(self) -> nn.Module:
        """Return the classifier, as timm's models do."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the classifier, as timm's models do; 0 classes remove it."""
        self.num_classes = num_classes
        self.head = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()


@register_model
def hoego_small32(pretrained: bool = False, **options: Any) -> Small32:
    """Build `Small32` for timm's registry. It has no published weights."""
    if pretrained:
        raise TrainError(f"{SMALL_MODEL} has no published weights.", remedy="Set model.pretrained = false.")
    known = inspect.signature(Small32).parameters
    return Small32(**{k: v for k, v in options.items() if k in known})
