"""Do the synthetic people reproduce the three facts of the competition's data?

    python benchmarks/people_facts.py [--people 450] [--seeds 0 1 2] [--epochs 15]

For each seed: draw people at 60 x 80 pixels, train the same small network twice, once with a fifth of the
photos held out (a photo-level split: the same person stands on both sides) and once with a fifth of the
people held out, both stratified by gender and age class; score the held-out photos by macro F1.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table
from sklearn.metrics import f1_score
from torch import Tensor, nn

from hoego.apps.people import PeopleSettings, write_people
from hoego.apps.people.cast import age_class, make_cast
from hoego.apps.people.shot import STEMS, mask_class

SIZE = (60, 80)
CLASSES = (3, 2, 3)  # mask, gender, age


def load(people: int, seed: int) -> tuple[Tensor, Tensor, NDArray[np.int64]]:
    """Photos uint8 [N, 3, H, W], labels [N, A], and the person of each photo [N]."""
    photos, labels, persons = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "people"
        write_people(root, PeopleSettings(n_train=people, n_eval=0, size=SIZE, seed=seed))
        for member in make_cast(0, people, seed):
            for name, shot in member.files:
                with Image.open(root / "train" / "images" / member.folder / name) as image:
                    photos.append(np.asarray(image.convert("RGB")))
                labels.append((mask_class(shot), int(member.gender == "female"), age_class(member.age)))
                persons.append(member.index)
    stack = torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).contiguous()
    return stack, torch.tensor(labels), np.array(persons)


def held_out(labels: Tensor, persons: NDArray[np.int64], by_person: bool, seed: int) -> Tensor:
    """A mask [N] of a fifth of the photos, stratified by gender and age class."""
    generator = np.random.default_rng(seed)
    group = (labels[:, 1] * 3 + labels[:, 2]).numpy()
    held = np.zeros(len(persons), dtype=bool)
    for value in np.unique(group):
        members = np.flatnonzero(group == value)
        if by_person:
            names = generator.permutation(np.unique(persons[members]))
            held |= np.isin(persons, names[: max(1, round(0.2 * len(names)))])
        else:
            held[generator.permutation(members)[: round(0.2 * len(members))]] = True
    return torch.from_numpy(held)


def network() -> nn.Module:
    """Five convolutions and a linear layer for the eight outputs of three heads."""
    layers: list[nn.Module] = []
    for inside, outside, stride in ((3, 24, 2), (24, 48, 1), (48, 64, 2), (64, 96, 2), (96, 128, 2)):
        layers += [nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d((2, 2)), nn.Flatten(), nn.Linear(512, sum(CLASSES)))


def scaled(photos: Tensor) -> Tensor:
    """Photos to the range of the network."""
    return (photos.float() - 124.0) / 60.0


def train(photos: Tensor, labels: Tensor, held: Tensor, epochs: int, seed: int) -> NDArray[np.int64]:
    """Train on the rest; return the predicted labels [N held out, A]."""
    torch.manual_seed(seed)
    model = network()
    inside = torch.nonzero(~held)[:, 0]
    steps = epochs * (len(inside) // 64)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for _ in range(epochs):
        order = inside[torch.randperm(len(inside))]
        for batch in order[: len(order) // 64 * 64].split(64):
            x = scaled(photos[batch])
            flipped = torch.rand(len(x)) < 0.5
            x = torch.where(flipped[:, None, None, None], x.flip(3), x)
            heads = model(x).split(CLASSES, dim=1)
            loss = sum(nn.functional.cross_entropy(head, labels[batch, a]) for a, head in enumerate(heads))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        out = torch.cat([model(scaled(chunk)) for chunk in photos[held].split(256)])
    return np.stack([head.argmax(1).numpy() for head in out.split(CLASSES, dim=1)], axis=1)


def composite(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """6 * mask + 3 * gender + age."""
    return 6 * labels[:, 0] + 3 * labels[:, 1] + labels[:, 2]


def figures(truth: NDArray[np.int64], guess: NDArray[np.int64]) -> dict[str, float]:
    """Macro F1 of the composite and of each attribute, and the F1 of each age class."""
    present = np.unique(composite(truth))
    ages = f1_score(truth[:, 2], guess[:, 2], average=None, labels=[0, 1, 2], zero_division=0.0)
    row = {
        "macro F1": f1_score(
            composite(truth), composite(guess), average="macro", labels=present, zero_division=0.0
        )
    }
    for a, name in enumerate(("mask", "gender", "age")):
        row[name] = f1_score(truth[:, a], guess[:, a], average="macro")
    row |= dict(zip(("age <30", "age 30-59", "age 60"), ages, strict=True))
    return {name: float(value) for name, value in row.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=450)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=15)
    options = parser.parse_args()
    table = Table(
        title=f"{options.people} people, {options.people * len(STEMS)} photos of {SIZE[0]} x {SIZE[1]}, F1"
    )
    rows: list[tuple[int, str, dict[str, float]]] = []
    for seed in options.seeds:
        photos, labels, persons = load(options.people, seed)
        for kind in ("photos", "people"):
            held = held_out(labels, persons, kind == "people", seed)
            guess = train(photos, labels, held, options.epochs, seed)
            rows.append((seed, kind, figures(labels[held].numpy(), guess)))
    for column in ("seed", "held out", *rows[0][2], "flattered by"):
        table.add_column(column, justify="right")
    for k, (seed, kind, row) in enumerate(rows):
        gain = "" if kind == "photos" else f"{rows[k - 1][2]['macro F1'] - row['macro F1']:.3f}"
        table.add_row(str(seed), kind, *(f"{value:.3f}" for value in row.values()), gain)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
