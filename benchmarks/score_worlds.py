"""Made-up populations whose true metrics are known, for the simulations of scores and comparisons.

A subject belongs to a group (its constant class) and brings several photos. Its photos are classified by a draw from
the subject's own distribution, Dirichlet(concentration * confusion[group]): the correlation between two photos of a
subject is 1 / (1 + concentration). In worlds with states (mask worn, incorrect, none) the class is state x group.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from hoego.evaluate.score.count_columns import CountColumns
from hoego.evaluate.score.space import LabelSpace

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class World:
    """A population.

    Args:
        name: for the table.
        shares: of the G groups among subjects [G].
        confusion: chance of each predicted group [G, G].
        n_subjects, photos: drawn subjects, photos a subject.
        concentration: of a subject's own distribution; small = photos err together.
        states: photos a subject in each state; () for none.
        state_error: chance of a wrong state, photo by photo.
        least, most: accepted number of subjects in the rarest group (`most` None: any).
    """

    name: str
    shares: np.ndarray
    confusion: np.ndarray
    n_subjects: int
    photos: int = 7
    concentration: float = 0.5
    states: tuple[int, ...] = ()
    state_error: float = 0.02
    least: int = 5
    most: int | None = None

    @property
    def n_classes(self) -> int:
        return len(self.shares) * max(1, len(self.states))

    @property
    def correlation(self) -> float:
        return 1 / (1 + self.concentration)

    def totals(self, confusion: np.ndarray | None = None) -> tuple[CountColumns, np.ndarray]:
        """The population's columns (shares of photos)."""
        joint = self.shares[:, None] * (self.confusion if confusion is None else confusion)
        if self.states:
            k = np.asarray(self.states) / sum(self.states)
            moved = np.full((len(k), len(k)), self.state_error / (len(k) - 1))
            np.fill_diagonal(moved, 1 - self.state_error)
            joint = np.kron(k[:, None] * moved, joint)
        c = np.arange(len(joint))
        gap = np.abs(c[:, None] - c[None])
        columns = [
            np.diag(joint),
            joint.sum(0),
            joint.sum(1),
            [(gap * joint).sum()],
            [(gap**2 * joint).sum()],
        ]
        return CountColumns(len(joint), True), np.concatenate(columns)

    def groups(self, rng: np.random.Generator) -> np.ndarray:
        while True:
            g = rng.choice(len(self.shares), self.n_subjects, p=self.shares)
            rarest = np.bincount(g, minlength=len(self.shares)).min()
            if rarest >= self.least and (self.most is None or rarest <= self.most):
                return g

    def guesses(
        self, g: np.ndarray, rng: np.random.Generator, confusion: np.ndarray | None = None
    ) -> np.ndarray:
        """Predicted group of each photo [S, photos]."""
        rows = (self.confusion if confusion is None else confusion)[g]
        drawn = rng.standard_gamma(np.maximum(self.concentration * rows, 1e-12))
        total = drawn.sum(axis=1, keepdims=True)
        own = drawn / np.maximum(total, 1e-300)
        for i in np.flatnonzero(total[:, 0] < 1e-200):
            own[i] = np.eye(len(self.shares))[rng.choice(len(self.shares), p=rows[i])]
        edges = own.cumsum(axis=1)
        edges[:, -1] = np.inf
        return (rng.random((len(g), self.photos))[:, :, None] > edges[:, None, :]).sum(axis=2)

    def finish(self, g: np.ndarray, guess: np.ndarray, rng: np.random.Generator) -> LabelSpace:
        """Photos with their truth and prediction."""
        n, m = guess.shape
        truth = np.repeat(g[:, None], m, axis=1)
        if self.states:
            state = np.repeat(np.arange(len(self.states)), self.states)[None].repeat(n, axis=0)
            slip = rng.random((n, m)) < self.state_error
            said = np.where(
                slip, (state + rng.integers(1, len(self.states), (n, m))) % len(self.states), state
            )
            truth, guess = state * len(self.shares) + truth, said * len(self.shares) + guess
        c = self.n_classes
        return LabelSpace(
            name="class",
            classes=tuple(f"c{i}" for i in range(c)),
            ordered=True,
            truth=truth.reshape(-1).astype(np.int64),
            probabilities=np.eye(c)[guess.reshape(-1)],
            subject=np.repeat(np.arange(n), m),
            rows=np.arange(n * m),
        )

    def draw(self, rng: np.random.Generator) -> LabelSpace:
        g = self.groups(rng)
        return self.finish(g, self.guesses(g, rng), rng)


def even(
    name: str, classes: int, subjects: int, accuracy: float, concentration: float = 0.5, photos: int = 7
) -> World:
    """Equally frequent classes, equally hard."""
    confusion = np.full((classes, classes), (1 - accuracy) / (classes - 1))
    np.fill_diagonal(confusion, accuracy)
    return World(name, np.full(classes, 1 / classes), confusion, subjects, photos, concentration)


def uneven(
    name: str, classes: int, subjects: int, accuracy: float, concentration: float = 0.5, photos: int = 7
) -> World:
    """The last class is a seventh as frequent as the first and 0.3 less accurate."""
    shares = np.geomspace(1, 0.15, classes)
    shares /= shares.sum()
    right = np.linspace(accuracy, accuracy - 0.3, classes)
    confusion = np.repeat(shares[None], classes, axis=0)
    np.fill_diagonal(confusion, 0)
    confusion *= ((1 - right) / confusion.sum(axis=1))[:, None]
    np.fill_diagonal(confusion, right)
    return World(name, shares, confusion, subjects, photos, concentration)


def competition(subjects: int = 540) -> World:
    """The model case: mask x gender x age; old men are 3 in 100, and half of the old are taken for younger."""
    shares = np.array([549, 410, 83, 732, 817, 109.0])
    ages = np.array([[0.93, 0.06, 0.01], [0.08, 0.85, 0.07], [0.02, 0.38, 0.60]])
    confusion = np.kron(np.array([[0.99, 0.01], [0.01, 0.99]]), ages)
    return World("competition", shares / shares.sum(), confusion, subjects, states=(5, 1, 1))


def rare(world: World, least: int, most: int) -> World:
    """The same where the rarest class holds only so many subjects."""
    return replace(world, name=f"{world.name}, rarest class {least}-{most} subjects", least=least, most=most)


def machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, numpy {np.__version__}"


def write_results(name: str, title: str, lines: list[str], data: object) -> None:
    """benchmarks/results/NAME.md and .json, with machine and date."""
    RESULTS.mkdir(exist_ok=True)
    head = [f"# {title}", "", f"{date.today()}; {machine()}", ""]
    (RESULTS / f"{name}.md").write_text("\n".join([*head, *lines, ""]))
    (RESULTS / f"{name}.json").write_text(
        json.dumps({"date": str(date.today()), "machine": machine(), "results": data}, indent=1) + "\n"
    )
    print("\n".join(lines))
