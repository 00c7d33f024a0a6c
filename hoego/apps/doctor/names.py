"""The table that carries a folder's names of settings to the recipe's, with the reader of each value."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hoego.apps.doctor.models import timm_name
from hoego.apps.doctor.project import SourceProject


class UnconvertibleValue(Exception):
    """A value that the recipe cannot hold; the message says why."""


Reader = Callable[[Any, SourceProject], Any]


def _whole(value: Any, project: SourceProject) -> int | None:
    return (
        int(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
        else None
    )


def _number(value: Any, project: SourceProject) -> float | None:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _share(value: Any, project: SourceProject) -> float | None:
    number = _number(value, project)
    if number is not None and not 0 <= number <= 1:
        raise UnconvertibleValue(f"{number:g} is not a share between 0 and 1")
    return number


def _flag(value: Any, project: SourceProject) -> bool | None:
    return value if isinstance(value, bool) else None


def _size(value: Any, project: SourceProject) -> list[int] | None:
    if isinstance(value, int) and not isinstance(value, bool) and value > 8:
        return [value, value]
    if isinstance(value, str):
        numbers = [int(n) for n in re.findall(r"\d+", value)]
        value = numbers if len(numbers) in (1, 2) else None
        value = value * 2 if value and len(value) == 1 else value
    if isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(v, int) for v in value):
        return [int(v) for v in value]
    return None


def _optimiser(value: Any, project: SourceProject) -> str | None:
    if not isinstance(value, str):
        return None
    return re.split(r"[.]", value)[-1].lower()


_LOSSES = {
    "cross_entropy": "ce", "ce": "ce", "crossentropy": "ce", "crossentropyloss": "ce", "crossentropy_loss": "ce",
    "focal": "focal", "focalloss": "focal", "focal_loss": "focal",
    "label_smoothing": "smooth", "labelsmoothing": "smooth", "smooth": "smooth", "smoothing": "smooth",
    "labelsmoothingloss": "smooth", "labelsmoothingcrossentropy": "smooth", "smoothce": "smooth",
    "f1": "f1", "f1loss": "f1", "f1_loss": "f1", "ldam": "ldam", "ldamloss": "ldam",
    "symmetric": "sce", "sce": "sce", "symmetric_cross_entropy": "sce",
    "asl": "asl", "class_balanced": "class_balanced",
}  # fmt: skip


def _loss(value: Any, project: SourceProject) -> str | None:
    if not isinstance(value, str):
        return None
    name = value.lower().replace("-", "_")
    known = _LOSSES.get(name) or _LOSSES.get(name.split(".")[-1]) or _LOSSES.get(name.replace("_", ""))
    if known is None:
        raise UnconvertibleValue("no loss of Hoego goes by this name; `hoego settings` lists them")
    return known


def _model(value: Any, project: SourceProject) -> str | None:
    if not isinstance(value, str):
        return None
    name = timm_name(project, value)
    if name is None:
        raise UnconvertibleValue("a network of the folder's own; name a timm model that comes near it")
    return name


def _schedule(value: Any, project: SourceProject) -> str | None:
    if not isinstance(value, str):
        return None
    text = value.lower()
    for part, known in (
        ("onecycle", "onecycle"),
        ("one_cycle", "onecycle"),
        ("cos", "cosine"),
        ("step", "step"),
        ("const", "constant"),
        ("none", "constant"),
    ):
        if part in text:
            return known
    raise UnconvertibleValue("no schedule of Hoego goes by this name")


def _precision(value: Any, project: SourceProject) -> str | None:
    if value is True or value in (16, "16", "fp16", "float16", "16-mixed"):
        return "float16"
    if value in ("bf16", "bfloat16", "bf16-mixed"):
        return "bfloat16"
    return "float32" if value is False or value in (32, "32", "fp32", "32-true") else None


def _root(value: Any, project: SourceProject) -> str | None:
    if not isinstance(value, str):
        return None
    return re.sub(r"/train(/images)?/?$", "", value) or "."


def _text(value: Any, project: SourceProject) -> str | None:
    return value if isinstance(value, str) else None


def _three(value: Any, project: SourceProject) -> list[float] | None:
    if (
        isinstance(value, list | tuple)
        and len(value) in (1, 3)
        and all(isinstance(v, int | float) for v in value)
    ):
        return [float(v) for v in value]
    return None


ROWS: tuple[tuple[str, str, Reader], ...] = (
    (r"(num_|n_|max_)?epochs?", "epochs", _whole),
    (r"(train_|per_device_train_)?(batch_size|bs)|batch|(loader\.)?train\.batch_size", "batch_size", _whole),
    (r"(random_|manual_)?seed|random_state", "seed", _whole),
    (r"(base_|init_|max_)?lr|learning_rate", "optim.lr", _number),
    (r"weight_decay|wd|l2", "optim.weight_decay", _number),
    (r"momentum", "optim.momentum", _number),
    (r"(optim(izer)?|opt)(_name|\.name|\._target_)?", "optim.name", _optimiser),
    (r"(model|arch|architecture|backbone|encoder|net|network)(_name|\.name|\.arch|\.model)?", "model.name", _model),
    (r"(model\.)?pretrained", "model.pretrained", _flag),
    (r"(model\.)?(drop_rate|dropout|drop)", "model.drop", _share),
    (r"(model\.)?drop_path(_rate)?", "model.drop_path", _share),
    (r"criterion|loss|loss_(fn|name|func)|criterion_name", "loss", _loss),
    (r"label_smoothing|smoothing|ls_eps", "loss_options.smooth.eps", _share),
    (r"(focal_)?gamma", "loss_options.focal.gamma", _number),
    (r"re_?size|im(g|age)?_?size|input_?size|size|img_sz|resolution", "dataset.size", _size),
    (r"val(id)?(ation)?_?(ratio|size|frac|fraction|split|pct|percent)|test_size|holdout", "split.ratio", _share),
    (r"(n|num|k)_?(folds?|splits)|kfolds?|folds", "split.folds", _whole),
    (r"mixup(_alpha|\.alpha)?", "mixing.mixup.alpha", _number),
    (r"mixup_?(p|prob|probability|ratio)|mixup\.p(rob)?", "mixing.mixup.share", _share),
    (r"cutmix(_alpha|\.alpha)", "mixing.cutmix.alpha", _number),
    (r"cutmix_?(p|prob|probability|ratio)|cutmix\.p(rob)?", "mixing.cutmix.share", _share),
    (r"(lr_)?sched(uler)?(_name|_type|\.name|\._target_)?", "optim.schedule", _schedule),
    (r"warmup(_ratio)?", "optim.warmup", _share),
    (r"accum(ulat\w*)?(_steps|_iter|_grad_batches)?|grad(ient)?_accum\w*", "optim.accumulate", _whole),
    (r"clip(_grad|_norm|_value)?|(max_)?grad_(norm|clip)|gradient_clip(_val)?", "optim.clip", _number),
    (r"ema_decay|ema", "average.ema", _share),
    (r"(early_?stop(ping)?(_patience)?|patience|es_patience)", "select.patience", _whole),
    (r"fp16|(use_)?amp|mixed_precision|precision|half", "precision", _precision),
    (r"data(_dir|_root|_path|set_dir|\.root|\.dir)|root(_dir)?|train_(dir|path|root)", "dataset.root", _root),
    (r"mean", "model.mean", _three),
    (r"std", "model.std", _three),
    (r"(exp(eriment)?_?name|run_name|name)", "name", _text),
)  # fmt: skip
_COMPILED = tuple((re.compile(rf"(.*\.)?({pattern})$", re.I), key, reader) for pattern, key, reader in ROWS)


def row_of(name: str) -> tuple[str, Reader] | None:
    """Return the row of a spelled name: the one that matches most of it, dots counted."""
    spelled = name.lower().replace("-", "_")
    best: tuple[int, str, Reader] | None = None
    for pattern, key, reader in _COMPILED:
        match = pattern.match(spelled)
        if match is not None:
            length = len(match.group(2))
            if best is None or length > best[0]:
                best = (length, key, reader)
    if best is None or (best[1] == "name" and "." in spelled):
        return None
    return best[1], best[2]


REASONS: tuple[tuple[str, str], ...] = (
    (r"valid(ation)?_?(batch_size|bs)|eval_batch_size|test_batch_size", "the batch of scoring changes no score"),
    (r"log_(interval|every)|print_freq", "every epoch is recorded, nothing need be set"),
    (r"model_dir|save_dir|output_dir|out_dir|ckpt_dir|checkpoint_dir|log_dir", "records go to runs/ beside hoego.toml"),
    (r"(num_)?workers", "threads are counted by the machine (`threads`)"),
    (r"dataset|split_type", "the layout is read by `dataset.layout`; the split is by subject (`split.kind`)"),
    (r"lr_decay_step|lr_gamma|step_size|augment(ation)?|aug|transform|fold", ""),
    (r"monitor|metric_for_best_model", "the epoch is selected by macro F1 (`select.by`)"),
    (r"num_classes|n_classes|classes", "the classes come from the label schema"),
    (r"device|gpus?|cuda", "`device = \"auto\"`"),
)  # fmt: skip
