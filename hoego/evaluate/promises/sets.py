"""Prediction sets by conformal prediction with people as the unit.

The photos of one person are not independent: a quantile over photos would promise more than it keeps. Each of
the S held-out people weighs the same, 1 / (S + 1), shared among their photos, and the new person weighs 1 / (S + 1)
too (Lee, Barber and Willett 2023, Distribution-free inference with hierarchical data, HCP; Vovk et al. 2005 for one
photo each). The probabilities are those that the models gave before any temperature, so that nothing was fitted on the
labels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hoego.errors import NotEstimableError, UsageError
from hoego.results.promise import PredictionSetRule

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


def prediction_set_rule(
    attribute: str, p: Floats, truth: Ints, subject: Ints, error: float
) -> PredictionSetRule:
    """Return the rule whose sets lack the truth for at most `error` of new people's photos.

    Args:
        attribute: of the classes.
        p: probabilities [N, C] of photos that the models have not seen.
        truth: classes [N]; photos with -1 are left out.
        subject: of each photo [N].
        error: promised, between 0 and 1.

    Raises:
        UsageError: `error` is not a share.
        NotEstimableError: so few people cannot support it; the message says how many could.
    """
    if not 0 < error < 1:
        raise UsageError(f"The error of prediction sets lies between 0 and 1, not at {error:g}.")
    known = truth >= 0
    weight, n_subjects = person_weights(subject[known])
    needed = math.ceil(round(1 / error - 1, 9))
    if n_subjects < needed:
        raise NotEstimableError(
            f"{n_subjects:,} people cannot support prediction sets of {attribute} with an error of {error:g}.",
            remedy=f"It takes {needed:,} held-out people, or an error of at least {1 / (n_subjects + 1):.3g}.",
        )
    given = p[known][np.arange(int(known.sum())), truth[known]]
    # From the most probable truths down: the first place where those kept weigh 1 - error, the new person with no part.
    order = np.argsort(-given, kind="stable")
    reached = np.cumsum(weight[order]) * n_subjects / (n_subjects + 1)
    place = min(int(np.searchsorted(reached, 1 - error - 1e-12)), len(order) - 1)
    least = float(given[order[place]])
    sizes = in_sets(p[known], least).sum(axis=1)
    return PredictionSetRule(
        attribute=attribute,
        error=error,
        least=least,
        n_subjects=n_subjects,
        mean_size=float((weight * sizes).sum()),
    )


def in_sets(p: Floats, least: float) -> NDArray[np.bool_]:
    """Return which classes are in the set of each photo [N, C], of probabilities [N, C]."""
    inside = p >= least
    inside[np.arange(len(p)), p.argmax(axis=1)] = True
    return inside


def person_weights(subject: Ints) -> tuple[NDArray[np.float64], int]:
    """Return the weight of each photo [N], equal for all people and 1 in all, and the number of people."""
    _, owner, counts = np.unique(subject, return_inverse=True, return_counts=True)
    weight: NDArray[np.float64] = 1.0 / (counts[owner.reshape(-1)] * max(len(counts), 1))
    return weight, len(counts)
