# ruff: noqa: E501
"""Training folders for the doctor's tests: a clean one, one per defect, and one in the style of the field's baseline.

Every source here was written for these tests. The line at fault carries the mark `# HERE`.
"""

from __future__ import annotations

from pathlib import Path

DATASET = """
import os
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.data import Dataset
from torchvision import transforms

CLASSES = 18
NAMES = ["mask1", "mask2", "mask3", "mask4", "mask5", "incorrect_mask", "normal"]


def build_transform(size, train):
    steps = [transforms.Resize(size)]
    if train:
        steps.append(transforms.RandomHorizontalFlip())
    return transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))])


def age_bin(age):
    if age < 30:
        return 0
    elif age < 60:
        return 1
    return 2


class FaceDataset(Dataset):
    def __init__(self, root, people, transform):
        self.transform = transform
        self.image_paths = []
        self.labels = []
        for person in people:
            for file in sorted(os.listdir(os.path.join(root, person))):
                stem = Path(file).stem
                if stem not in NAMES:
                    continue
                _, gender, _, age = person.split("_")
                self.image_paths.append(os.path.join(root, person, file))
                self.labels.append(3 * (gender == "female") + age_bin(int(age)))

    def __len__(self):
        return len(self.image_paths)

    def __getitem__(self, index):
        image = Image.open(self.image_paths[index]).convert("RGB")
        return self.transform(image), self.labels[index]


def statistics(paths):
    total, squares, n = 0.0, 0.0, 0
    for path in paths:
        image = np.asarray(Image.open(path)).astype(np.float64) / 255
        total = total + image.mean(axis=(0, 1))
        squares = squares + (image**2).mean(axis=(0, 1))
        n += 1
    mean = total / n
    std = np.sqrt(squares / n - mean**2)
    return mean, std
"""

LOSS = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, logits, target):
        logp = F.log_softmax(logits, dim=-1)
        p = logp.exp()
        return F.nll_loss((1 - p) ** self.gamma * logp, target)


class LabelSmoothingLoss(nn.Module):
    def __init__(self, classes=18, smoothing=0.1, dim=-1):
        super().__init__()
        self.classes = classes
        self.smoothing = smoothing
        self.dim = dim

    def forward(self, logits, target):
        logp = logits.log_softmax(dim=self.dim)
        true = torch.full_like(logp, self.smoothing / (self.classes - 1))
        true.scatter_(1, target.unsqueeze(1), 1.0 - self.smoothing)
        return torch.mean(torch.sum(-true * logp, dim=self.dim))


LOSSES = {"cross_entropy": nn.CrossEntropyLoss, "focal": FocalLoss, "label_smoothing": LabelSmoothingLoss}


def create_criterion(name):
    return LOSSES[name]()
"""

TRAIN = """
import argparse
import json
import os
import random

import numpy as np
import torch
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold, train_test_split
from torch.utils.data import DataLoader

from dataset import CLASSES, FaceDataset, build_transform
from loss import create_criterion
from model import Net


