"""The verdict of a comparison as records keep it: what was compared, what came out, the numbers, both sides' runs."""

from __future__ import annotations

from typing import ClassVar

from hoego.results.base import Content, MaybeFloat, Result, Upgrade
from hoego.results.score import DefinedEstimate

OUTCOMES = ("better", "worse", "not distinguishable", "cannot say", "already so", "failed")


def _of_subject(content: Content) -> Content:
    """Read old verdicts: they called the change `subject`, which is the word for a person or thing in the
    photos.
    """
    if "subject" not in content:
        return content
    rest = {k: v for k, v in content.items() if k != "subject"}
    return {"change": content["subject"], **rest}


def _of_idea(content: Content) -> Content:
    """Read old ideas: they called the outcome `words`, the sentence `reason`, and kept the difference as three
    numbers.
    """
    if "outcome" in content or "verdict" in content:
        return content
    numbers = {"value": content.get("difference"), "low": content.get("low"), "high": content.get("high")}
    return {
        "outcome": content.get("words", ""),
        "sentence": content.get("reason") or "",
        "change": content.get("text") or "",
        "metric": content.get("metric") or "",
        "difference": None if numbers["value"] is None else numbers,
        "p_value": content.get("p_value"),
        "scope": content.get("scope") or "",
        "baseline": content.get("baseline") or (),
        "runs": content.get("runs") or (),
        "idea": content.get("idea") or "",
    }


def _of_ablation(content: Content) -> Content:
    """Read old ablations: they called the outcome `verdict` and the sentence `words`; the metric was not kept."""
    if "outcome" in content:
        # What an older verdict of the same run left behind in run.json, whose objects are merged.
        return {k: v for k, v in content.items() if k in ComparisonVerdict.model_fields}
    sentence, difference = str(content.get("words") or ""), content.get("difference")
    return {
        "outcome": content["verdict"],
        "sentence": sentence,
        "change": sentence.partition(": ")[0],
        "metric": "macro_f1",
        "difference": difference if (difference or {}).get("value") is not None else None,
        "p_value": content.get("p_value"),
        "scope": content.get("scope") or "",
        "baseline": content.get("baseline") or (),
        "runs": content.get("runs") or (),
    }


class ComparisonVerdict(Result):
    """What a comparison of two sides' runs said.

    Args:
        outcome: of the second side: better, worse, not distinguishable, cannot say; or already so (nothing to
            compare), failed.
        sentence: the same in words, with its numbers; or why there are none.
        change: what was tried: an idea's text, or the settings that were changed.
        metric, difference: the runs' score less the baseline's, with its interval; None where nothing can be said.
        p_value: two-sided; adjusted where several changes were compared.
        scope: `recipes` with at least three seeds a side, else `models`.
        baseline, runs: ids of both sides.
        idea: id of the idea that was tried; empty without one.
    """

    HONESTY_OF: ClassVar[str] = "that of the runs compared"
    TITLE: ClassVar[str] = "Verdict"
    UPGRADES: ClassVar[tuple[Upgrade, ...]] = (_of_subject, _of_idea, _of_ablation)

    outcome: str
    sentence: str = ""
    change: str = ""
    metric: str = ""
    difference: DefinedEstimate | None = None
    p_value: MaybeFloat = None
    scope: str = ""
    baseline: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    idea: str = ""

    def _zero(self) -> float | None:
        return 0.0

    def __str__(self) -> str:
        found = self.difference
        if found is None:
            return f"{self.outcome}: {self.sentence}" if self.sentence else self.outcome
        interval = (
            "" if found.low is None or found.high is None else f" ({found.low:+.4f} to {found.high:+.4f})"
        )
        p = "" if self.p_value is None else f", p {self.p_value:.3g}"
        return f"{self.outcome}: {self.metric} {found.value:+.4f}{interval}{p}, {len(self.runs)} runs a side"
