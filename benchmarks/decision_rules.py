"""How often a decision rule is kept, with and without something to gain, and what a kept one is worth on new subjects.

    python benchmarks/decision_rules.py [--simulations 200]

Subjects bring three photos each; a model gives the true posterior of each photo (calibrated, so best for accuracy) or
the same with the prior taken out of it. With even classes there is nothing to gain for macro F1; with uneven ones an
offset helps. `hoego.evaluate.ensemble.decide` fits across four folds, judges, keeps or leaves off; the offsets it
would give to new images are then applied to 30,000 fresh photos, whose gain stands for the truth.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import softmax
from score_worlds import write_results

from hoego.data.dataset import Dataset
from hoego.data.schema import Attribute, LabelSchema
from hoego.evaluate.ensemble import RULES, DecideOptions, Offsets, decide
from hoego.evaluate.score.formulas import macro_f1_score
from hoego.predictions import Predictions, RowProvenance, SubjectUniverse

PHOTOS, FOLDS, FRESH = 3, 4, 10_000
WORLDS = {
    "even classes: nothing to gain": (np.full(4, 0.25), 300, 1.4),
    "uneven classes, 300 subjects": (np.asarray([0.6, 0.25, 0.1, 0.05]), 300, 1.4),
    "uneven classes, 1,200 subjects": (np.asarray([0.6, 0.25, 0.1, 0.05]), 1200, 1.4),
}


def photos(shares: np.ndarray, subjects: int, signal: float, rng: np.random.Generator):
    """Truth [N], the model's probabilities [N, C] and the subject [N] of new photos; a subject's photos share noise."""
    c = len(shares)
    kind = rng.choice(c, subjects, p=shares)
    subject = np.repeat(np.arange(subjects), PHOTOS)
    truth = kind[subject]
    noise = np.sqrt(0.5) * (rng.normal(size=(subjects, c))[subject] + rng.normal(size=(len(subject), c)))
    evidence = noise + signal * np.eye(c)[truth]
    return truth, softmax(signal * evidence + np.log(shares), axis=1), subject


def as_run(truth: np.ndarray, p: np.ndarray, subject: np.ndarray) -> tuple[Dataset, Predictions]:
    c = p.shape[1]
    schema = LabelSchema(
        (Attribute(name="kind", kind="nominal", classes=tuple(f"c{i}" for i in range(c))),), "kind"
    )
    images = pl.DataFrame(
        {
            "image": [f"{i:05d}" for i in range(len(truth))],
            "path": [f"{i:05d}.jpg" for i in range(len(truth))],
            "subject": [f"{s:04d}" for s in subject.tolist()],
            "content": np.arange(len(truth), dtype=np.uint64),
        }
    )
    dataset = Dataset(
        root=Path("."), schema=schema, images=images, codes=truth[:, None].astype(np.int16), numbers={}
    )
    fold = (subject % FOLDS).astype(np.int16)
    run = Predictions(
        images=dataset.image_ids,
        values={"kind": p.astype(np.float32)},
        scale={"kind": "probabilities"},
        schema=schema,
        fold=fold,
        source=fold.astype(np.int32),
        sources=tuple(RowProvenance.from_training(f"fold {f}", dataset, fold != f) for f in range(FOLDS)),
        universe=SubjectUniverse.of(dataset),
        dataset_fingerprint=dataset.fingerprint,
        split_fingerprint="s",
        split_kind="folds",
        name="run",
    )
    return dataset, run


def simulate(world: tuple[np.ndarray, int, float], rule: str, n: int) -> dict[str, float]:
    shares, subjects, signal = world
    kept, worse, printed, true = [], [], [], []
    for k in range(n):
        rng = np.random.default_rng([11, k])
        dataset, run = as_run(*photos(shares, subjects, signal, rng))
        _, found = decide(run, dataset, DecideOptions(rule, resamples=500))
        truth, p, _ = photos(shares, FRESH, signal, rng)
        offsets = Offsets.of(found.offsets["kind"])
        gain = macro_f1_score(offsets.apply(p).argmax(axis=1), truth, len(shares))
        gain -= macro_f1_score(p.argmax(axis=1), truth, len(shares))
        kept.append(found.kept)
        worse.append(found.kept and gain <= 0)
        printed.append(found.gain.value)
        true.append(gain)
    keep, printed, true = np.asarray(kept), np.asarray(printed), np.asarray(true)
    some = keep.any()
    return {
        "kept": float(keep.mean()),
        "kept_error": float(np.sqrt(keep.mean() * (1 - keep.mean()) / n)),
        "kept_and_not_better": float(np.mean(worse)),
        "cross_fitted_gain": float(printed.mean()),
        "true_gain": float(true.mean()),
        "true_gain_error": float(true.std() / np.sqrt(n)),
        "cross_fitted_gain_when_kept": float(printed[keep].mean()) if some else float("nan"),
        "true_gain_when_kept": float(true[keep].mean()) if some else float("nan"),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--simulations", type=int, default=200)
    n = parser.parse_args().simulations
    found, lines = {}, [f"{n} simulations each; {PHOTOS} photos a subject, four folds.", ""]
    lines += [
        "| world | rule | kept | gain, cross-fitted | on new subjects | of kept: cross-fitted | on new subjects |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, world in WORLDS.items():
        for rule in RULES:
            r = simulate(world, rule, n)
            found[f"{name}; {rule}"] = r
            cells = [f"{100 * r['kept']:.1f} % (± {100 * r['kept_error']:.1f})"]
            for key in (
                "cross_fitted_gain",
                "true_gain",
                "cross_fitted_gain_when_kept",
                "true_gain_when_kept",
            ):
                cells.append("–" if np.isnan(r[key]) else f"{r[key]:+.4f}")
            lines.append(f"| {name} | {rule} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
            found[f"{name}; {rule}"] = {k: None if np.isnan(v) else v for k, v in r.items()}
    lines += [
        "",
        "The two columns to the right are why a kept rule's rows are marked `selected`: a rule that was kept for its "
        "gain shows more of it than it has.",
    ]
    write_results("decision_rules", "Decision rules: kept when they help", lines, found)


if __name__ == "__main__":
    main()
