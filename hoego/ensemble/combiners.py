"""How the probabilities of several members become one: fixed rules and fitted ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

from hoego.ensemble.greedy import greedy_weights
from hoego.errors import UsageError, nearest

Stack = NDArray[np.float32]
Floats = NDArray[np.float64]
FLOOR = 1e-7


@dataclass(frozen=True)
class Method:
    """One line of the table of methods."""

    name: str
    fitted: bool
    help: str


METHODS = {
    m.name: m
    for m in (
        Method("mean", False, "arithmetic mean of the probabilities"),
        Method("geometric", False, "geometric mean of the probabilities, normalised"),
        Method(
            "vote", False, "each member votes for its best class; a tie goes to the higher mean probability"
        ),
        Method("rank", False, "mean over members of each class's rank within the image (Borda count)"),
        Method("greedy", True, "forward selection with replacement for macro F1 (Caruana et al. 2004)"),
        Method(
            "stack",
            True,
            "multinomial regression: one weight per member, one bias per class, L2 towards the mean",
        ),
    )
}


@dataclass(frozen=True)
class Combiner:
    """A rule that makes probabilities [N, C] of the probabilities [M, N, C] of M members.

    Args:
        method: a name of METHODS.
        weights: of the members [M]; they sum to 1 for all methods but `stack`.
        bias: log-bias of the classes [C] (`stack`); None otherwise.
    """

    method: str
    weights: Floats
    bias: Floats | None = None

    def apply(self, stack: Stack) -> Floats:
        """Probabilities [N, C] of the members' probabilities [M, N, C]."""
        if self.method in ("mean", "greedy"):
            return _normalised(np.einsum("m,mnc->nc", self.weights, stack, dtype=np.float64, optimize=True))
        if self.method in ("geometric", "stack"):
            logs = np.einsum("m,mnc->nc", self.weights, _logs(stack), optimize=True)
            if self.bias is not None:
                logs = logs + self.bias
            return _normalised(np.exp(logs - logsumexp(logs, axis=1, keepdims=True)))
        mean = stack.mean(axis=0, dtype=np.float64)
        if self.method == "vote":
            votes = np.zeros_like(mean)
            for m, w in zip(stack, self.weights, strict=True):
                votes[np.arange(len(mean)), m.argmax(axis=1)] += w
            return _normalised(votes + 1e-3 / len(stack) * mean)
        ranks = np.zeros_like(mean)
        for m, w in zip(stack, self.weights, strict=True):
            ranks += w * m.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
        return _normalised(ranks + 1e-3 / len(stack) * mean)

    def to_dict(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "weights": self.weights.tolist(),
            "bias": None if self.bias is None else self.bias.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Combiner:
        bias = data["bias"]
        return cls(
            data["method"],
            np.asarray(data["weights"], dtype=np.float64),
            None if bias is None else np.asarray(bias, dtype=np.float64),
        )


def method_named(name: str) -> Method:
    """Raises UsageError naming the nearest method."""
    if name not in METHODS:
        raise UsageError(f"There is no ensemble method {name!r}.", remedy=nearest(name, METHODS))
    return METHODS[name]


def fit(method: str, stack: Stack, truth: NDArray[np.integer[Any]], *, steps: int = 50) -> Combiner:
    """The combiner of a method, fitted on probabilities [M, N, C] and the truth [N] where the method needs it."""
    method_named(method)
    uniform = np.full(len(stack), 1 / len(stack))
    known = truth >= 0
    if method == "greedy":
        return Combiner(method, greedy_weights(stack[:, known], truth[known], steps=steps))
    if method == "stack":
        return _fit_stack(stack[:, known], truth[known])
    return Combiner(method, uniform)


def _fit_stack(stack: Stack, truth: NDArray[np.integer[Any]], strength: float = 1.0) -> Combiner:
    """Weights w [M] and biases b [C] that maximise the multinomial likelihood of sum_m w_m log p_m + b.

    The penalty is strength/2 times (M |w - 1/M|^2 + |b|^2), so that without evidence the result is the geometric mean.
    """
    m, n, c = stack.shape
    logs = _logs(stack)
    rows = np.arange(n)
    onehot_logs = logs[:, rows, truth].sum(axis=1)
    counts = np.bincount(truth, minlength=c).astype(np.float64)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        w, b = parameters[:m], parameters[m:]
        scores = np.tensordot(w, logs, axes=1) + b
        norm = logsumexp(scores, axis=1)
        p = np.exp(scores - norm[:, None])
        value = norm.sum() - w @ onehot_logs - b @ counts
        value += strength / 2 * (m * ((w - 1 / m) ** 2).sum() + (b**2).sum())
        by_member = np.einsum("mnc,nc->m", logs, p, optimize=True) - onehot_logs + strength * m * (w - 1 / m)
        by_class = p.sum(axis=0) - counts + strength * b
        return float(value), np.concatenate([by_member, by_class])

    start = np.concatenate([np.full(m, 1 / m), np.zeros(c)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return Combiner("stack", found.x[:m], found.x[m:])


def _logs(stack: Stack) -> Floats:
    out: Floats = np.log(np.maximum(stack, FLOOR), dtype=np.float64)
    return out


def _normalised(array: Floats) -> Floats:
    out: Floats = array / array.sum(axis=1, keepdims=True)
    return out
