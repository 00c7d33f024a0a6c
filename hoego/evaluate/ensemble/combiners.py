"""How the probabilities of several members become one: fixed rules and fitted ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import rankdata

from hoego.errors import NotEstimableError, UsageError, nearest
from hoego.evaluate.ensemble.greedy import greedy_weights
from hoego.results.ensemble import CombinerWeights
from hoego.short_repr import ShortRepr

Stack = NDArray[np.float32]
Floats = NDArray[np.float64]
FLOOR = 1e-7  # keeps the logarithm of a probability of 0 finite; about the resolution of float32 near 1
TIE_BREAK = 1e-3  # of a vote: probabilities decide between equal votes only, up to 1,000 members


@dataclass(frozen=True)
class CombinerMethod:
    """One line of the table of methods."""

    name: str
    fitted: bool
    help: str


METHODS = {
    m.name: m
    for m in (
        CombinerMethod("mean", False, "arithmetic mean of the probabilities"),
        CombinerMethod("geometric", False, "geometric mean of the probabilities, normalised"),
        CombinerMethod(
            "vote",
            False,
            "each member votes for its best class; a tie goes to the higher mean probability, then the earlier class",
        ),
        CombinerMethod(
            "rank",
            False,
            "mean over members of each class's rank within the image (Borda count); equal probabilities share a rank",
        ),
        CombinerMethod(
            "greedy", True, "forward selection with replacement for macro F1 (Caruana et al. 2004)"
        ),
        CombinerMethod(
            "stack",
            True,
            "multinomial regression: one weight per member, one bias per class, L2 towards the mean",
        ),
    )
}


@dataclass(frozen=True, eq=False, repr=False)
class Combiner(ShortRepr):
    """A rule that makes probabilities [N, C] of the probabilities [M, N, C] of M members.

    Every rule is a weighted sum over members of a function of their probabilities (`term`), and a last step on that
    sum (`finish`); so a member can be taken out of the sum again.

    Args:
        method: a name of METHODS.
        weights: of the members [M]; they sum to 1 for all methods but `stack`.
        bias: log-bias of the classes [C] (`stack`); None otherwise.
    """

    method: str
    weights: Floats
    bias: Floats | None = None

    def apply(self, stack: Stack) -> Floats:
        """Return probabilities [N, C] of the members' probabilities [M, N, C]."""
        return self.finish(self.total(stack))

    def total(self, stack: Stack) -> Floats:
        """Return the weighted sum [N, C] of the members' terms."""
        out = np.zeros(stack.shape[1:])
        for p, w in zip(stack, self.weights, strict=True):
            if w != 0:
                out += w * self.term(p)
        return out

    def term(self, p: NDArray[np.float32]) -> Floats:
        """Return what one member's probabilities [N, C] add to the sum, for a weight of 1."""
        if self.method in ("geometric", "stack"):
            return _logs(p)
        if self.method == "vote":
            votes = TIE_BREAK * p.astype(np.float64)
            votes[np.arange(len(p)), p.argmax(axis=1)] += len(self.weights)
            return votes
        if self.method == "rank":
            return len(self.weights) * _ranks(p) + TIE_BREAK * p
        return p.astype(np.float64)

    def finish(self, total: Floats) -> Floats:
        """Return probabilities [N, C] of the weighted sum [N, C]."""
        if self.method in ("geometric", "stack"):
            logs = total if self.bias is None else total + self.bias
            return _normalised(np.exp(logs - logsumexp(logs, axis=1, keepdims=True)))
        return _normalised(total)

    @property
    def plain(self) -> CombinerWeights:
        """The same in plain numbers, as a record keeps it."""
        bias = None if self.bias is None else tuple(self.bias.tolist())
        return CombinerWeights(method=self.method, weights=tuple(self.weights.tolist()), bias=bias)

    @classmethod
    def of(cls, plain: CombinerWeights) -> Combiner:
        """Return the combiner that a record keeps."""
        bias = None if plain.bias is None else np.asarray(plain.bias, dtype=np.float64)
        return cls(plain.method, np.asarray(plain.weights, dtype=np.float64), bias)


def method_named(name: str) -> CombinerMethod:
    """Return the combiner of a method. Raises UsageError naming the nearest method."""
    if name not in METHODS:
        raise UsageError(f"There is no ensemble method {name!r}.", remedy=nearest(name, METHODS))
    return METHODS[name]


def fit(method: str, stack: Stack, truth: NDArray[np.integer[Any]], *, steps: int = 50) -> Combiner:
    """Return the combiner of a method, fitted on probabilities [M, N, C] and the truth [N] where the method needs it.

    Raises:
        NotEstimableError: the method is fitted, and no image has a label.
    """
    if not method_named(method).fitted:
        return Combiner(method, np.full(len(stack), 1 / len(stack)))
    known = truth >= 0
    if not known.any():
        raise NotEstimableError(f"No image outside a part has a label to fit {method!r} on.")
    if not known.all():
        stack, truth = stack[:, known], truth[known]
    if method == "greedy":
        return Combiner(method, greedy_weights(stack, truth, steps=steps))
    return _fit_stack(stack, truth)


def _fit_stack(stack: Stack, truth: NDArray[np.integer[Any]], strength: float = 1.0) -> Combiner:
    """Return weights w [M] and biases b [C] that maximise the multinomial likelihood of sum_m w_m log p_m + b.

    The penalty is strength/2 times (M |w - 1/M|^2 + |b|^2), so that without evidence the result is the geometric mean.
    """
    m, n, c = stack.shape
    logs = np.log(np.maximum(stack, np.float32(FLOOR))).reshape(m, n * c)
    onehot_logs = logs[:, np.arange(n) * c + truth].sum(axis=1, dtype=np.float64)
    counts = np.bincount(truth, minlength=c).astype(np.float64)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        w, b = parameters[:m], parameters[m:]
        scores = (w.astype(np.float32) @ logs).reshape(n, c) + b
        norm = logsumexp(scores, axis=1)
        p = np.exp(scores - norm[:, None])
        value = norm.sum() - w @ onehot_logs - b @ counts
        value += strength / 2 * (m * ((w - 1 / m) ** 2).sum() + (b**2).sum())
        by_member = logs @ p.astype(np.float32).reshape(-1) - onehot_logs + strength * m * (w - 1 / m)
        by_class = p.sum(axis=0) - counts + strength * b
        return float(value), np.concatenate([by_member, by_class])

    start = np.concatenate([np.full(m, 1 / m), np.zeros(c)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return Combiner("stack", found.x[:m], found.x[m:])


def _ranks(p: NDArray[np.float32]) -> Floats:
    """Rank of each class within its image [N, C], 0 the least probable; equal probabilities share their mean rank."""
    order = p.argsort(axis=1, kind="stable")
    ranks = np.empty(p.shape)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(p.shape[1], dtype=np.float64), p.shape), axis=1)
    tied = (np.diff(np.take_along_axis(p, order, axis=1), axis=1) == 0).any(axis=1)
    ranks[tied] = rankdata(p[tied], axis=1) - 1
    return ranks


def _logs(stack: Stack) -> Floats:
    out: Floats = np.log(np.maximum(stack, FLOOR), dtype=np.float64)
    return out


def _normalised(array: Floats) -> Floats:
    out: Floats = array / array.sum(axis=1, keepdims=True)
    return out