def seed_everything(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def increment_path(path):
    if not os.path.exists(path):
        return path
    found = [name for name in os.listdir(os.path.dirname(path)) if name.startswith(os.path.basename(path))]
    return f"{path}{len(found)}"


def split_people(folder, val_ratio, seed):
    people = sorted(p for p in os.listdir(folder) if not p.startswith("."))
    kinds = [p.split("_")[1] for p in people]
    return train_test_split(people, test_size=val_ratio, stratify=kinds, random_state=seed)


def mix(images, labels):
    lam = np.random.beta(1.0, 1.0)
    order = torch.randperm(images.size(0))
    return lam * images + (1 - lam) * images[order], labels, labels[order], lam


def evaluate(model, loader, criterion, device):
    model.eval()
    preds, truth, losses = [], [], []
    with torch.no_grad():
        for images, labels in loader:
            logits = model(images.to(device))
            losses.append(criterion(logits, labels.to(device)).item())
            preds.extend(logits.argmax(-1).cpu().tolist())
            truth.extend(labels.tolist())
    accuracy = np.mean(np.array(preds) == np.array(truth))
    return f1_score(truth, preds, average="macro"), accuracy, np.mean(losses)


def train(args):
    seed_everything(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_people, val_people = split_people(args.data_dir, args.val_ratio, args.seed)
    train_set = FaceDataset(args.data_dir, train_people, build_transform(args.resize, train=True))
    val_set = FaceDataset(args.data_dir, val_people, build_transform(args.resize, train=False))
    train_loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True, drop_last=True, num_workers=4)
    val_loader = DataLoader(val_set, batch_size=args.valid_batch_size, shuffle=False, num_workers=4)

    model = Net(num_classes=CLASSES).to(device)
    criterion = create_criterion(args.criterion)
    optimizer = getattr(torch.optim, args.optimizer)(model.parameters(), lr=args.lr, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, args.lr_decay_step, gamma=0.5)
    save_dir = increment_path(os.path.join(args.model_dir, args.name))
    os.makedirs(save_dir)
    with open(os.path.join(save_dir, "config.json"), "w") as f:
        json.dump(vars(args), f)

    best_f1, best_acc = 0.0, 0.0
    for epoch in range(args.epochs):
        model.train()
        for step, (images, labels) in enumerate(train_loader):
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            if np.random.random() < args.mix_prob:
                images, one, two, lam = mix(images, labels)
                logits = model(images)
                loss = lam * criterion(logits, one) + (1 - lam) * criterion(logits, two)
            else:
                loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            if step % args.log_interval == 0:
                print(epoch, step, loss.item())
        scheduler.step()
        val_f1, val_acc, val_loss = evaluate(model, val_loader, criterion, device)
        best_acc = max(best_acc, val_acc)
        if val_f1 > best_f1:
            best_f1 = val_f1
            torch.save(model.state_dict(), os.path.join(save_dir, "best.pth"))
        print(epoch, val_f1, val_acc, val_loss)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--resize", nargs="+", type=int, default=[128, 96])
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--valid_batch_size", type=int, default=250)
    parser.add_argument("--optimizer", type=str, default="AdamW")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--val_ratio", type=float, default=0.2)
    parser.add_argument("--criterion", type=str, default="cross_entropy")
    parser.add_argument("--lr_decay_step", type=int, default=20)
    parser.add_argument("--log_interval", type=int, default=20)
    parser.add_argument("--mix_prob", type=float, default=0.3)
    parser.add_argument("--name", default="exp")
    parser.add_argument("--data_dir", default=os.environ.get("SM_CHANNEL_TRAIN", "input/data/train/images"))
    parser.add_argument("--model_dir", default=os.environ.get("SM_MODEL_DIR", "./model"))
    train(parser.parse_args())
"""

MODEL = """
import timm
import torch.nn as nn


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.backbone = timm.create_model("resnet18", pretrained=True, num_classes=0)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(self.backbone.num_features, num_classes)

    def forward(self, x):
        return self.head(self.drop(self.backbone(x)))
"""

INFERENCE = """
import argparse
import os

import pandas as pd
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from dataset import CLASSES, build_transform
from model import Net


class TestDataset(Dataset):
    def __init__(self, paths, transform):
        self.paths = paths
        self.transform = transform

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return self.transform(Image.open(self.paths[index]).convert("RGB"))


@torch.no_grad()
def inference(args):
    info = pd.read_csv(os.path.join(args.data_dir, "info.csv"))
    paths = [os.path.join(args.data_dir, "images", name) for name in info.ImageID]
    model = Net(num_classes=CLASSES)
    model.load_state_dict(torch.load(os.path.join(args.model_dir, "best.pth"), weights_only=True))
    model.eval()
    loader = DataLoader(TestDataset(paths, build_transform(args.resize, train=False)), batch_size=args.batch_size)
    answers = []
    for images in loader:
        answers.extend(torch.softmax(model(images), -1).argmax(-1).tolist())
    info["ans"] = answers
    info.to_csv("output.csv", index=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--resize", nargs="+", type=int, default=[128, 96])
    parser.add_argument("--batch_size", type=int, default=250)
    parser.add_argument("--data_dir", default="input/data/eval")
    parser.add_argument("--model_dir", default="./model/exp")
    inference(parser.parse_args())
"""

CLEAN = {
    "dataset.py": DATASET,
    "loss.py": LOSS,
    "train.py": TRAIN,
    "model.py": MODEL,
    "inference.py": INFERENCE,
}


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


def changed(*edits: tuple[str, str, str], **more: str) -> dict[str, str]:
    """The clean folder with (file, old, new) edits; an edit that finds nothing is an error."""
    files = dict(CLEAN)
    for file, old, new in edits:
        assert old in files[file], f"{old!r} is not in {file}"
        files[file] = files[file].replace(old, new)
    return {**files, **more}


PEOPLE = "    return train_test_split(people, test_size=val_ratio, stratify=kinds, random_state=seed)\n"
SETS = TRAIN[TRAIN.index("    train_people, val_people") : TRAIN.index("    train_loader")]
WHOLE = "    people = sorted(os.listdir(args.data_dir))\n    dataset = FaceDataset(args.data_dir, people, build_transform(args.resize, train=%s))\n"
KEEP = "    n_val = int(len(dataset) * args.val_ratio)\n"

# defect -> the folders that have it, and nothing else
ONE_MODEL = """
import numpy as np
import torch
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold
from torch import nn
from torch.utils.data import DataLoader, Subset

torch.manual_seed(0)


def cross_validate(photos, persons, epochs=3):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 18))  # HERE
    optimizer = torch.optim.AdamW(network.parameters())
    scores = []
    for train_idx, valid_idx in GroupKFold(n_splits=5).split(np.arange(len(photos)), groups=persons):
        train_loader = DataLoader(Subset(photos, train_idx), batch_size=32, shuffle=True)
        valid_loader = DataLoader(Subset(photos, valid_idx), batch_size=32)
        for _ in range(epochs):
            network.train()
            for x, y in train_loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(x), y).backward()
                optimizer.step()
        network.eval()
        predicted, true = [], []
        with torch.no_grad():
            for x, y in valid_loader:
                predicted += network(x).argmax(1).tolist()
                true += y.tolist()
        scores.append(f1_score(true, predicted, average="macro"))
    return float(np.mean(scores))
