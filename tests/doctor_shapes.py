# ruff: noqa: E501
"""Folders in other shapes: the field's baseline with all its defects at once, a notebook, Lightning, and Hydra.

Written for these tests. A line at fault carries the mark `# HERE` with the ids of its defects.
"""

from __future__ import annotations

import json

BASELINE_DATASET = """
import os
import random
from collections import defaultdict
from enum import Enum

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset, Subset, random_split
from torchvision import transforms
from torchvision.transforms import *


def is_image_file(filename):
    return any(filename.endswith(ext) for ext in (".jpg", ".jpeg", ".png"))


class BaseAugmentation:
    def __init__(self, resize, mean, std, **kwargs):
        self.transform = transforms.Compose([Resize(resize, Image.BILINEAR), ToTensor(), Normalize(mean=mean, std=std)])

    def __call__(self, image):
        return self.transform(image)


class CustomAugmentation:
    def __init__(self, resize, mean, std, **kwargs):
        self.transform = transforms.Compose([
            CenterCrop((320, 256)), Resize(resize, Image.BILINEAR), ColorJitter(0.1, 0.1, 0.1, 0.1), ToTensor(),
            Normalize(mean=mean, std=std),
        ])

    def __call__(self, image):
        return self.transform(image)


class MaskBaseDataset(Dataset):
    num_classes = 3 * 2 * 3
    kinds = {"mask1": 0, "mask2": 0, "mask3": 0, "mask4": 0, "mask5": 0, "incorrect_mask": 1, "normal": 2}
    image_paths = []  # HERE shared-class-lists
    mask_labels = []  # HERE shared-class-lists
    age_labels = []  # HERE shared-class-lists

    def __init__(self, data_dir, mean=(0.548, 0.504, 0.479), std=(0.237, 0.247, 0.246), val_ratio=0.2):
        self.data_dir = data_dir
        self.mean = mean
        self.std = std
        self.val_ratio = val_ratio
        self.transform = None
        self.setup()
        self.calc_statistics()

    def setup(self):
        profiles = os.listdir(self.data_dir)  # HERE listing-order
        for profile in profiles:
            if profile.startswith("."):
                continue
            img_folder = os.path.join(self.data_dir, profile)
            for file_name in os.listdir(img_folder):  # HERE listing-order
                name, ext = os.path.splitext(file_name)
                if name not in self.kinds:
                    continue
                self.image_paths.append(os.path.join(img_folder, file_name))
                self.mask_labels.append(self.kinds[name])
                self.age_labels.append(int(profile.split("_")[3]))

    def calc_statistics(self):
        if self.mean is None or self.std is None:
            sums, squared = [], []
            for image_path in self.image_paths[:3000]:
                image = np.array(Image.open(image_path)).astype(np.int32)
                sums.append(image.mean(axis=(0, 1)))
                squared.append((image ** 2).mean(axis=(0, 1)))
            self.mean = np.mean(sums, axis=0) / 255
            self.std = (np.mean(squared, axis=0) - self.mean ** 2) ** 0.5 / 255  # HERE std-formula

    def set_transform(self, transform):
        self.transform = transform

    def __getitem__(self, index):
        return self.transform(Image.open(self.image_paths[index])), self.mask_labels[index] * 6

    def __len__(self):
        return len(self.image_paths)

    def split_dataset(self):
        n_val = int(len(self) * self.val_ratio)
        n_train = len(self) - n_val
        train_set, val_set = random_split(self, [n_train, n_val])  # HERE photo-split
        return train_set, val_set


class MaskSplitByProfileDataset(MaskBaseDataset):
    def __init__(self, *args, **kwargs):
        self.indices = defaultdict(list)
        super().__init__(*args, **kwargs)

    @staticmethod
    def _split_profile(profiles, val_ratio):
        length = len(profiles)
        n_val = int(length * val_ratio)
        val_indices = set(random.choices(range(length), k=n_val))  # HERE people-with-replacement
        train_indices = set(range(length)) - val_indices
        return {"train": train_indices, "val": val_indices}

    def split_dataset(self):
        return [Subset(self, indices) for phase, indices in self.indices.items()]


class TestDataset(Dataset):
    def __init__(self, img_paths, resize, mean=(0.548, 0.504, 0.479), std=(0.237, 0.247, 0.246)):
        self.img_paths = img_paths
        self.transform = transforms.Compose([Resize(resize, Image.BILINEAR), ToTensor(), Normalize(mean=mean, std=std)])  # HERE own-preprocessing

    def __getitem__(self, index):
        return self.transform(Image.open(self.img_paths[index]))

    def __len__(self):
        return len(self.img_paths)
"""

BASELINE_LOSS = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class LabelSmoothingLoss(nn.Module):
    def __init__(self, classes=3, smoothing=0.0, dim=-1):  # HERE loss-classes smoothing-zero
        super().__init__()
        self.confidence = 1.0 - smoothing
        self.smoothing = smoothing
        self.cls = classes
        self.dim = dim

    def forward(self, pred, target):
        pred = pred.log_softmax(dim=self.dim)
        with torch.no_grad():
            true = torch.full_like(pred, self.smoothing / (self.cls - 1))
            true.scatter_(1, target.data.unsqueeze(1), self.confidence)
        return torch.mean(torch.sum(-true * pred, dim=self.dim))


class F1Loss(nn.Module):
    def __init__(self, classes=3, epsilon=1e-7):  # HERE loss-classes
        super().__init__()
        self.classes = classes
        self.epsilon = epsilon

    def forward(self, pred, true):
        true = F.one_hot(true, self.classes).float()
        pred = F.softmax(pred, dim=1)
        tp = (true * pred).sum(0)
        f1 = 2 * tp / (true.sum(0) + pred.sum(0) + self.epsilon)
        return 1 - f1.mean()


_entrypoints = {"cross_entropy": nn.CrossEntropyLoss, "label_smoothing": LabelSmoothingLoss, "f1": F1Loss}


def criterion_entrypoint(name):
    return _entrypoints[name]


def create_criterion(criterion_name, **kwargs):
    if criterion_name in _entrypoints:
        return criterion_entrypoint(criterion_name)(**kwargs)
    raise RuntimeError(criterion_name)
"""

BASELINE_TRAIN = """
import argparse
import glob
import json
import multiprocessing
import os
import random
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader

from dataset import MaskBaseDataset
from loss import create_criterion


