"""What the words beside a number mean, for a reader who has never seen them."""

from __future__ import annotations

HONESTY = {
    "out-of-fold": (
        "good",
        "Every scored photo is of a subject that no model behind it has seen, and nothing was chosen on it.",
    ),
    "selected": (
        "good",
        "Every scored photo is of an unseen subject, but the epoch was chosen by a score that includes these photos; "
        "the optimism beside the score says how much that flatters.",
    ),
    "cross-fitted": (
        "good",
        "Every scored photo is of a subject unseen by its models; the combiner was fitted on rows whose models had "
        "seen it (ordinary stacking across folds).",
    ),
    "selected, cross-fitted": (
        "good",
        "Unseen subjects; the epoch or a decision rule was chosen by these photos, and a combiner or rule was fitted "
        "across folds.",
    ),
    "naive": (
        "bad",
        "Photos of the same subjects stood on the training side. The number measures the leak; it does not say what "
        "the model is worth on new people.",
    ),
    "in-sample": ("bad", "The models have seen these subjects. The number says nothing about new ones."),
}


def honesty_of(label: str) -> tuple[str, str]:
    """Colour and explanation of an honesty."""
    return HONESTY.get(label, ("warn", ""))


def interval(estimate: dict[str, float | None] | None, digits: int = 3) -> str:
    """`0.812 [0.790, 0.833]` of an estimate's dictionary."""
    if not estimate or estimate.get("value") is None:
        return "cannot say"
    value, low, high = estimate["value"], estimate.get("low"), estimate.get("high")
    inner = f" [{low:.{digits}f}, {high:.{digits}f}]" if low is not None and high is not None else ""
    return f"{value:.{digits}f}{inner}"


def duration(seconds: float | None) -> str:
    """`3 min 12 s`."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 90:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