"""

ONE_MODEL_THROUGH_A_HELPER = """
import timm
import torch
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold

torch.manual_seed(0)


def fit_one(net, optimizer, loader):
    net.train()
    for x, y in loader:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()


def score_one(net, loader):
    net.eval()
    said = [(net(x).argmax(1), y) for x, y in loader]
    return f1_score(torch.cat([y for _, y in said]), torch.cat([p for p, _ in said]), average="macro")


def run(rows, labels, people, loader_of):
    model = timm.create_model("resnet18", num_classes=18).cuda()  # HERE
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    folds = StratifiedGroupKFold(5).split(rows, labels, people)
    out = []
    for fold, (train_rows, valid_rows) in enumerate(folds):
        fit_one(model, optimizer, loader_of(train_rows))
        out.append(score_one(model, loader_of(valid_rows)))
    return out
"""


DEFECTIVE: dict[str, list[dict[str, str]]] = {
    "photo-split": [
        changed(
            (
                "train.py",
                SETS,
                WHOLE % "False" + KEEP + "    from torch.utils.data import random_split\n"
                "    train_set, val_set = random_split(dataset, [len(dataset) - n_val, n_val])  # HERE\n",
            ),
        ),
        changed(
            (
                "train.py",
                SETS,
                WHOLE % "False" + "    from torch.utils.data import Subset\n"
                "    tr, va = train_test_split(range(len(dataset)), test_size=args.val_ratio, stratify=dataset.labels)  # HERE\n"
                "    train_set, val_set = Subset(dataset, tr), Subset(dataset, va)\n",
            ),
        ),
        changed(
            (
                "train.py",
                SETS,
                "    import glob\n    from sklearn.model_selection import StratifiedKFold\n"
                "    image_files = sorted(glob.glob(args.data_dir + '/*/*.jpg'))\n"
                "    targets = [f.split('_')[1] for f in image_files]\n"
                "    folds = StratifiedKFold(n_splits=int(1 / args.val_ratio), shuffle=True, random_state=args.seed)\n"
                "    tr, va = next(iter(folds.split(image_files, targets)))  # HERE\n"
                "    train_set = FaceDataset(args.data_dir, tr, build_transform(args.resize, train=True))\n"
                "    val_set = FaceDataset(args.data_dir, va, build_transform(args.resize, train=False))\n",
            ),
        ),
        changed(
            (
                "train.py",
                SETS,
                "    from pathlib import Path\n"
                "    photos = sorted(Path(args.data_dir).rglob('*.jpg'))\n    random.shuffle(photos)\n"
                "    cut = int(len(photos) * args.val_ratio)\n"
                "    val_photos, train_photos = photos[:cut], photos[cut:]  # HERE\n"
                "    train_set = FaceDataset(args.data_dir, train_photos, build_transform(args.resize, train=True))\n"
                "    val_set = FaceDataset(args.data_dir, val_photos, build_transform(args.resize, train=False))\n",
            ),
        ),
    ],
    "people-with-replacement": [
        changed(
            (
                "train.py",
                PEOPLE,
                "    assert kinds\n    rng = random.Random(seed)\n"
                "    val_index = set(rng.choices(range(len(people)), k=int(len(people) * val_ratio)))  # HERE\n"
                "    return [p for i, p in enumerate(people) if i not in val_index], [people[i] for i in val_index]\n",
            ),
            ("train.py", "    rng = random.Random(seed)\n", "    rng = random\n"),
        ),
        changed(
            (
                "train.py",
                PEOPLE,
                "    np.random.seed(seed)\n"
                "    held = np.random.choice(people, int(len(people) * val_ratio))  # HERE\n"
                "    return [p for p, _ in zip(people, kinds) if p not in set(held)], sorted(set(held))\n",
            ),
        ),
    ],
    "listing-order": [
        changed(
            (
                "train.py",
                'people = sorted(p for p in os.listdir(folder) if not p.startswith("."))',
                'people = [p for p in os.listdir(folder) if not p.startswith(".")]  # HERE',
            )
        ),
        changed(
            (
                "dataset.py",
                "for file in sorted(os.listdir(os.path.join(root, person))):",
                "for file in os.listdir(os.path.join(root, person)):  # HERE",
            )
        ),
        changed(
            (
                "dataset.py",
                "for file in sorted(os.listdir(os.path.join(root, person))):",
                "for file in (Path(root) / person).iterdir():  # HERE",
            )
        ),
        changed(
            (
                "train.py",
                'people = sorted(p for p in os.listdir(folder) if not p.startswith("."))',
                'import glob\n    people = glob.glob(os.path.join(folder, "*"))  # HERE',
            )
        ),
    ],
    "shared-augmentation": [
        changed(
            (
                "train.py",
                SETS,
                WHOLE % "True" + "    from torch.utils.data import Subset\n"
                "    train_people, val_people = split_people(args.data_dir, args.val_ratio, args.seed)\n"
                "    owner = [p.split('/')[-2] for p in dataset.image_paths]\n"
                "    train_set = Subset(dataset, [i for i, o in enumerate(owner) if o in set(train_people)])  # HERE\n"
                "    val_set = Subset(dataset, [i for i, o in enumerate(owner) if o in set(val_people)])\n",
            ),
        ),
        changed(
            (
                "train.py",
                SETS,
                WHOLE % "False" + "    from torch.utils.data import Subset\n"
                "    train_people, val_people = split_people(args.data_dir, args.val_ratio, args.seed)\n"
                "    owner = [p.split('/')[-2] for p in dataset.image_paths]\n"
                "    train_set = Subset(dataset, [i for i, o in enumerate(owner) if o in set(train_people)])\n"
                "    val_set = Subset(dataset, [i for i, o in enumerate(owner) if o in set(val_people)])\n"
                "    train_set.dataset.set_transform(build_transform(args.resize, train=True))\n"
                "    val_set.dataset.set_transform(build_transform(args.resize, train=False))  # HERE\n",
            ),
        ),
    ],
    "best-by-accuracy": [
        changed(
            (
                "train.py",
                "        best_acc = max(best_acc, val_acc)\n        if val_f1 > best_f1:\n            best_f1 = val_f1\n",
                "        best_f1 = max(best_f1, val_f1)\n        if val_acc > best_acc:  # HERE\n            best_acc = val_acc\n",
            )
        ),
        changed(
            (
                "train.py",
                "        best_acc = max(best_acc, val_acc)\n        if val_f1 > best_f1:\n            best_f1 = val_f1\n",
                "        is_best = best_acc < val_acc  # HERE\n        best_acc, best_f1 = max(best_acc, val_acc), max(best_f1, val_f1)\n        if is_best:\n",
            )
        ),
    ],
    "no-f1": [
        changed(
            ("train.py", "from sklearn.metrics import f1_score\n", ""),
            (
                "train.py",
                '    accuracy = np.mean(np.array(preds) == np.array(truth))\n    return f1_score(truth, preds, average="macro"), accuracy, np.mean(losses)\n',
                "    accuracy = np.mean(np.array(preds) == np.array(truth))  # HERE\n    return accuracy, np.mean(losses)\n",
            ),
            ("train.py", "best_f1, best_acc = 0.0, 0.0", "best_loss = 1e9"),
            ("train.py", "val_f1, val_acc, val_loss = evaluate", "val_acc, val_loss = evaluate"),
            (
                "train.py",
                "        best_acc = max(best_acc, val_acc)\n        if val_f1 > best_f1:\n            best_f1 = val_f1\n",
                "        if val_loss < best_loss:\n            best_loss = val_loss\n",
            ),
            ("train.py", "print(epoch, val_f1, val_acc, val_loss)", "print(epoch, val_acc, val_loss)"),
        ),
    ],
    "validation-drop-last": [
        changed(
            (
                "train.py",
                "batch_size=args.valid_batch_size, shuffle=False, num_workers=4)",
                "batch_size=args.valid_batch_size, shuffle=False, drop_last=True)  # HERE",
            )
        ),
        changed(
            (
                "train.py",
                TRAIN[TRAIN.index("    train_loader =") : TRAIN.index("    model = Net")],
                "    train_loader = make_loader(train_set, args.batch_size)\n"
                "    val_loader = make_loader(val_set, args.valid_batch_size)  # HERE\n\n",
            ),
            (
                "train.py",
                "def mix(",
                "def make_loader(data, size, drop_last=True):\n"
                "    return DataLoader(data, batch_size=size, drop_last=drop_last)\n\n\ndef mix(",
            ),
        ),
    ],
    "unused-flag": [
        changed(
            (
                "train.py",
                '    parser.add_argument("--name"',
                '    parser.add_argument("--augmentation", type=str, default="BaseAugmentation")  # HERE\n    parser.add_argument("--name"',
            )
        ),
    ],
    "flag-type": [
        changed(
            (
                "train.py",
                'parser.add_argument("--resize", nargs="+", type=int, default=[128, 96])',
                'parser.add_argument("--resize", type=list, default=[128, 96])  # HERE',
            )
        ),
        changed(
            (
                "train.py",
                '    parser.add_argument("--name"',
                '    parser.add_argument("--use_amp", type=bool, default=False)  # HERE\n    parser.add_argument("--name"',
            ),
            (
                "train.py",
                "    seed_everything(args.seed)\n",
                "    seed_everything(args.seed)\n    torch.backends.cudnn.benchmark = args.use_amp\n",
            ),
        ),
    ],
    "size-order": [
        changed(
            ("inference.py", "type=int, default=[128, 96])", "type=int, default=(96, 128))  # HERE"),
            (
                "inference.py",
                'parser.add_argument("--batch_size", type=int',
                'parser.add_argument("--batch_size", type=int',
            ),
        ),
    ],
    "own-preprocessing": [
        changed(
            (
                "inference.py",
                "from dataset import CLASSES, build_transform\n",
                "from torchvision import transforms\n\nfrom dataset import CLASSES\n",
            ),
            (
                "inference.py",
                "    loader = DataLoader(TestDataset(paths, build_transform(args.resize, train=False)), batch_size=args.batch_size)\n",
                "    shaping = transforms.Compose([transforms.Resize(args.resize), transforms.ToTensor()])  # HERE\n"
                "    loader = DataLoader(TestDataset(paths, shaping), batch_size=args.batch_size)\n",
            ),
        ),
    ],
    "smoothing-zero": [changed(("loss.py", "smoothing=0.1, dim=-1):", "smoothing=0.0, dim=-1):  # HERE"))],
    "loss-classes": [
        changed(
            (
                "loss.py",
                "def __init__(self, classes=18, smoothing=0.1, dim=-1):",
                "def __init__(self, classes=3, smoothing=0.1, dim=-1):  # HERE",
            )
        )
    ],
    "shared-class-lists": [
        changed(
            (
                "dataset.py",
                "class FaceDataset(Dataset):\n",
                "class FaceDataset(Dataset):\n    image_paths = []  # HERE\n    labels = []  # HERE\n\n",
            ),
            ("dataset.py", "        self.image_paths = []\n        self.labels = []\n", ""),
        ),
    ],
    "std-formula": [
        changed(
            (
                "dataset.py",
                "image = np.asarray(Image.open(path)).astype(np.float64) / 255",
                "image = np.asarray(Image.open(path)).astype(np.int32)",
            ),
            (
                "dataset.py",
                "    mean = total / n\n    std = np.sqrt(squares / n - mean**2)\n",
                "    mean = total / n / 255\n    std = (squares / n - mean**2) ** 0.5 / 255  # HERE\n",
            ),
        ),
        changed(
            (
                "dataset.py",
                "image = np.asarray(Image.open(path)).astype(np.float64) / 255",
                "image = np.array(Image.open(path))",
            ),
            (
                "dataset.py",
                "        squares = squares + (image**2).mean(axis=(0, 1))\n",
                "        squares = squares + (image**2).mean(axis=(0, 1))\n",
            ),
            (
                "dataset.py",
                "    std = np.sqrt(squares / n - mean**2)\n",
                "    std = np.sqrt(squares / n - mean**2)  # HERE\n",
            ),
        ),
    ],
    "batch-f1": [
        changed(
            (
                "train.py",
                "    preds, truth, losses = [], [], []\n",
                "    scores, hits, losses = [], [], []\n",
            ),
            (
                "train.py",
                "            preds.extend(logits.argmax(-1).cpu().tolist())\n            truth.extend(labels.tolist())\n",
                "            guess = logits.argmax(-1).cpu()\n            hits.append((guess == labels).float().mean().item())\n"
                '            scores.append(f1_score(labels, guess, average="macro"))  # HERE\n',
            ),
            (
                "train.py",
                '    accuracy = np.mean(np.array(preds) == np.array(truth))\n    return f1_score(truth, preds, average="macro"), accuracy, np.mean(losses)\n',
                "    return np.mean(scores), np.mean(hits), np.mean(losses)\n",
            ),
        ),
    ],
    "micro-f1": [
        changed(
            (
                "train.py",
                'return f1_score(truth, preds, average="macro"), accuracy, np.mean(losses)',
                'return f1_score(truth, preds, average="micro"), accuracy, np.mean(losses)  # HERE',
            )
        ),
        changed(
            (
                "train.py",
                "from sklearn.metrics import f1_score",
                "from torchmetrics.functional import f1_score",
            ),
            (
                "train.py",
                'return f1_score(truth, preds, average="macro"), accuracy, np.mean(losses)',
                'return f1_score(torch.tensor(preds), torch.tensor(truth), task="multiclass", num_classes=CLASSES), accuracy, np.mean(losses)  # HERE',
            ),
        ),
    ],
    "filter-before-split": [
        changed(
            (
                "train.py",
                '    kinds = [p.split("_")[1] for p in people]\n',
                '    import pandas as pd\n    df = pd.DataFrame({"person": people})\n'
                '    df["age"] = [int(p.split("_")[3]) for p in people]\n'
                '    df = df[~df["age"].between(57, 59)]  # HERE\n'
                '    people = df["person"].tolist()\n'
                '    kinds = [p.split("_")[1] for p in people]\n',
            )
        ),
        changed(
            (
                "train.py",
                '    kinds = [p.split("_")[1] for p in people]\n',
                '    kept = []\n    for person in people:\n        age = int(person.split("_")[3])\n'
                "        if age in (57, 58, 59):  # HERE\n            continue\n        kept.append(person)\n"
                '    kinds = [p.split("_")[1] for p in kept]\n',
            ),
            ("train.py", "return train_test_split(people, test", "return train_test_split(kept, test"),
        ),
    ],
    "augmented-before-split": [
        {
            **CLEAN,
            "tools/offline_mixup.py": """