def seed_everything(seed):
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def increment_path(path, exist_ok=False):
    path = Path(path)
    if (path.exists() and exist_ok) or (not path.exists()):
        return str(path)
    dirs = glob.glob(f"{path}*")
    matches = [re.search(rf"%s(\\d+)" % path.stem, d) for d in dirs]
    i = [int(m.groups()[0]) for m in matches if m]
    n = max(i) + 1 if i else 2
    return f"{path}{n}"


def train(data_dir, model_dir, args):
    seed_everything(args.seed)
    save_dir = increment_path(os.path.join(model_dir, args.name))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dataset_module = getattr(import_module("dataset"), args.dataset)
    dataset = dataset_module(data_dir=data_dir)
    num_classes = dataset.num_classes
    transform_module = getattr(import_module("dataset"), args.augmentation)
    transform = transform_module(resize=args.resize, mean=dataset.mean, std=dataset.std)
    dataset.set_transform(transform)  # HERE shared-augmentation
    train_set, val_set = dataset.split_dataset()
    train_loader = DataLoader(train_set, batch_size=args.batch_size, num_workers=2, shuffle=True, drop_last=True)
    val_loader = DataLoader(  # HERE validation-drop-last
        val_set,
        batch_size=args.valid_batch_size,
        num_workers=2,
        shuffle=False,
        drop_last=True,
    )
    model_module = getattr(import_module("model"), args.model)
    model = model_module(num_classes=num_classes).to(device)
    model = torch.nn.DataParallel(model)
    criterion = create_criterion(args.criterion)
    opt_module = getattr(import_module("torch.optim"), args.optimizer)
    optimizer = opt_module(filter(lambda p: p.requires_grad, model.parameters()), lr=args.lr, weight_decay=5e-4)
    scheduler = StepLR(optimizer, args.lr_decay_step, gamma=0.5)
    with open(os.path.join(save_dir, "config.json"), "w", encoding="utf-8") as f:
        json.dump(vars(args), f, ensure_ascii=False, indent=4)

    best_val_acc = 0
    best_val_loss = np.inf
    for epoch in range(args.epochs):
        model.train()
        matches = 0
        for idx, train_batch in enumerate(train_loader):
            inputs, labels = train_batch
            inputs, labels = inputs.to(device), labels.to(device)
            optimizer.zero_grad()
            outs = model(inputs)
            preds = torch.argmax(outs, dim=-1)
            loss = criterion(outs, labels)
            loss.backward()
            optimizer.step()
            matches += (preds == labels).sum().item()
            if (idx + 1) % args.log_interval == 0:
                print(matches / args.batch_size / args.log_interval)
                matches = 0
        scheduler.step()
        with torch.no_grad():
            model.eval()
            val_loss_items = []
            val_acc_items = []
            for val_batch in val_loader:
                inputs, labels = val_batch
                outs = model(inputs.to(device))
                preds = torch.argmax(outs, dim=-1)
                val_loss_items.append(criterion(outs, labels.to(device)).item())
                val_acc_items.append((labels.to(device) == preds).sum().item())
            val_loss = np.sum(val_loss_items) / len(val_loader)
            val_acc = np.sum(val_acc_items) / len(val_set)  # HERE no-f1
            best_val_loss = min(best_val_loss, val_loss)
            if val_acc > best_val_acc:  # HERE best-by-accuracy
                print(f"New best model for val accuracy : {val_acc:4.2%}! saving the best model..")
                torch.save(model.module.state_dict(), f"{save_dir}/best.pth")
                best_val_acc = val_acc
            torch.save(model.module.state_dict(), f"{save_dir}/last.pth")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=42, help="random seed (default: 42)")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--dataset", type=str, default="MaskBaseDataset")
    parser.add_argument("--augmentation", type=str, default="BaseAugmentation")
    parser.add_argument("--resize", nargs="+", type=list, default=[128, 96])  # HERE flag-type
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--valid_batch_size", type=int, default=1000)
    parser.add_argument("--model", type=str, default="BaseModel")
    parser.add_argument("--optimizer", type=str, default="SGD")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--val_ratio", type=float, default=0.2)  # HERE unused-flag
    parser.add_argument("--criterion", type=str, default="cross_entropy")
    parser.add_argument("--lr_decay_step", type=int, default=20)
    parser.add_argument("--log_interval", type=int, default=20)
    parser.add_argument("--name", default="exp")
    parser.add_argument("--data_dir", type=str, default=os.environ.get("SM_CHANNEL_TRAIN", "/opt/ml/input/data/train/images"))
    parser.add_argument("--model_dir", type=str, default=os.environ.get("SM_MODEL_DIR", "./model"))
    args = parser.parse_args()
    print(args)
    train(args.data_dir, args.model_dir, args)
"""

BASELINE_INFERENCE = """
import argparse
import os
from importlib import import_module

import pandas as pd
import torch

from dataset import MaskBaseDataset, TestDataset


def load_model(saved_model, num_classes, device):
    model = getattr(import_module("model"), args.model)(num_classes=num_classes)
    model.load_state_dict(torch.load(os.path.join(saved_model, "best.pth"), map_location=device))
    return model


