"""The table of metrics: name, whether it is shown by default, help, what it needs.

Three kinds: functions of counts (see `formulas`), functions of the probabilities with a value per subject (log loss,
AUROC), and custom ones, given as "module:function" or "file.py:function".
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from hoego.data.schema import COMPOSITE, LabelSchema
from hoego.errors import NotEstimableError, UsageError, nearest
from hoego.evaluate.score import formulas
from hoego.evaluate.score.count_columns import CountColumns

Float = NDArray[np.float64]
Ints = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]
Formula = Callable[[NDArray[Any], CountColumns, Mask], Float]
OwnMetric = Callable[[Ints, Float], float]
Needs = Literal["classes", "order", "probabilities"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One row of the table.

    Args:
        name: its name in recipes, commands and results.
        help: one line.
        needs: `classes` (the predicted class), `order` (ordered classes), `probabilities`.
        default: whether a score shows it without being asked.
        better: whether `higher` or `lower` is better.
        formula: the number from totals; None where it is computed from probabilities.
        per_class: the same for each class, where that means something.
        spread_over_classes: the mean over classes, so that the rarest class limits what is known.
    """

    name: str
    help: str
    needs: Needs
    default: bool = True
    better: Literal["higher", "lower"] = "higher"
    formula: Formula | None = None
    per_class: Formula | None = None
    spread_over_classes: bool = False

    def span(self, n_classes: int) -> tuple[float, float]:
        """Return the smallest and the largest value that it can take."""
        if self.name == "qwk":
            return (-1.0, 1.0)
        if self.name == "mae":
            return (0.0, max(n_classes - 1.0, 1.0))
        return (0.0, np.inf) if self.name == "log_loss" else (0.0, 1.0)

    def applies(self, ordered: bool) -> bool:
        """Return whether the metric means something for classes that are ordered or not."""
        return ordered or self.needs != "order"


METRICS: dict[str, Metric] = {
    m.name: m
    for m in (
        Metric(
            name="macro_f1",
            help="Mean F1 over the classes present in the truth of the scored rows; the primary metric.",
            needs="classes",
            formula=formulas.macro_f1,
            per_class=formulas.class_f1,
            spread_over_classes=True,
        ),
        Metric(
            name="accuracy",
            help="Share of images whose class is right.",
            needs="classes",
            formula=formulas.accuracy,
        ),
        Metric(
            name="balanced_accuracy",
            help="Mean sensitivity (recall) over the classes present in the truth.",
            needs="classes",
            formula=formulas.balanced_accuracy,
            per_class=formulas.class_sensitivity,
            spread_over_classes=True,
        ),
        Metric(
            name="specificity",
            help="Mean over the classes of the share of other images that are not taken for it.",
            needs="classes",
            formula=formulas.specificity,
            per_class=formulas.class_specificity,
            spread_over_classes=True,
        ),
        Metric(
            name="qwk",
            help="Cohen's kappa with quadratic weights, for ordered classes.",
            needs="order",
            formula=formulas.qwk,
        ),
        Metric(
            name="mae",
            help="Mean distance between true and predicted class, in classes, for ordered classes.",
            needs="order",
            better="lower",
            formula=formulas.mae,
        ),
        Metric(
            name="auroc",
            help="One-vs-rest area under the ROC curve, mean over classes.",
            needs="probabilities",
        ),
        Metric(
            name="log_loss",
            help="Mean negative logarithm of the probability of the true class (nats).",
            needs="probabilities",
            better="lower",
        ),
    )
}
PRIMARY = "macro_f1"


def metric(name: str) -> Metric:
    """Return the row called `name`; a custom one ("module:function") becomes a row of its own. Raises UsageError."""
    if name in METRICS:
        return METRICS[name]
    if ":" in name:
        lower = getattr(load_own(name), "better", "higher") == "lower"
        return Metric(
            name=name,
            help="A metric of your own.",
            needs="probabilities",
            better="lower" if lower else "higher",
        )
    raise UsageError(
        f"There is no metric {name!r}.",
        remedy=f'{nearest(name, METRICS)} One\'s own metric is given as "module:function".',
    )