import os
import random

import cv2

ROOT = "input/data/train/images"

for person in sorted(os.listdir(ROOT)):
    if not person.endswith("_60"):
        continue
    other = random.choice(sorted(os.listdir(ROOT)))
    one = cv2.imread(os.path.join(ROOT, person, "normal.jpg"))
    two = cv2.imread(os.path.join(ROOT, other, "normal.jpg"))
    mixed = cv2.addWeighted(one, 0.6, two, 0.4, 0)
    os.makedirs(os.path.join(ROOT, "9" + person), exist_ok=True)
    cv2.imwrite(os.path.join(ROOT, "9" + person, "normal.jpg"), mixed)  # HERE
""",
        },
    ],
    "inverted-probability": [
        changed(
            (
                "train.py",
                "if np.random.random() < args.mix_prob:",
                "if np.random.random() > args.mix_prob:  # HERE",
            )
        ),
        changed(
            (
                "train.py",
                "            if np.random.random() < args.mix_prob:",
                "            r = np.random.rand(1)\n            if args.mix_prob <= r:  # HERE",
            )
        ),
    ],
    "picked-by-leaderboard": [
        {
            **CLEAN,
            "ensemble.py": """
import pandas as pd

MEMBERS = ["sub_effb4_0.7735.csv", "sub_nfnet_0.7712.csv", "sub_beit_0.7690.csv"]  # HERE
frames = [pd.read_csv(name) for name in MEMBERS]
vote = pd.concat([f.ans for f in frames], axis=1).mode(axis=1)[0].astype(int)
vote.to_csv("vote.csv", index=False)
""",
        },
    ],
    "fitted-on-validation": [
        {
            **CLEAN,
            "stack.py": """
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

