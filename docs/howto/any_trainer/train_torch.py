"""Train a small network by plain torch on one exported fold, and write what it predicts.

    python train_torch.py train folds/fold-0 --to model-0.pt
    python train_torch.py predict folds/fold-0 --model model-0.pt --to fold-0.csv

`--also PHOTO` trains on one more photo: try it on a held-out one under `hoego watch`.
"""

import argparse
import csv
import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

SIZE = 64


def by_pillow(path):
    with Image.open(path) as photo:
        pixels = np.asarray(photo.convert("RGB").resize((SIZE, SIZE)))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def by_torchvision(path):
    from torchvision.io import ImageReadMode, read_image

    pixels = read_image(str(path), ImageReadMode.RGB)
    return nn.functional.interpolate(pixels[None].float(), (SIZE, SIZE), mode="area")[0]


def by_opencv(path):
    import cv2

    pixels = cv2.resize(cv2.imread(str(path)), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(pixels[..., ::-1].copy()).permute(2, 0, 1)


READERS = {"pillow": by_pillow, "torchvision": by_torchvision, "opencv": by_opencv}


class Photos(Dataset):
    """Pixels and class of each (path, class) pair."""

    def __init__(self, pairs, reader):
        self.pairs, self.read = pairs, READERS[reader]

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        path, label = self.pairs[i]
        return self.read(path).float() / 127.5 - 1, label


def network(n_classes):
    layers, width = [], 3
    for wider in (16, 32, 64):
        layers += [nn.Conv2d(width, wider, 3, stride=2), nn.BatchNorm2d(wider), nn.ReLU()]
        width = wider
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, n_classes))


def train(asked):
    folders = sorted(f for f in (asked.fold / "train").iterdir() if f.is_dir())
    pairs = [(photo, k) for k, folder in enumerate(folders) for photo in sorted(folder.iterdir())]
    random.Random(0).shuffle(pairs)
    pairs = pairs[: asked.photos] + [(photo, 0) for photo in asked.also]
    torch.manual_seed(0)
    model = network(len(folders))
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    loader = DataLoader(Photos(pairs, asked.reader), 32, shuffle=True, num_workers=asked.workers)
    for epoch in range(asked.epochs):
        for pixels, label in loader:
            loss = nn.functional.cross_entropy(model(pixels), label)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}")
    torch.save({"classes": [f.name for f in folders], "model": model.state_dict()}, asked.to)


def predict(asked):
    saved = torch.load(asked.model, weights_only=True)
    model = network(len(saved["classes"])).eval()
    model.load_state_dict(saved["model"])
    photos = sorted((asked.fold / "predict").iterdir())
    loader = DataLoader(Photos([(p, 0) for p in photos], asked.reader), 64, num_workers=asked.workers)
    with torch.inference_mode():
        p = torch.cat([model(pixels).softmax(1) for pixels, _ in loader])
    with asked.to.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", *saved["classes"]])
        rows.writerows([str(photo), *row] for photo, row in zip(photos, p.tolist(), strict=True))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["train", "predict"])
    parser.add_argument("fold", type=Path, help="such as folds/fold-0")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--photos", type=int, help="train on so many alone")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--reader", choices=list(READERS), default="pillow")
    parser.add_argument("--also", type=Path, nargs="*", default=[], metavar="PHOTO")
    asked = parser.parse_args()
    {"train": train, "predict": predict}[asked.mode](asked)


if __name__ == "__main__":
    main()
