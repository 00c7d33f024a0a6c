"""timm's train.py: the exported folders in, its checkpoint back.

    hoego folds export --to folds --inner
    python train.py --data-dir folds/fold-0 --val-split inner --model resnet18 --num-classes 3 \
        --output out --experiment fold-0

    made = predictions("out/fold-0/model_best.pth.tar", "folds/fold-0", dataset, split, fold=0)

train.py validates and chooses its epoch on `inner`, which is made of training subjects. Hoego can go on from the
checkpoint, too: `hoego train --set model.name=resnet18 --set model.checkpoint=out/fold-0/model_best.pth.tar
--trained-on folds/fold-0/trained-on.csv --fold 0`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.data.dataset import Dataset
from hoego.errors import MismatchError
from hoego.predictions import Predictions
from hoego.runs.outside.sealed import read_sealed
from hoego.split import Split


def predictions(
    checkpoint: Path | str, folder: Path | str, dataset: Dataset, split: Split, fold: int = 0
) -> Predictions:
    """Predict the held-out photos of an exported fold by the model of a checkpoint, prepared as train.py validates.

    Args:
        checkpoint: that train.py wrote; the average of weights (--model-ema) is taken where there is one.
        folder: of the fold, such as folds/fold-0; the classes are its folders of training, in timm's order.
        dataset, split, fold: of the photos.

    Raises:
        MismatchError: the model has another number of outputs than classes, or the export is of another split.
        TrainError: the file is no checkpoint.
    """
    from timm.data.readers.reader_image_folder import find_images_and_targets

    _, order = find_images_and_targets(str(Path(folder) / "train"))
    photos = sorted((Path(folder) / "predict").iterdir())
    logits = _logits(Path(checkpoint), photos)
    if logits.shape[1] != len(order):
        raise MismatchError(
            f"The model has {logits.shape[1]} outputs; {Path(folder).name}/train has {len(order)} classes with photos.",
            file=checkpoint,
            remedy=f"Train with --num-classes {len(order)} on this folder.",
        )
    images = read_sealed(Path(folder).parent).unseal(photos, dataset, split.fingerprint)
    frame: dict[str, Any] = {name: logits[:, k] for name, k in order.items()}
    return Predictions.from_logits(frame, images, dataset, split, None, fold)


def _logits(checkpoint: Path, photos: list[Path]) -> NDArray[np.float32]:
    """Return what the model of a checkpoint says of N photos, [N, C]."""
    import torch
    from PIL import Image
    from timm.data.config import resolve_data_config
    from timm.data.transforms_factory import create_transform

    model, args = _model(checkpoint)
    config = resolve_data_config(args, model=model)  # type: ignore[no-untyped-call]
    transform: Any = create_transform(**config, is_training=False)
    parts = []
    with torch.inference_mode():
        for start in range(0, len(photos), 64):
            pixels = []
            for path in photos[start : start + 64]:
                with Image.open(path) as photo:
                    pixels.append(transform(photo.convert("RGB")))
            parts.append(model(torch.stack(pixels)))
    out: NDArray[np.float32] = torch.cat(parts).float().numpy()
    return out


def _model(checkpoint: Path) -> tuple[Any, dict[str, Any]]:
    """Return the model of a checkpoint and the arguments that train.py was given."""
    import timm
    from timm.models import clean_state_dict

    from hoego.train.foreign_weights import read_content

    content = read_content(checkpoint)
    args = vars(content["args"])
    model = timm.create_model(
        args["model"],
        num_classes=args["num_classes"],
        in_chans=args["in_chans"] or 3,
        global_pool=args["gp"],
        **args["model_kwargs"],
    )
    model.load_state_dict(clean_state_dict(content.get("state_dict_ema") or content["state_dict"]))
    return model.eval(), args