val_probs = np.load("val_probs.npy")
val_labels = np.load("val_labels.npy")
stack = LogisticRegression(max_iter=1000)
stack.fit(val_probs, val_labels)  # HERE
print(f1_score(val_labels, stack.predict(val_probs), average="macro"))
""",
        },
    ],
    "unsafe-load": [
        changed(
            ("inference.py", "    model = Net(num_classes=CLASSES)\n", ""),
            (
                "inference.py",
                '    model.load_state_dict(torch.load(os.path.join(args.model_dir, "best.pth"), weights_only=True))\n',
                '    model = torch.load(os.path.join(args.model_dir, "best.pth"))  # HERE\n',
            ),
            ("train.py", "torch.save(model.state_dict(),", "torch.save(model,"),
        ),
    ],
    "no-seed": [
        changed(
            ("train.py", "    seed_everything(args.seed)\n", ""),
            ("train.py", TRAIN[TRAIN.index("def seed_everything") : TRAIN.index("def increment_path")], ""),
            ("train.py", '    parser.add_argument("--seed", type=int, default=42)\n', ""),
            ("train.py", ", args.val_ratio, args.seed)", ", args.val_ratio)"),
            (
                "train.py",
                "def split_people(folder, val_ratio, seed):",
                "def split_people(folder, val_ratio):",
            ),
            ("train.py", "stratify=kinds, random_state=seed)", "stratify=kinds)"),
            ("train.py", "            loss.backward()", "            loss.backward()  # HERE"),
        ),
    ],
    "no-eval-mode": [
        changed(
            ("train.py", "    model.eval()\n", ""),
            (
                "train.py",
                "        for images, labels in loader:\n",
                "        for images, labels in val_loader:  # HERE\n",
            ),
            ("train.py", "def evaluate(model, loader,", "def evaluate(model, val_loader,"),
        ),
    ],
    "train-mode-lost": [
        changed(
            (
                "train.py",
                "    for epoch in range(args.epochs):\n        model.train()\n",
                "    model.train()\n    for epoch in range(args.epochs):\n",
            ),
            ("train.py", "    model.eval()\n", ""),
            (
                "train.py",
                "        scheduler.step()\n",
                "        scheduler.step()\n        model.eval()  # HERE\n",
            ),
        ),
    ],
    "softmax-before-cross-entropy": [
        changed(
            (
                "model.py",
                "        return self.head(self.drop(self.backbone(x)))\n",
                "        out = self.head(self.drop(self.backbone(x)))\n        return out.softmax(dim=-1)  # HERE\n",
            ),
            (
                "train.py",
                "criterion = create_criterion(args.criterion)",
                "criterion = torch.nn.CrossEntropyLoss()",
            ),
            ("train.py", "from loss import create_criterion\n", ""),
            ("train.py", '    parser.add_argument("--criterion", type=str, default="cross_entropy")\n', ""),
            ("loss.py", LOSS, ""),
        ),
    ],
    "trains-on-validation": [
        changed(
            (
                "train.py",
                "        scheduler.step()\n",
                "        scheduler.step()\n        for images, labels in val_loader:\n            optimizer.zero_grad()\n"
                "            criterion(model(images.to(device)), labels.to(device)).backward()  # HERE\n            optimizer.step()\n",
            )
        ),
    ],
    "one-model-for-all-folds": [
        {"train.py": ONE_MODEL},
        {"train.py": ONE_MODEL_THROUGH_A_HELPER},
    ],
}
