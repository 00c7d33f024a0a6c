"""Draws the pictures of docs/reference/techniques.md: what every augmentation and every mixing does to synthetic photos.

Usage: python docs/techniques_pictures.py (writes docs/img/augment.jpg and docs/img/mixing.jpg)
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from hoego.apps.people import PeopleSettings, write_people
from hoego.recipe.techniques import AugmentSettings, MixingSettings
from hoego.train.augment import Augment
from hoego.train.mixing import KINDS, mix, plan_batch

IMG = Path(__file__).parent / "img"
WIDTH, HEIGHT, DRAWS, LABEL = 96, 128, 5, 190
MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
EXAMPLES: dict[str, dict[str, Any]] = {
    "flip = 0.5": {"flip": 0.5},
    "rotate = 20": {"rotate": 20},
    "translate = 0.15": {"translate": 0.15},
    "scale = [0.7, 1.4]": {"scale": (0.7, 1.4)},
    "shear = 20": {"shear": 20},
    "crop_area = [0.3, 1]": {"crop_area": (0.3, 1.0)},
    "brightness = 0.5": {"brightness": 0.5},
    "contrast = 0.6": {"contrast": 0.6},
    "saturation = 0.9": {"saturation": 0.9},
    "hue = 0.2": {"hue": 0.2},
    "gamma = 1": {"gamma": 1.0},
    "grey = 0.5": {"grey": 0.5},
    "equalize = 1": {"equalize": 1.0},
    "blur = 1": {"blur": 1.0},
    "noise = 0.15": {"noise": 0.15},
    "erase = 0.8": {"erase": 0.8},
    'policy = "randaugment"': {"policy": "randaugment"},
    'policy = "trivialaugment"': {"policy": "trivialaugment"},
}


def photos() -> torch.Tensor:
    """Photos uint8 [DRAWS, H, W, 3] of different synthetic people."""
    with tempfile.TemporaryDirectory() as folder:
        settings = PeopleSettings(n_train=DRAWS, n_eval=0, size=(WIDTH, HEIGHT), seed=4)
        write_people(Path(folder) / "people", settings, processes=1, progress=False)
        folders = sorted((Path(folder) / "people" / "train" / "images").iterdir())
        chosen = [sorted(f.glob("normal.*" if i % 2 else "mask1.*"))[0] for i, f in enumerate(folders)]
        arrays = [np.asarray(Image.open(path).convert("RGB")) for path in chosen]
    return torch.from_numpy(np.stack(arrays))


def shown(images: torch.Tensor) -> list[Image.Image]:
    """Normalised images as pictures."""
    values = (images * 0.5 + 0.5).clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
    return [Image.fromarray(v) for v in values]


def sheet(rows: dict[str, list[Image.Image]], path: Path) -> None:
    """One labelled row of pictures for each entry."""
    canvas = Image.new("RGB", (LABEL + DRAWS * (WIDTH + 4), len(rows) * (HEIGHT + 4)), "white")
    pen = ImageDraw.Draw(canvas)
    for i, (label, pictures) in enumerate(rows.items()):
        pen.text((8, i * (HEIGHT + 4) + HEIGHT // 2 - 8), label, fill="black", font_size=14)
        for j, picture in enumerate(pictures):
            canvas.paste(picture, (LABEL + j * (WIDTH + 4), i * (HEIGHT + 4)))
    canvas.save(path, quality=82)
    print(path, canvas.size, path.stat().st_size)


def main() -> None:
    pixels = photos()
    one = pixels[1:2].expand(DRAWS, -1, -1, -1).contiguous()
    plain = Augment(AugmentSettings(flip=0), mean=MEAN, std=STD)
    rows = {"the photo": shown(plain.plain(one))}
    for label, settings in EXAMPLES.items():
        augment = Augment(AugmentSettings(**{"flip": 0, **settings}), mean=MEAN, std=STD, seed=2)
        rows[label] = shown(augment(one, epoch=0, first=0))
    sheet(rows, IMG / "augment.jpg")
    images, labels = plain.plain(pixels), np.arange(DRAWS) % 2
    mixed = {"the batch": shown(images)}
    for kind in KINDS:
        settings = MixingSettings.model_validate(
            {kind: {"share": 1, **({"alpha": 4.0} if kind == "mixup" else {})}}
        )
        plans = (
            plan_batch(kind, settings, labels, size=(HEIGHT, WIDTH), counters=(6, 0, n)) for n in range(999)
        )
        plan = next(p for p in plans if p is not None and sum(p.partner != np.arange(DRAWS)) >= DRAWS - 1)
        mixed[f"{kind}" + (" (alpha = 4)" if kind == "mixup" else "")] = shown(mix(images, {}, plan)[0])
    sheet(mixed, IMG / "mixing.jpg")


if __name__ == "__main__":
    main()