@torch.no_grad()
def inference(data_dir, model_dir, output_dir, args):
    device = torch.device("cpu")
    model = load_model(model_dir, MaskBaseDataset.num_classes, device).to(device)
    model.eval()
    info = pd.read_csv(os.path.join(data_dir, "info.csv"))
    img_paths = [os.path.join(data_dir, "images", img_id) for img_id in info.ImageID]
    loader = torch.utils.data.DataLoader(TestDataset(img_paths, args.resize), batch_size=args.batch_size, drop_last=False)
    preds = []
    for images in loader:
        preds.extend(model(images.to(device)).argmax(dim=-1).cpu().numpy())
    info["ans"] = preds
    info.to_csv(os.path.join(output_dir, "output.csv"), index=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch_size", type=int, default=1000)
    parser.add_argument("--resize", type=tuple, default=(96, 128))  # HERE flag-type size-order
    parser.add_argument("--model", type=str, default="BaseModel")
    parser.add_argument("--data_dir", type=str, default="/opt/ml/input/data/eval")
    parser.add_argument("--model_dir", type=str, default="./model")
    parser.add_argument("--output_dir", type=str, default="./output")
    args = parser.parse_args()
    inference(args.data_dir, args.model_dir, args.output_dir, args)
"""

BASELINE_MODEL = """
import torch.nn as nn
import torch.nn.functional as F


class BaseModel(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, kernel_size=7, stride=1)
        self.dropout = nn.Dropout(0.25)
        self.pool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(32, num_classes)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = self.pool(self.dropout(x)).view(x.size(0), -1)
        return self.fc(x)
"""

BASELINE = {
    "dataset.py": BASELINE_DATASET,
    "loss.py": BASELINE_LOSS,
    "train.py": BASELINE_TRAIN,
    "inference.py": BASELINE_INFERENCE,
    "model.py": BASELINE_MODEL,
}


def notebook(*cells: str) -> str:
    """A notebook of code cells, with a line of prose before the first."""
    made = [{"cell_type": "markdown", "metadata": {}, "source": ["# Mask classification\n"]}]
    made += [
        {
            "cell_type": "code",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": cell.splitlines(True),
        }
        for cell in cells
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


NOTEBOOK_CELLS = (
    """%matplotlib inline
!pip install -q timm albumentations
import os, glob, random
import numpy as np, pandas as pd
import cv2, torch, timm
import torch.nn as nn
import albumentations as A
from albumentations.pytorch import ToTensorV2
from torch.utils.data import Dataset, DataLoader
from sklearn.model_selection import StratifiedKFold
from sklearn.metrics import f1_score
from tqdm.auto import tqdm""",
    """class CFG:
    model = 'tf_efficientnet_b4_ns'
    size = (312, 234)
    epochs = 8
    bs = 32
    lr = 2e-4
    n_fold = 5
    seed = 2021
    cutmix_prob = 0.5
TRAIN = '/opt/ml/input/data/train'
device = 'cuda'
random.seed(CFG.seed); np.random.seed(CFG.seed); torch.manual_seed(CFG.seed)""",
    """train_df = pd.read_csv(os.path.join(TRAIN, 'train.csv'))
rows = []
for _, r in train_df.iterrows():
    for p in glob.glob(f"{TRAIN}/images/{r.path}/*"):  # HERE listing-order
        stem = os.path.basename(p).split('.')[0]
        m = 2 if stem == 'normal' else 1 if 'incorrect' in stem else 0
        rows.append({'img': p, 'label': 6 * m + 3 * (r.gender == 'female') + min(r.age // 30, 2), 'age': r.age})
df = pd.DataFrame(rows)
df = df[(df.age < 57) | (df.age >= 60)].reset_index(drop=True)  # HERE filter-before-split
skf = StratifiedKFold(n_splits=CFG.n_fold, shuffle=True, random_state=CFG.seed)
for f, (_, v) in enumerate(skf.split(df, df.label)):  # HERE photo-split
    df.loc[v, 'fold'] = f""",
    """def tfm(train):
    ops = [A.Resize(*CFG.size)]
    if train:
        ops += [A.HorizontalFlip(p=0.5), A.RandomBrightnessContrast()]
    return A.Compose(ops + [A.Normalize(), ToTensorV2()])

class MaskDS(Dataset):
    def __init__(self, df, t):
        self.p, self.y, self.t = df.img.values, df.label.values, t
    def __len__(self): return len(self.p)
    def __getitem__(self, i):
        im = cv2.cvtColor(cv2.imread(self.p[i]), cv2.COLOR_BGR2RGB)
        return self.t(image=im)['image'], self.y[i]

def cutmix(x, y):
    lam = np.random.beta(1, 1)
    idx = torch.randperm(len(x), device=x.device)
    w = int(x.shape[-1] * lam)
    x[..., w:] = x[idx][..., w:]
    return x, y, y[idx], lam""",
    """def run(fold):
    tr, va = df[df.fold != fold], df[df.fold == fold]
    train_dl = DataLoader(MaskDS(tr, tfm(True)), CFG.bs, shuffle=True, drop_last=True)
    val_dl = DataLoader(MaskDS(va, tfm(False)), CFG.bs, shuffle=False)
    net = timm.create_model(CFG.model, pretrained=True, num_classes=18).to(device)
    opt = torch.optim.AdamW(net.parameters(), lr=CFG.lr)
    crit = nn.CrossEntropyLoss()
    best = 0
    for ep in range(CFG.epochs):
        net.train()
        for x, y in tqdm(train_dl):
            x, y = x.to(device), y.to(device)
            if random.random() > CFG.cutmix_prob:  # HERE inverted-probability
                x, a, b, lam = cutmix(x, y)
                out = net(x)
                loss = lam * crit(out, a) + (1 - lam) * crit(out, b)
            else:
                loss = crit(net(x), y)
            opt.zero_grad(); loss.backward(); opt.step()
        net.eval()
        f1s, accs = [], []
        with torch.no_grad():
            for x, y in val_dl:
                pred = net(x.to(device)).argmax(1).cpu()
                f1s.append(f1_score(y, pred, average='macro'))  # HERE batch-f1
                accs.append((pred == y).float().mean().item())
        acc = np.mean(accs)
        print(ep, acc, np.mean(f1s))
        if acc > best:  # HERE best-by-accuracy
            best = acc
            torch.save(net.state_dict(), f'fold{fold}.pth')
for k in range(CFG.n_fold): run(k)""",
    """ens = pd.concat([pd.read_csv(f).ans for f in ['lb0.771_b4.csv', 'lb0.765_nfnet.csv', 'lb0.758_rexnet.csv']], axis=1)  # HERE picked-by-leaderboard
sub = pd.read_csv('/opt/ml/input/data/eval/info.csv')
sub['ans'] = ens.mode(axis=1)[0].astype(int)
sub.to_csv('submission.csv', index=False)""",
)

NOTEBOOK = {"mask.ipynb": notebook(*NOTEBOOK_CELLS)}

LIGHTNING = {
    "src/data/face_datamodule.py": """
from pathlib import Path
from typing import Optional

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset, random_split
from torchvision import transforms as T
from torchvision.io import read_image


class FaceFolder(Dataset):
    def __init__(self, root, tfm=None):
        self.tfm = tfm
        self.items = []
        for person in Path(root).iterdir():  # HERE listing-order
            if person.name.startswith("."):
                continue
            for p in person.glob("*"):  # HERE listing-order
                self.items.append((p, self.label_of(p)))

    def label_of(self, p):
        _, sex, _, age = p.parent.name.split("_")
        return 3 * int(sex == "female") + min(int(age) // 30, 2)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        p, y = self.items[i]
        x = read_image(str(p)).float() / 255
        return self.tfm(x) if self.tfm else x, y


class FaceDataModule(pl.LightningDataModule):
    def __init__(self, root, batch_size=64, workers=4, val_frac=0.2):
        super().__init__()
        self.save_hyperparameters()
        self.aug = T.Compose([T.Resize((224, 168)), T.RandomHorizontalFlip(), T.RandomRotation(10)])

    def setup(self, stage: Optional[str] = None):
        full = FaceFolder(self.hparams.root, tfm=self.aug)
        n = int(len(full) * self.hparams.val_frac)
        self.train_ds, self.val_ds = random_split(full, [len(full) - n, n])  # HERE photo-split shared-augmentation

    def _loader(self, ds, shuffle):
        return DataLoader(ds, batch_size=self.hparams.batch_size, shuffle=shuffle, num_workers=self.hparams.workers, drop_last=True)

    def train_dataloader(self):
        return self._loader(self.train_ds, True)

    def val_dataloader(self):
        return self._loader(self.val_ds, False)  # HERE validation-drop-last
""",
    "src/models/classifier.py": """
import pytorch_lightning as pl
import timm
import torch
import torch.nn.functional as F
import torchmetrics


class MaskClassifier(pl.LightningModule):
    def __init__(self, arch="convnext_tiny", n_classes=18, lr=3e-4, smoothing=0.1):
        super().__init__()
        self.save_hyperparameters()
        self.net = timm.create_model(arch, pretrained=True, num_classes=n_classes)
        self.val_acc = torchmetrics.Accuracy(task="multiclass", num_classes=n_classes)
        self.val_f1 = torchmetrics.F1Score(task="multiclass", num_classes=n_classes)  # HERE micro-f1

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self(x), y, label_smoothing=self.hparams.smoothing)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        self.log("val/loss", F.cross_entropy(logits, y))
        self.val_acc(logits, y)
        self.log("val/acc", self.val_acc, on_epoch=True)
        self.log("val/f1", self.val_f1(logits, y))  # HERE batch-f1

    def configure_optimizers(self):
        opt = torch.optim.AdamW(self.parameters(), lr=self.hparams.lr)
        return [opt], [torch.optim.lr_scheduler.CosineAnnealingLR(opt, self.trainer.max_epochs)]
""",
    "src/train.py": """
from argparse import ArgumentParser

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint

from src.data.face_datamodule import FaceDataModule
from src.models.classifier import MaskClassifier


def main(hp):
    dm = FaceDataModule(hp.root, batch_size=hp.bs)
    model = MaskClassifier(arch=hp.arch, lr=hp.lr)
    ckpt = ModelCheckpoint(monitor="val/acc", mode="max", save_top_k=1)  # HERE best-by-accuracy
    trainer = pl.Trainer(max_epochs=hp.max_epochs, accelerator="gpu", devices=1, precision=16,
                         callbacks=[ckpt, EarlyStopping("val/loss"), LearningRateMonitor()])
    trainer.fit(model, dm)  # HERE no-seed


if __name__ == "__main__":
    p = ArgumentParser()
    p.add_argument("--root", default="data/train/images")
    p.add_argument("--arch", default="convnext_tiny")
    p.add_argument("--bs", default=64, type=int)
    p.add_argument("--lr", default=3e-4, type=float)
    p.add_argument("--max-epochs", default=20, type=int)
    p.add_argument("--fold", default=0, type=int)  # HERE unused-flag
    main(p.parse_args())
""",
    "src/predict.py": """
import pandas as pd
import torch
from PIL import Image
from torchvision import transforms

from src.models.classifier import MaskClassifier

tf = transforms.Compose([transforms.Resize((168, 224)), transforms.ToTensor()])  # HERE size-order own-preprocessing
model = MaskClassifier.load_from_checkpoint("best.ckpt").eval()
info = pd.read_csv("data/eval/info.csv")
with torch.no_grad():
    info["ans"] = [int(model(tf(Image.open(f"data/eval/images/{n}"))[None]).argmax()) for n in info.ImageID]
info.to_csv("sub.csv", index=False)
""",
}

HYDRA = {
    "conf/config.yaml": """
defaults:
  - model: effb3
  - optim: adam
  - _self_

seed: 77
data:
  root: /opt/ml/input/data/train
  img_size: [260, 200]   # height, width
  val_size: 0.15
loader:
  train: {batch_size: 48, shuffle: true, num_workers: 8, drop_last: true}
  valid: {batch_size: 96, shuffle: false, num_workers: 8, drop_last: true}
train:
  epochs: 25
  amp: true
  loss: smooth
  mixup_alpha: 0.4
  mixup_p: 0.3
""",
    "conf/model/effb3.yaml": "name: efficientnet_b3\npretrained: true\nnum_classes: 18\ndrop_rate: 0.2\n",
    "conf/optim/adam.yaml": "_target_: torch.optim.Adam\nlr: 0.0005\nweight_decay: 1.0e-5\n",
    "conf/inference.yaml": """
data:
  root: /opt/ml/input/data/eval
  img_size: [200, 260]  # HERE size-order
ckpt: outputs/best.pt
""",
    "mask/data.py": """
import os

import cv2
import numpy as np
import pandas as pd
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from torch.utils.data import Dataset

from mask.augment import get_transforms

FILES = ("mask1", "mask2", "mask3", "mask4", "mask5", "incorrect_mask", "normal")


def make_table(root):
    people = pd.read_csv(os.path.join(root, "train.csv"))
    people = people.query("not (age > 26 and age < 30)")  # HERE filter-before-split
    table = people.loc[people.index.repeat(len(FILES))].reset_index(drop=True)
    table["file"] = np.tile(FILES, len(people))
    table["image_path"] = [os.path.join(root, "images", p, f + ".jpg") for p, f in zip(table.path, table.file)]
    table["target"] = table.file.map(lambda f: 0 if "mask" in f else 2) * 6
    return table


def holdout(table, size, seed):
    splitter = StratifiedShuffleSplit(n_splits=1, test_size=size, random_state=seed)
    return next(splitter.split(table["image_path"], table["target"]))  # HERE photo-split


class MaskTable(Dataset):
    cache = []  # HERE shared-class-lists

    def __init__(self, table, transform):
        self.table = table
        self.transform = transform
        for path in table["image_path"]:
            self.cache.append(cv2.imread(path))

    def __len__(self):
        return len(self.table)

    def __getitem__(self, i):
        return self.transform(image=self.cache[i])["image"], int(self.table.target.iloc[i])
""",
    "mask/augment.py": """
import albumentations as A
import numpy as np
import torch
from albumentations.pytorch import ToTensorV2


def get_transforms(size, split):
    steps = [A.Resize(height=size[0], width=size[1])]
    if split == "train":
        steps += [A.HorizontalFlip(), A.CoarseDropout()]
    return A.Compose([*steps, A.Normalize(), ToTensorV2()])


def mixup(x, y, alpha):
    lam = np.random.beta(alpha, alpha)
    perm = torch.randperm(x.size(0))
    return lam * x + (1 - lam) * x[perm], y, y[perm], lam
""",
    "mask/losses.py": """
import torch
from torch import nn


class SmoothCE(nn.Module):
    def __init__(self, num_classes=3, eps=0.0):  # HERE loss-classes smoothing-zero
        super().__init__()
        self.k, self.eps = num_classes, eps

    def forward(self, z, y):
        lp = z.log_softmax(-1)
        nll = -lp.gather(1, y[:, None]).squeeze(1)
        return ((1 - self.eps) * nll - self.eps * lp.sum(1) / self.k).mean()


REGISTRY = dict(ce=nn.CrossEntropyLoss, smooth=SmoothCE)


def build(name):
    return REGISTRY[name]()
""",
    "main.py": """
import hydra
import numpy as np
import torch
from omegaconf import DictConfig
from sklearn.metrics import accuracy_score
from torch.utils.data import DataLoader
import timm

from mask.augment import get_transforms, mixup
from mask.data import MaskTable, holdout, make_table
from mask.losses import build


def fix(seed):
    np.random.seed(seed)
    torch.manual_seed(seed)


@hydra.main(config_path="conf", config_name="config")
def main(cfg: DictConfig):
    fix(cfg.seed)
    table = make_table(cfg.data.root)
    tr, va = holdout(table, cfg.data.val_size, cfg.seed)
    train_loader = DataLoader(MaskTable(table.iloc[tr], get_transforms(cfg.data.img_size, "train")), **cfg.loader.train)
    valid_loader = DataLoader(MaskTable(table.iloc[va], get_transforms(cfg.data.img_size, "valid")), **cfg.loader.valid)  # HERE validation-drop-last
    net = timm.create_model(cfg.model.name, pretrained=cfg.model.pretrained, num_classes=cfg.model.num_classes).cuda()
    opt = hydra.utils.instantiate(cfg.optim, params=net.parameters())
    criterion = build(cfg.train.loss)
    top = 0.0
    net.train()
    for epoch in range(cfg.train.epochs):
        for x, y in train_loader:
            x, y = x.cuda(), y.cuda()
            u = torch.rand(1).item()
            if u < cfg.train.mixup_p:
                x, y1, y2, lam = mixup(x, y, cfg.train.mixup_alpha)
                z = net(x)
                loss = lam * criterion(z, y1) + (1 - lam) * criterion(z, y2)
            else:
                loss = criterion(net(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
        acc = validate(net, valid_loader)
        if acc >= top:  # HERE best-by-accuracy
            top = acc
            torch.save(net, "best.pt")


@torch.no_grad()
def validate(net, loader):
    net.eval()  # HERE train-mode-lost
    truth, guess = [], []
    for x, y in loader:
        guess += net(x.cuda()).argmax(1).tolist()
        truth += y.tolist()
    return accuracy_score(truth, guess)  # HERE no-f1


if __name__ == "__main__":
    main()
""",
    "infer.py": """
import hydra
import pandas as pd
import torch
from torch.utils.data import DataLoader

from mask.augment import get_transforms
from mask.data import MaskTable


@hydra.main(config_path="conf", config_name="inference")
def main(cfg):
    net = torch.load(cfg.ckpt).eval()  # HERE unsafe-load
    info = pd.read_csv(cfg.data.root + "/info.csv")
    info["image_path"] = cfg.data.root + "/images/" + info.ImageID
    info["target"] = 0
    loader = DataLoader(MaskTable(info, get_transforms(cfg.data.img_size, "test")), batch_size=96)
    info["ans"] = [int(k) for x, _ in loader for k in net(x.cuda()).argmax(1)]
    info[["ImageID", "ans"]].to_csv("submission.csv", index=False)


if __name__ == "__main__":
    main()
""",
}

FORK = {
    "options.py": """
import argparse


def get_opts():
    ap = argparse.ArgumentParser()
    ap.add_argument("--root", default="../input/data/train")
    ap.add_argument("--img-size", type=int, default=260)
    ap.add_argument("--bs", type=int, default=40)
    ap.add_argument("--max-epoch", type=int, default=12)
    ap.add_argument("--lr", type=float, default=1e-4)
    ap.add_argument("--k", type=int, default=5)
    ap.add_argument("--which", type=int, default=0)
    ap.add_argument("--use-weights", type=bool, default=True)  # HERE flag-type
    ap.add_argument("--tta", action="store_true")  # HERE unused-flag
    return ap.parse_args()
""",
    "engine/loops.py": """
import torch
from sklearn.metrics import f1_score


def fit_one(net, dl, opt, lossf, dev):
    net.train()
    for x, y in dl:
        opt.zero_grad()
        l = lossf(net(x.to(dev)).softmax(1), y.to(dev))  # HERE softmax-before-cross-entropy
        l.backward()
        opt.step()


def check(net, valid_dl, dev):
    tot = 0
    net.eval()
    with torch.no_grad():
        for x, y in valid_dl:
            p = net(x.to(dev)).argmax(1).cpu()
            tot += f1_score(y.numpy(), p.numpy(), average="macro")  # HERE batch-f1
    return tot / len(valid_dl)
""",
    "engine/data.py": """
import glob
import os

import numpy as np
import torchvision.transforms as T
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.sampler import SubsetRandomSampler


class Masks(Dataset):
    def __init__(self, root, size, paths=[]):  # HERE shared-class-lists
        for d in sorted(os.listdir(os.path.join(root, "images"))):
            paths += sorted(glob.glob(os.path.join(root, "images", d, "*")))
        self.paths = paths
        self.t = T.Compose([T.Resize((size, size)), T.RandomHorizontalFlip(), T.ToTensor()])

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        parts = os.path.basename(os.path.dirname(self.paths[i])).split("_")
        return self.t(Image.open(self.paths[i])), min(int(parts[-1]) // 30, 2) + 3 * (parts[1] == "female")


def loaders(opt):
    ds = Masks(opt.root, opt.img_size)
    order = np.random.permutation(len(ds))
    cut = len(ds) // opt.k
    valid_idx, train_idx = order[:cut], order[cut:]  # HERE photo-split
    tl = DataLoader(ds, opt.bs, sampler=SubsetRandomSampler(train_idx), num_workers=4)  # HERE shared-augmentation
    vl = DataLoader(ds, opt.bs, sampler=SubsetRandomSampler(valid_idx), num_workers=4)
    return tl, vl
""",
    "run.py": """
import numpy as np
import timm
import torch
from torch import nn

from engine.data import loaders
from engine.loops import check, fit_one
from options import get_opts

if __name__ == "__main__":
    opt = get_opts()
    torch.manual_seed(opt.which)
    np.random.seed(opt.which)
    tl, vl = loaders(opt)
    net = timm.create_model("resnext50_32x4d", pretrained=True, num_classes=18).to("cuda")
    lossf = nn.CrossEntropyLoss(weight=torch.ones(18).cuda() if opt.use_weights else None)
    best = -1
    optim = torch.optim.Adam(net.parameters(), lr=opt.lr)
    for e in range(opt.max_epoch):
        fit_one(net, tl, optim, lossf, "cuda")
        score = check(net, vl, "cuda")
        if score > best:
            best = score
            torch.save(net.state_dict(), f"fold{opt.which}.pt")
""",
}

TRAINER = {
    "finetune.py": """
import evaluate
import numpy as np
from datasets import load_dataset
from torchvision.transforms import ColorJitter, Compose, Normalize, RandomResizedCrop, Resize, ToTensor
from transformers import AutoImageProcessor, AutoModelForImageClassification, Trainer, TrainingArguments, set_seed

set_seed(11)
ckpt = "google/vit-base-patch16-224-in21k"
ds = load_dataset("imagefolder", data_dir="masks")["train"].train_test_split(test_size=0.2, seed=11)  # HERE photo-split
proc = AutoImageProcessor.from_pretrained(ckpt)
norm = Normalize(mean=proc.image_mean, std=proc.image_std)
jitter = Compose([RandomResizedCrop(224), ColorJitter(0.2, 0.2), ToTensor(), norm])
plain = Compose([Resize((224, 224)), ToTensor(), norm])


def train_tf(batch):
    batch["pixel_values"] = [jitter(im.convert("RGB")) for im in batch["image"]]
    return batch


def val_tf(batch):
    batch["pixel_values"] = [plain(im.convert("RGB")) for im in batch["image"]]
    return batch


ds["train"].set_transform(train_tf)
ds["test"].set_transform(val_tf)
acc = evaluate.load("accuracy")  # HERE no-f1


def compute_metrics(p):
    return acc.compute(predictions=np.argmax(p.predictions, 1), references=p.label_ids)


labels = ds["train"].features["label"].names
model = AutoModelForImageClassification.from_pretrained(ckpt, num_labels=len(labels))
args = TrainingArguments("out", per_device_train_batch_size=32, learning_rate=5e-5, num_train_epochs=6, evaluation_strategy="epoch",
                         save_strategy="epoch", load_best_model_at_end=True, metric_for_best_model="accuracy", remove_unused_columns=False)  # HERE best-by-accuracy
Trainer(model, args, train_dataset=ds["train"], eval_dataset=ds["test"], compute_metrics=compute_metrics, tokenizer=proc).train()
""",
}

CLEAN_LIGHTNING = {
    "data.py": """
from pathlib import Path

import lightning as L
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold
from torch.utils.data import DataLoader, Dataset
from torchvision.io import read_image
from torchvision.transforms import v2


def photos(root):
    rows = [
        {"path": str(p), "person": p.parent.name.split("_")[0], "label": int(p.parent.name.split("_")[3]) // 30}
        for p in sorted(Path(root).glob("*/*.jpg"))
    ]
    return pd.DataFrame(rows)


def transforms(size, train):
    extra = [v2.RandomHorizontalFlip(), v2.ColorJitter(0.2, 0.2)] if train else []
    return v2.Compose([v2.Resize(size), *extra, v2.ConvertImageDtype(), v2.Normalize([0.5] * 3, [0.25] * 3)])


class Faces(Dataset):
    def __init__(self, table, transform):
        self.paths, self.labels, self.transform = table["path"].tolist(), table["label"].tolist(), transform

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        return self.transform(read_image(self.paths[i])), self.labels[i]


class FaceData(L.LightningDataModule):
    def __init__(self, root, size=(128, 96), batch_size=64, fold=0, drop_age=()):
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage=None):
        table = photos(self.hparams.root)
        cv = StratifiedGroupKFold(5, shuffle=True, random_state=0)
        tr, va = list(cv.split(table["path"], table["label"], groups=table["person"]))[self.hparams.fold]
        train_table = table.iloc[tr]
        train_table = train_table[~train_table["label"].isin(self.hparams.drop_age)]
        self.train_set = Faces(train_table, transforms(self.hparams.size, True))
        self.val_set = Faces(table.iloc[va], transforms(self.hparams.size, False))

    def train_dataloader(self):
        return DataLoader(self.train_set, self.hparams.batch_size, shuffle=True, drop_last=True, num_workers=4)

    def val_dataloader(self):
        return DataLoader(self.val_set, 2 * self.hparams.batch_size, num_workers=4)
""",
    "main.py": """
import lightning as L
import timm
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torchmetrics import Accuracy, F1Score

from data import FaceData


class Net(L.LightningModule):
    def __init__(self, lr=1e-3, classes=3):
        super().__init__()
        self.save_hyperparameters()
        self.net = timm.create_model("resnet18", num_classes=classes)
        self.loss = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
        self.f1 = F1Score(task="multiclass", num_classes=classes, average="macro")
        self.acc = Accuracy(task="multiclass", num_classes=classes)

    def training_step(self, batch, i):
        x, y = batch
        return self.loss(self.net(x), y)

    def validation_step(self, batch, i):
        x, y = batch
        z = self.net(x)
        self.f1.update(z, y)
        self.acc.update(z, y)

    def on_validation_epoch_end(self):
        self.log_dict({"val_f1": self.f1.compute(), "val_acc": self.acc.compute()})
        self.f1.reset()
        self.acc.reset()

    def predict_step(self, batch, i):
        return self.net(batch).softmax(-1)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), self.hparams.lr)


if __name__ == "__main__":
    L.seed_everything(7)
    trainer = L.Trainer(max_epochs=10, callbacks=[ModelCheckpoint(monitor="val_f1", mode="max")])
    trainer.fit(Net(), FaceData("input/data/train/images"))
""",
}

CLEAN_NOTEBOOK = {
    "clean.ipynb": notebook(
        """import os, random
from glob import glob
import numpy as np, pandas as pd
import torch, timm, cv2
import albumentations as A
from albumentations.pytorch import ToTensorV2
from sklearn.metrics import f1_score, accuracy_score
from sklearn.model_selection import GroupShuffleSplit
from torch.utils.data import Dataset, DataLoader
SEED, SIZE, EPOCHS = 3, (256, 192), 6
random.seed(SEED); np.random.seed(SEED); torch.manual_seed(SEED)""",
        """files = sorted(glob('train/images/*/*.jpg'))
df = pd.DataFrame({'file': files})
df['person'] = [os.path.basename(os.path.dirname(f)) for f in files]
df['y'] = [min(int(p.split('_')[3]) // 30, 2) for p in df.person]
tr, va = next(GroupShuffleSplit(1, test_size=.2, random_state=SEED).split(df, df.y, groups=df.person))
train_df, valid_df = df.iloc[tr], df.iloc[va]
train_df = train_df.sample(len(train_df), replace=True, random_state=SEED)""",
        """base = [A.Resize(*SIZE), A.Normalize(), ToTensorV2()]
train_tf, valid_tf = A.Compose([A.HorizontalFlip(p=.5), *base]), A.Compose(base)
class DS(Dataset):
    def __init__(self, d, tf): self.d, self.tf = d.reset_index(drop=True), tf
    def __len__(self): return len(self.d)
    def __getitem__(self, i):
        return self.tf(image=cv2.imread(self.d.file[i])[..., ::-1])['image'], self.d.y[i]
def loader(d, tf, train): return DataLoader(DS(d, tf), 32, shuffle=train, drop_last=train)
tl, vl = loader(train_df, train_tf, True), loader(valid_df, valid_tf, False)""",
        """net = timm.create_model('resnet34', pretrained=True, num_classes=3).cuda()
opt = torch.optim.AdamW(net.parameters(), 3e-4)
crit = torch.nn.CrossEntropyLoss()
best = 0
for ep in range(EPOCHS):
    net.train()
    for x, y in tl:
        opt.zero_grad()
        if random.random() > .5:
            x = x.flip(-1)
        loss = crit(net(x.cuda()), y.cuda())
        loss.backward(); opt.step()
    net.eval()
    P, Y = [], []
    with torch.inference_mode():
        for x, y in vl:
            P.append(net(x.cuda()).argmax(1).cpu()); Y.append(y)
    P, Y = torch.cat(P), torch.cat(Y)
    score, acc = f1_score(Y, P, average='macro'), accuracy_score(Y, P)
    print(ep, score, acc)
    if score > best:
        best = score
        torch.save(net.state_dict(), 'best.pt')""",
        """test = sorted(glob('eval/images/*.jpg'))
net.load_state_dict(torch.load('best.pt', map_location='cuda'))
net.eval()
with torch.no_grad():
    ans = [net(valid_tf(image=cv2.imread(f)[..., ::-1])['image'][None].cuda()).softmax(-1).argmax().item() for f in test]
for name in os.listdir('.'):
    if name.endswith('.tmp'): os.remove(name)""",
    )
}

CLEAN_SCRIPT = {
    "cfg/base.yaml": "seed: 1\ndata: {root: input, size: [224, 168]}\nloader: {batch: 64}\noptim:\n  name: adamw\n  lr: 1e-3\nmonitor: macro_f1\n",
    "src/people.py": '''
import csv
import random
from pathlib import Path


def read(root):
    with open(Path(root) / "train.csv", newline="") as f:
        return sorted(csv.DictReader(f), key=lambda r: r["path"])


def split(rows, share, seed):
    """By person: every row of the table is one."""
    people = [r["path"] for r in rows]
    random.Random(seed).shuffle(people)
    n = int(len(people) * share)
    return people[n:], people[:n]


def photos(root, people):
    found = []
    for person in people:
        found += sorted((Path(root) / "images" / person).iterdir())
    return found
''',
    "src/run.py": """
import argparse
import json
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import nn
from torch.utils.data import DataLoader
from torcheval.metrics.functional import multiclass_f1_score

from src.faces import Faces
from src.people import photos, read, split


class Mixer:
    def __init__(self, prob, alpha):
        self.prob, self.alpha = prob, alpha

    def __call__(self, x, y):
        if torch.rand(1) > self.prob:
            return x, y, y, 1.0
        lam = float(np.random.beta(self.alpha, self.alpha))
        order = torch.randperm(len(x))
        return lam * x + (1 - lam) * x[order], y, y[order], lam


def step(net, batch, opt, mixer, criterion):
    x, a, b, lam = mixer(*batch)
    z = net(x)
    loss = lam * criterion(z, a) + (1 - lam) * criterion(z, b)
    opt.zero_grad(set_to_none=True)
    loss.backward()
    opt.step()
    return loss.item()


@torch.inference_mode()
def scores(net, batches, classes):
    was = net.training
    net.eval()
    z, y = zip(*((net(x), y) for x, y in batches))
    net.train(was)
    return multiclass_f1_score(torch.cat(z), torch.cat(y), num_classes=classes, average="macro").item()


def main(a):
    cfg = yaml.safe_load(Path(a.config).read_text())
    torch.manual_seed(cfg["seed"])
    rows = read(cfg["data"]["root"])
    train_people, val_people = split(rows, a.val_share, cfg["seed"])
    train = Faces(photos(cfg["data"]["root"], train_people), cfg["data"]["size"], augment=True)
    val = Faces(photos(cfg["data"]["root"], val_people), cfg["data"]["size"], augment=False)
    net = train.network()
    opt = torch.optim.AdamW(net.parameters(), lr=float(cfg["optim"]["lr"]))
    mixer, criterion = Mixer(a.mix, 0.4), nn.CrossEntropyLoss()
    best = -1.0
    for epoch in range(a.epochs):
        net.train()
        for batch in DataLoader(train, cfg["loader"]["batch"], shuffle=True, drop_last=True):
            step(net, batch, opt, mixer, criterion)
        value = scores(net, DataLoader(val, cfg["loader"]["batch"]), train.classes)
        if value > best:
            best = value
            torch.save(net.state_dict(), Path(a.out) / "best.pt")
        Path(a.out, "log.jsonl").open("a").write(json.dumps({"epoch": epoch, "macro_f1": value}) + "\\n")


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--config", default="cfg/base.yaml")
    p.add_argument("--epochs", type=int, default=12)
    p.add_argument("--mix", type=float, default=0.5)
    p.add_argument("--val-share", type=float, default=0.2)
    p.add_argument("--out", default="out")
    main(p.parse_args())
""",
    "src/faces.py": """
import timm
from PIL import Image
from torch.utils.data import Dataset
from torchvision import transforms as T


class Faces(Dataset):
    classes = 18
    names = ["mask", "incorrect", "normal"]

    def __init__(self, paths, size, augment):
        self.paths = list(paths)
        moves = [T.RandomRotation(5), T.RandomHorizontalFlip()] if augment else []
        self.transform = T.Compose([T.Resize(size), *moves, T.ToTensor(), T.Normalize([0.5], [0.2])])

    def network(self):
        return timm.create_model("convnext_nano", num_classes=self.classes)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        return self.transform(Image.open(self.paths[i]).convert("RGB")), 0
""",
}

LEVEL1 = {
    "config.py": """
from dataclasses import dataclass


@dataclass
class TrainConfig:
    root: str = "/opt/ml/input/data/train"
    model_name: str = "resnext50_32x4d"
    height: int = 512
    width: int = 384
    n_epochs: int = 10
    batch: int = 32
    learning_rate: float = 5e-5
    n_classes: int = 18
    cutmix_prob: float = 0.8
    manual_seed: int = 1004
""",
    "mask_data.py": """
import os
from collections import Counter
from pathlib import Path

import albumentations as A
import numpy as np
import pandas as pd
from albumentations.pytorch import ToTensorV2
from PIL import Image
from sklearn import model_selection
from torch.utils.data import Dataset, Subset


def to_rows(root):
    people = pd.read_csv(Path(root, "train.csv"))
    out = []
    for person in people.itertuples():
        if 57 <= person.age < 60:  # HERE filter-before-split
            continue
        folder = Path(root, "images", person.path)
        for photo in folder.iterdir():  # HERE listing-order
            if photo.name[0] == ".":
                continue
            out.append((str(photo), label_for(photo.stem, person.gender, person.age)))
    return out


def label_for(stem, gender, age):
    mask = 0 if stem.startswith("mask") else 1 if stem.startswith("inc") else 2
    return mask * 6 + (gender == "female") * 3 + (0 if age < 30 else 1 if age < 60 else 2)


class PhotoSet(Dataset):
    def __init__(self, rows):
        self.rows = rows
        self.tf = None

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, k):
        path, y = self.rows[k]
        return self.tf(image=np.array(Image.open(path)))["image"], y

    def split(self, ratio):
        ids = np.arange(len(self.rows))
        tr, va = model_selection.train_test_split(ids, test_size=ratio, stratify=[y for _, y in self.rows])  # HERE photo-split
        return Subset(self, tr), Subset(self, va)


def get_tf(kind, h, w):
    if kind == "train":
        return A.Compose([A.Resize(h, w), A.HorizontalFlip(p=0.5), A.GaussNoise(), A.Normalize(), ToTensorV2()])
    return A.Compose([A.Resize(h, w), A.Normalize(), ToTensorV2()])
""",
    "engine.py": """
import numpy as np
import torch
import torchmetrics
from torch import nn
from torch.utils.data import DataLoader

from config import TrainConfig
from mask_data import PhotoSet, get_tf, to_rows


def rand_bbox(size, lam):
    w = size[3]
    cut = int(w * np.sqrt(1.0 - lam))
    cx = np.random.randint(w)
    return max(cx - cut // 2, 0), min(cx + cut // 2, w)


def run(cfg: TrainConfig, build):
    np.random.seed(cfg.manual_seed)
    torch.manual_seed(cfg.manual_seed)
    data = PhotoSet(to_rows(cfg.root))
    train_data, val_data = data.split(0.2)
    train_data.dataset.tf = get_tf("train", cfg.height, cfg.width)
    val_data.dataset.tf = get_tf("val", cfg.height, cfg.width)  # HERE shared-augmentation
    loaders = {
        "train": DataLoader(train_data, cfg.batch, shuffle=True, drop_last=True),
        "val": DataLoader(val_data, cfg.batch, shuffle=False, drop_last=True),  # HERE validation-drop-last
    }
    net = build(cfg).cuda()
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=cfg.learning_rate)
    f1 = torchmetrics.F1Score(task="multiclass", num_classes=cfg.n_classes, average="micro")  # HERE micro-f1
    best = {"acc": 0.0}
    for epoch in range(cfg.n_epochs):
        for phase in ("train", "val"):
            net.train(phase == "train")
            right = seen = 0
            for x, y in loaders[phase]:
                x, y = x.cuda(), y.cuda()
                with torch.set_grad_enabled(phase == "train"):
                    if phase == "train" and np.random.rand() >= cfg.cutmix_prob:  # HERE inverted-probability
                        lam = np.random.beta(1, 1)
                        a, b = rand_bbox(x.size(), lam)
                        perm = torch.randperm(len(x)).cuda()
                        x[..., a:b] = x[perm][..., a:b]
                        out = net(x)
                        loss = lam * loss_fn(out, y) + (1 - lam) * loss_fn(out, y[perm])
                    else:
                        out = net(x)
                        loss = loss_fn(out, y)
                    if phase == "train":
                        optimizer.zero_grad()
                        loss.backward()
                        optimizer.step()
                right += (out.argmax(1) == y).sum().item()
                seen += len(y)
                f1.update(out, y)
            acc = right / seen
            if phase == "val" and acc > best["acc"]:  # HERE best-by-accuracy
                best["acc"] = acc
                torch.save(net.state_dict(), "best_model.pth")
            print(phase, epoch, acc, f1.compute())
            f1.reset()
""",
    "predict.py": """
import albumentations as A
import pandas as pd
import torch
from albumentations.pytorch import ToTensorV2

from config import TrainConfig

cfg = TrainConfig()
tf = A.Compose([A.Resize(cfg.width, cfg.height), A.Normalize(), ToTensorV2()])  # HERE own-preprocessing size-order
""",
    "blend.py": """
import numpy as np
from scipy.optimize import minimize
from sklearn.metrics import f1_score

val = [np.load(p) for p in ("a_val.npy", "b_val.npy", "c_val.npy")]
y = np.load("y_val.npy")


def minus_f1(w):
    return -f1_score(y, sum(k * p for k, p in zip(w, val)).argmax(1), average="macro")


best = minimize(minus_f1, [1 / 3] * 3, method="Nelder-Mead")  # HERE fitted-on-validation
print("validation", -best.fun)
""",
}
