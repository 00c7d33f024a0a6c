"""Augmentation drawn for each photo by itself and applied to the whole batch at once, on the training device.

`draw` turns 64-bit keys of the photos into parameters (numpy, the same on every device); `Augment` applies them in a
few kernels: all geometry is one sampling of one grid, all linear colour changes and the normalisation are one matrix.
"""

from hoego.train.augment.draw import AugmentParams, draw
from hoego.train.augment.pipeline import Augment

__all__ = ["Augment", "AugmentParams", "draw"]
