"""Choosing the next trial: Optuna's samplers over a study that is made anew from the trials before each choice.

Nothing of the study outlives the choice, so no storage can disagree with the records, and no database lies on a
network file system. The seed is that of the search and the number of the trial: equal records give an equal choice.
"""

from __future__ import annotations

import contextlib
import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hoego.errors import UsageError, nearest
from hoego.runs.records.run_facts import SearchPoint, SearchValue
from hoego.runs.searching.space import Axis, SearchSpace
from hoego.runs.searching.trials import SearchTrial

SAMPLERS = ("tpe", "gp", "random", "grid")
TRIES = 20
"""Further draws where a sampler proposes what was tried already."""


def require_sampler(name: str, space: SearchSpace) -> None:
    """Raise UsageError for an unknown sampler, or a grid over a range."""
    if name not in SAMPLERS:
        raise UsageError(f"There is no sampler {name!r}.", remedy=nearest(name, SAMPLERS))
    endless = [a for a in space.axes if not a.choices and not a.whole]
    if name == "grid" and endless:
        raise UsageError(
            f"A grid over {endless[0].text} has no end.",
            remedy=f"Give the number of steps: --space {endless[0].text}/5",
        )


def ask(space: SearchSpace, trials: Sequence[SearchTrial], sampler: str, seed: int) -> SearchPoint | None:
    """Return the point of the next trial; None where every point of the space was tried.

    Args:
        space: what may vary.
        trials: of the search so far, those that wait or run among them.
        sampler: a name of SAMPLERS.
        seed: of the search.
    """
    tried = {_key(t.point) for t in trials}
    number = max((t.number for t in trials), default=-1) + 1
    if sampler == "grid":
        return next((p for p in grid(space) if _key(p) not in tried), None)
    for attempt in range(TRIES):
        point = _proposed(space, trials, sampler, (seed * 100_003 + number) * TRIES + attempt)
        if _key(point) not in tried:
            return point
    if all(a.choices or a.whole for a in space.axes):
        # The sampler prefers what it knows; what is left of a finite space is taken in order.
        return next((p for p in grid(space) if _key(p) not in tried), None)
    return point


def grid(space: SearchSpace) -> Iterator[SearchPoint]:
    """Yield every point of a space of choices and integers."""
    values: list[Sequence[SearchValue]] = [
        a.choices or range(int(a.low or 0), int(a.high or 0) + 1) for a in space.axes
    ]
    return (dict(zip([a.key for a in space.axes], p, strict=True)) for p in itertools.product(*values))


def _key(point: SearchPoint) -> str:
    return repr(sorted((k, str(v)) for k, v in point.items()))


def _proposed(space: SearchSpace, trials: Sequence[SearchTrial], sampler: str, seed: int) -> SearchPoint:
    with _quiet():
        study = study_of(space, trials, _sampler(sampler, seed % (1 << 31)))
        chosen = study.ask(_distributions(space))
    return {a.key: a.rounded(_plain(chosen.params[a.key])) for a in space.axes}


def _plain(value: Any) -> SearchValue:
    return value if isinstance(value, (str, int)) else float(value)


def _sampler(name: str, seed: int) -> Any:
    import optuna

    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if name == "gp":
        return optuna.samplers.GPSampler(seed=seed, n_startup_trials=10)
    # constant_liar: trials that still run count as bad ones, so that workers do not all ask for the same place.
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)


def study_of(space: SearchSpace, trials: Sequence[SearchTrial], sampler: Any = None) -> Any:
    """Return an Optuna study, in memory, that holds the trials; larger values are better."""
    import optuna

    with _quiet():
        study = optuna.create_study(direction="maximize", sampler=sampler)
        distributions = _distributions(space)
        for trial in trials:
            study.add_trial(_frozen(trial, distributions))
    return study


def importance(space: SearchSpace, trials: Sequence[SearchTrial]) -> dict[str, float]:
    """Return each setting's share of the variance of the score (PED-ANOVA: Watanabe, Bansal and Hutter 2023).

    {} where there are fewer than four values, or none differs.
    """
    import optuna

    done = [t for t in trials if t.value is not None]
    if len(done) < 4 or len({t.value for t in done}) < 2:
        return {}
    with _quiet():
        found = optuna.importance.get_param_importances(
            study_of(space, done), evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )
    return {key: float(value) for key, value in found.items()}


def _frozen(trial: SearchTrial, distributions: Mapping[str, Any]) -> Any:
    import optuna

    states = optuna.trial.TrialState
    values = {epoch: v for epoch, v in enumerate(trial.curve) if v == v}
    state = states.FAIL
    if trial.value is not None:
        state = states.COMPLETE
    elif trial.open:
        state = states.RUNNING
    elif trial.state == "stopped" and values:
        state = states.PRUNED
    return optuna.trial.create_trial(
        state=state,
        value=trial.value,
        params=dict(trial.point),
        distributions=dict(distributions),
        intermediate_values=values,
    )


def _distributions(space: SearchSpace) -> dict[str, Any]:
    return {a.key: _distribution(a) for a in space.axes}


def _distribution(axis: Axis) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.choices:
        return CategoricalDistribution(axis.choices)
    assert axis.low is not None
    assert axis.high is not None
    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna's notes on experimental options, and a line per trial, from the terminal."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
