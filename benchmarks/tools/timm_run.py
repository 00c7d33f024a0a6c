"""timm's train.py from a checkout: a random validation part, AdamW, as many epochs as the minutes allow."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config

job = json.loads(Path(sys.argv[1]).read_text())
begun = time.perf_counter()
folder = Path(job["folder"])
train, test = pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "test.csv")
classes = sorted(train[job["label"]].astype(str).unique())
held = np.random.default_rng(0).random(len(train)) < 0.2
for part, rows in (("train", train[~held]), ("validation", train[held])):
    for path, name in zip(rows["path"], rows[job["label"]].astype(str), strict=True):
        link = folder / "timm" / part / name / Path(path).name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to((folder / path).resolve())


def seconds_per_batch(px: int) -> float:
    model = timm.create_model(job["model"], num_classes=len(classes))
    noise = torch.randn(32, 3, px, px)
    taken = []
    for _ in range(4):
        start = time.perf_counter()
        model(noise).sum().backward()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


# The largest size that leaves two epochs.
for px in [s for s in (224, 160, 128, 96) if s <= job["size"]]:
    each = seconds_per_batch(px) * (~held).sum() / 32 * 1.15
    left = 60 * job["minutes"] - (time.perf_counter() - begun)
    epochs = int(left / each * 0.9)
    if epochs >= 2:
        break
epochs = max(1, epochs)
options = {
    "data-dir": folder / "timm", "model": job["model"], "pretrained-path": job["weights"], "img-size": px,
    "num-classes": len(classes), "epochs": epochs, "warmup-epochs": min(1, epochs - 1), "cooldown-epochs": 0,
    "opt": "adamw", "lr": 5e-4, "batch-size": 32, "workers": 2, "device": "cpu",
    "output": folder / "timm", "experiment": "run", "log-interval": 1000,
}  # fmt: skip
words = [w for key, value in options.items() for w in (f"--{key}", str(value))]
subprocess.run([sys.executable, job["timm_train"], "--pretrained", *words], check=True)
trained = time.perf_counter() - begun

checkpoint = folder / "timm" / "run" / "model_best.pth.tar"
model = timm.create_model(job["model"], num_classes=len(classes))
model.load_state_dict(torch.load(checkpoint, weights_only=False)["state_dict"])
config = resolve_data_config({"img_size": px}, model=model) | {"input_size": (3, px, px)}
prepare = create_transform(**config)


@torch.inference_mode()
def predicted(paths: list[str]) -> list[str]:
    model.eval()
    said = []
    for start in range(0, len(paths), 32):
        photos = [Image.open(folder / p).convert("RGB") for p in paths[start : start + 32]]
        said += model(torch.stack([prepare(p) for p in photos])).argmax(1).tolist()
    return [classes[k] for k in said]


def macro_f1(truth: list[str], said: list[str]) -> float:
    t, s = np.array(truth), np.array(said)
    return float(
        np.mean([2 * ((t == c) & (s == c)).sum() / ((t == c).sum() + (s == c).sum()) for c in set(truth)])
    )


own = train[held]
promised = macro_f1(own[job["label"]].astype(str).tolist(), predicted(own["path"].tolist()))
said = predicted(test["path"].tolist())
pd.DataFrame({"path": test["path"], "said": said}).to_csv(folder / "timm.csv", index=False)
facts = {"promised": promised, "seconds": trained, "epochs": epochs, "size": px}
versions = {name: version(name) for name in ("timm", "torch")}
(folder / "timm.json").write_text(json.dumps({**facts, "versions": versions}))
