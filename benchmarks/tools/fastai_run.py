"""fastai's own way: random validation, fine_tune with one frozen epoch, as many epochs as the minutes allow."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from fastai.vision.all import F1Score, ImageDataLoaders, Resize, vision_learner

job = json.loads(Path(sys.argv[1]).read_text())
begun = time.perf_counter()
folder = Path(job["folder"])
train, test = pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "test.csv")
size, seconds = job["size"], 60 * job["minutes"]


def learner(px: int):
    loaders = ImageDataLoaders.from_df(
        train[["path", job["label"]]], path=folder, seed=0, item_tfms=Resize(px), bs=32, num_workers=2
    )
    return vision_learner(
        loaders,
        job["model"],
        metrics=F1Score(average="macro"),
        pretrained_cfg_overlay={"file": job["weights"]},
    )


def rate(px: int) -> float:
    """Seconds per batch of training, all layers, over a few batches."""
    trial = learner(px)
    trial.unfreeze()
    batches = [b for b, _ in zip(trial.dls.train, range(5), strict=False)]
    taken = []
    for x, y in batches:
        start = time.perf_counter()
        loss = trial.loss_func(trial.model(x), y)
        loss.backward()
        trial.model.zero_grad()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


# The largest size that leaves two epochs of all layers beside the frozen one (counted as half) and the prediction.
for px in sizes if (sizes := [s for s in (224, 160, 128, 96) if s <= size]) else [size]:
    each = rate(px) * len(train) * 0.8 / 32
    left = seconds - (time.perf_counter() - begun) - 0.2 * each
    epochs = int((left / each - 0.5) * 0.9)
    if epochs >= 2:
        break
epochs = max(1, epochs)
learn = learner(px)
learn.fine_tune(epochs, freeze_epochs=1)
promised = float(learn.validate()[1])
trained = time.perf_counter() - begun
probabilities, _ = learn.get_preds(dl=learn.dls.test_dl([folder / p for p in test["path"]]))
classes = [str(c) for c in learn.dls.vocab]
said = [classes[k] for k in probabilities.argmax(1).tolist()]
pd.DataFrame({"path": test["path"], "said": said}).to_csv(folder / "fastai.csv", index=False)
facts = {"promised": promised, "seconds": trained, "epochs": epochs, "size": px}
versions = {name: version(name) for name in ("fastai", "torch", "timm")}
(folder / "fastai.json").write_text(json.dumps({**facts, "versions": versions}))