def require_applicable(name: str, schema: LabelSchema, labels: Sequence[str]) -> Metric:
    """Return the metric of a name that is asked for, where it means something for one of the labels that are scored.

    Args:
        name: as `metric` takes it.
        schema: of the labels.
        labels: attributes, or "composite", for which it is asked.

    Raises:
        UsageError: there is no such metric, or it needs ordered classes and none of the labels has them.
    """
    row = metric(name)
    if any(row.applies(label != COMPOSITE and schema.attribute(label).ordered) for label in labels):
        return row
    alone = [label for label in labels if label != COMPOSITE]
    whose = ", ".join(alone) if alone else "the composite class, which is a combination"
    declared = alone[0] if alone else schema.composite[0]
    raise UsageError(
        f"The metric {name!r} needs ordered classes, and those of {whose} are not ordered.",
        remedy=f'Declare the order: kind = "ordinal" and classes = [lowest, ..., highest] under '
        f"[labels.attributes.{declared}] (for a number: edges). Or leave out {name!r}"
        + (f"; for an attribute alone, compare on it (--on {declared})." if not alone else "."),
    )


def load_own(name: str) -> OwnMetric:
    """Return the function behind "module:function" or "file.py:function".

    It takes the true classes [N] and the probabilities [N, C] and returns a number; an attribute
    `better = "lower"` says that less is better. `hoego.evaluate.score.metric_contract.MetricContract` checks one in
    a test.

    Raises:
        UsageError: there is no such module or function.
    """
    place, _, function = name.rpartition(":")
    remedy = 'Give "module:function" (importable from here) or "file.py:function".'
    if not function or not place or (place.startswith(".") and not place.endswith(".py")):
        raise UsageError(f"The metric {name!r} does not name a module and a function.", remedy=remedy)
    try:
        if place.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(place).stem, place)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            here = str(Path.cwd())
            if here not in sys.path:
                sys.path.append(here)
            module = importlib.import_module(place)
        found: OwnMetric = getattr(module, function)
    except (ImportError, AttributeError, OSError, SyntaxError) as e:
        raise UsageError(f"The metric {name!r} cannot be loaded: {e}.", remedy=remedy) from None
    if not callable(found):
        raise UsageError(f"The metric {name!r} is not a function.", remedy=remedy)
    return found


def own_value(function: OwnMetric, truth: Ints, probabilities: Float) -> float:
    """Compute a custom metric of N images, on arrays that it cannot change.

    Raises:
        UsageError: the function fails, or tries to write into what it was given.
        NotEstimableError: its value is not a finite number.
    """
    # Copies, since a view of an array that may be written can be made writable again.
    truth, probabilities = truth.copy(), probabilities.copy()
    truth.setflags(write=False)
    probabilities.setflags(write=False)
    try:
        found = float(function(truth, probabilities))
    except Exception as e:
        raise UsageError(
            f"The metric {getattr(function, '__name__', function)!s} failed: {type(e).__name__}: {e}.",
            remedy="It is given read-only arrays: truth [N] and probabilities [N, C]. Copy what it changes.",
        ) from e
    if not np.isfinite(found):
        raise NotEstimableError(f"The metric {getattr(function, '__name__', function)!s} gave {found}.")
    return found


def log_losses(truth: Ints, probabilities: Float) -> Float:
    """Return -log p of the true class for each image [N], p clipped to the smallest double above 0 (as
    scikit-learn does).
    """
    p = probabilities[np.arange(len(truth)), truth] / probabilities.sum(axis=1)
    losses: Float = -np.log(np.clip(p, np.finfo(np.float64).eps, 1.0))
    return losses


@dataclass(frozen=True)
class AurocPlacements:
    """AUROC of one class, and how much each image adds to it.

    Args:
        value: the area; NaN where the class or its complement is empty.
        share: for each image [N], its placement less the area, divided by the images of its side
            (the structural components of DeLong et al. 1988).
        positive: whether the image is of the class [N].
    """

    value: float
    share: Float
    positive: Mask


def placements(positive: Mask, scores: Float) -> AurocPlacements:
    """Compute the one-vs-rest AUROC with the structural components of DeLong, DeLong and Clarke-Pearson (1988),
    eq. 4-5.
    """
    n, m = int(positive.sum()), int((~positive).sum())
    share = np.zeros(len(scores))
    if not n or not m:
        return AurocPlacements(np.nan, share, positive)
    ranks = rankdata(scores)
    above = (ranks[positive] - rankdata(scores[positive])) / m
    value = float(above.mean())
    share[positive] = (above - value) / n
    below = 1.0 - (ranks[~positive] - rankdata(scores[~positive])) / n
    share[~positive] = (below - value) / m
    return AurocPlacements(value, share, positive)
