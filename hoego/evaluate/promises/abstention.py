"""Abstention: when to answer, so that "wrong on at most x of the people answered" holds for new people.

People are ordered by their most probable answer. For a rising number of people the hypothesis "more than x of them get
wrong answers" is tested, and the last rejected one before the first that is not gives the rule (fixed-sequence
testing; Angelopoulos et al. 2021, Learn then Test). The share of a person's answers that are wrong lies between 0 and
1: its mean is tested by the exact binomial where all shares are 0 or 1, else by the bound of Hoeffding and Bentkus
(there, sec. 3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.errors import NotEstimableError, UsageError
from hoego.results.promise import AbstentionRule
from hoego.short_repr import ShortRepr

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
CONFIDENCE = 0.95
FIRST = 7.75
"""The sequence starts with FIRST / error people, three of which may get wrong answers (half the 95 % point of chi
squared with 8 degrees of freedom), or with half of all if those are fewer: a smaller start falls with one mistake."""
STEP = 1.1


@dataclass(frozen=True, eq=False, repr=False)
class JudgedPhotos(ShortRepr):
    """Held-out photos whose truth is known.

    Args:
        confidence: probability of the most probable class [N].
        wrong: whether that class is not the truth [N].
        owner: subject of each photo, 0 .. S-1 [N].
    """

    confidence: Floats
    wrong: NDArray[np.bool_]
    owner: Ints

    @property
    def n_subjects(self) -> int:
        """The number of subjects S."""
        return int(self.owner.max(initial=-1)) + 1

    def wrong_shares(self, above: float) -> NDArray[np.float64]:
        """Return, for each subject who gets an answer, the share of their answers that are wrong."""
        given = self.confidence > above
        answers = np.bincount(self.owner[given], minlength=self.n_subjects)
        wrong = np.bincount(self.owner[given & self.wrong], minlength=self.n_subjects)
        shares: NDArray[np.float64] = wrong[answers > 0] / answers[answers > 0]
        return shares


def abstention_rule(attribute: str, p: Floats, truth: Ints, subject: Ints, error: float) -> AbstentionRule:
    """Return the rule that answers as many people as it can.

    Args:
        attribute: that is answered.
        p: probabilities [N, C] of photos that the models have not seen.
        truth: classes [N]; photos with -1 are left out.
        subject: of each photo [N].
        error: promised share of the people answered, between 0 and 1.

    Raises:
        UsageError: `error` is not a share.
        NotEstimableError: so few people, or so many mistakes, cannot support it; the message says what could.
    """
    if not 0 < error < 1:
        raise UsageError(f"The error among the people answered lies between 0 and 1, not at {error:g}.")
    known = truth >= 0
    owner = np.unique(subject[known], return_inverse=True)[1].reshape(-1)
    rows = p[known]
    photos = JudgedPhotos(rows.max(axis=1), rows.argmax(axis=1) != truth[known], owner)
    above = _lowest_confidence(photos, error, attribute)
    shares = photos.wrong_shares(above)
    return AbstentionRule(
        attribute=attribute,
        error=error,
        above=above,
        confidence=CONFIDENCE,
        n_subjects=photos.n_subjects,
        answered_subjects=len(shares),
        answered_photos=float((photos.confidence > above).mean()),
        observed=float(shares.mean()),
    )


def people_needed(error: float) -> int:
    """Return how many people without a single mistake show that an error is below `error`.

    >>> people_needed(0.02), people_needed(0.05)
    (149, 59)
    """
    return math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-error))


def _lowest_confidence(photos: JudgedPhotos, error: float, attribute: str) -> float:
    """Return the lowest confidence that the sequence of tests lets through."""
    n, needed = photos.n_subjects, people_needed(error)
    if n < needed:
        raise NotEstimableError(
            f"{n:,} people cannot support the promise to be wrong on at most {error:.2g} of the people answered.",
            remedy=f"Without a single mistake it takes {needed:,} held-out people; name a larger share.",
        )
    found: float | None = None
    tried = 0
    for above in _thresholds(photos, max(needed, min(math.ceil(FIRST / error), n // 2))):
        shares = photos.wrong_shares(above)
        tried = len(shares)
        if tried < needed:  # several people share one confidence, and none of them is above it
            continue
        if p_value(shares, error) > 1 - CONFIDENCE:
            break
        found = above
    if found is None:
        raise NotEstimableError(
            f"{attribute} is too often wrong for the promise to be wrong on at most {error:.2g} of the people "
            f"answered: already among the {tried:,} people with the most certain answers, more cannot be ruled out.",
            remedy="Name a larger share.",
        )
    return found


def _thresholds(photos: JudgedPhotos, first: int) -> Iterator[float]:
    """Yield confidences above which more and more people get an answer: `first`, a tenth more, ..., all."""
    best = np.full(photos.n_subjects, -np.inf)
    np.maximum.at(best, photos.owner, photos.confidence)
    best = -np.sort(-best)
    n = first
    while n < len(best):
        yield float(best[n])
        n = max(n + 1, int(n * STEP))
    yield 0.0


def p_value(shares: Floats, error: float) -> float:
    """Return the p-value of "the mean of these shares is above `error` in the population", of shares [n] in 0 .. 1."""
    from scipy.special import bdtr  # here: a service that withholds nothing starts half a second earlier

    n, mean = len(shares), float(shares.mean())
    if mean >= error:
        return 1.0
    if bool(np.isin(shares, (0.0, 1.0)).all()):
        return float(bdtr(round(float(shares.sum())), n, error))
    relative = (mean * math.log(mean / error) if mean else 0.0) + (1 - mean) * math.log(
        (1 - mean) / (1 - error)
    )
    bentkus = math.e * float(bdtr(math.ceil(float(shares.sum()) - 1e-9), n, error))
    return min(1.0, math.exp(-n * relative), bentkus)
