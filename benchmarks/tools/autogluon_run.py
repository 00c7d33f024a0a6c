"""AutoGluon MultiModal's own way: a time limit, its own validation part, one timm backbone."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import timm

job = json.loads(Path(sys.argv[1]).read_text())
made = timm.create_model


def with_file(name: str, *positional: object, **given: object) -> object:
    """Give timm the file of the weights in place of its download."""
    if given.get("pretrained") or (positional and positional[0] is True):
        given["pretrained_cfg_overlay"] = {"file": job["weights"]}
    return made(name, *positional, **given)


timm.create_model = with_file
for module in ("timm.models", "timm.models._factory"):
    sys.modules[module].create_model = with_file

from autogluon.multimodal import MultiModalPredictor  # noqa: E402

folder = Path(job["folder"])
train, test = pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "test.csv")
for table in (train, test):
    table["image"] = [str(folder / p) for p in table["path"]]
begun = time.perf_counter()
predictor = MultiModalPredictor(
    label=job["label"], problem_type="multiclass", eval_metric="f1_macro", path=str(folder / "autogluon")
)
predictor.fit(
    train[["image", job["label"]]],
    time_limit=60 * job["minutes"],
    hyperparameters={
        "model.names": ["timm_image"],
        "model.timm_image.checkpoint_name": job["model"],
        "env.num_workers": 2,
        "env.num_gpus": 0,
    },
)
trained = time.perf_counter() - begun
summary = predictor.fit_summary(verbosity=0)
promised = next((float(v) for k, v in summary.items() if k.startswith("val_")), None)
said = predictor.predict(test[["image"]])
pd.DataFrame({"path": test["path"], "said": list(said)}).to_csv(folder / "autogluon.csv", index=False)
versions = {name: version(name) for name in ("autogluon.multimodal", "torch", "timm")}
(folder / "autogluon.json").write_text(
    json.dumps({"promised": promised, "seconds": trained, "versions": versions})
)
