"""What the words beside a number mean, for a reader who has never seen them."""

from __future__ import annotations

from hoego.results.base import number
from hoego.results.score import IntervalEstimate, MetricEstimate

HONESTY = {
    "out-of-fold": (
        "good",
        "Every scored photo is of a subject that no model behind it has seen, and nothing was chosen on it.",
    ),
    "selected": (
        "good",
        "Every scored photo is of an unseen subject, but the epoch or the trial was chosen by a score that includes "
        "these photos; the optimism beside the score says how much that flatters.",
    ),
    "cross-fitted": (
        "good",
        "Every scored photo is of a subject unseen by its models; the combiner was fitted on rows whose models had "
        "seen it (ordinary stacking across folds).",
    ),
    "witnessed": (
        "warn",
        "A model behind the score was trained outside Hoego, which watched that its training opened no held-out photo. "
        "What its weights had seen before is not known, so the score is not ranked beside out-of-fold ones.",
    ),
    "declared": (
        "warn",
        "A model behind the score was trained outside Hoego. That it has not seen the scored subjects is somebody's "
        "word, so the score is not ranked beside out-of-fold ones.",
    ),
    "naive": (
        "bad",
        "Photos of the same subjects stood on the training side. The number measures the leak; it does not say what "
        "the model is worth on new people.",
    ),
    "in-sample": ("bad", "The models have seen these subjects. The number says nothing about new ones."),
}


def honesty_of(label: str) -> tuple[str, str]:
    """Give the colour and the explanation of an honesty, of one level or of several joined by ", ".

    >>> honesty_of("selected, declared")[0]
    'warn'
    """
    parts = [HONESTY.get(part, ("warn", "")) for part in label.split(", ")]
    colour = max((c for c, _ in parts), key=("good", "warn", "bad").index)
    return colour, " ".join(text for _, text in parts if text)


def interval(estimate: MetricEstimate | IntervalEstimate | None, digits: int = 3) -> str:
    """Format an estimate: `0.812 [0.790, 0.833]`."""
    if estimate is None or estimate.value is None:
        return "cannot say"
    value, low, high = estimate.value, number(estimate.low), number(estimate.high)
    inner = f" [{low:.{digits}f}, {high:.{digits}f}]" if low is not None and high is not None else ""
    return f"{value:.{digits}f}{inner}"


def duration(seconds: float | None) -> str:
    """Format a duration: `3 min 12 s`."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 90:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
