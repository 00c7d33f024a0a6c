"""compare, diagnose, design, ablate, compose, ensemble: predictions in, evidence out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hoego.cli.options import (
    AllowInSample,
    FoldChoice,
    Json,
    Overrides,
    Profile,
    RecipeFile,
    RunsFolder,
    Why,
    project_folder,
    recipe_of,
    runs_folder,
)
from hoego.cli.output import console, echo, emit, interval, literal, styled, table
from hoego.cli.records import LastRun, show_score

if TYPE_CHECKING:
    from hoego.evaluate.compare import Comparison
    from hoego.results.ablation import Ablation
    from hoego.results.diagnosis import Diagnosis
    from hoego.results.ensemble import CombinedRun
    from hoego.results.leak import LeakStudy
    from hoego.results.score import IntervalEstimate

Runs = Annotated[
    list[str],
    typer.Argument(metavar="RUN...", help="Ids, prefixes or folders; A1+A2+A3 is one side of seeds."),
]
VERDICT_STYLE = {"better": "green", "worse": "red", "not distinguishable": "yellow", "cannot say": "dim"}


def register(app: typer.Typer) -> None:
    """Put this module's commands into the application."""
    app.command()(compare)
    app.command()(diagnose)
    app.command()(design)
    app.command()(ablate)
    app.command()(compose)
    app.command()(ensemble)


def compare(
    runs: Runs,
    metric: Annotated[str, typer.Option(help="Metric to compare.")] = "macro_f1",
    on: Annotated[str, typer.Option(help="An attribute or composite; the target if not given.")] = "",
    by_subject: Annotated[
        bool, typer.Option("--by-subject", help="Let the photos of a subject vote first.")
    ] = False,
    allow_in_sample: AllowInSample = False,
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Compare runs on the same subjects: difference with interval, p-value, and a verdict in words."""
    from hoego.evaluate.compare import CompareOptions
    from hoego.runs.evaluate_runs import compare_runs

    options = CompareOptions(metric=metric, label=on, by_subject=by_subject, allow_in_sample=allow_in_sample)
    emit(compare_runs(runs_folder(folder), runs, options), as_json, show_comparison)


def show_comparison(found: Comparison) -> None:
    """Print a comparison: verdict, difference and ranking."""
    echo(f"{styled(found.verdict, VERDICT_STYLE.get(found.verdict, ''))}   scope: {found.scope}")
    echo(literal(found.sentence))
    d = found.difference
    p = "–" if found.p_value is None else f"{found.p_value:.4f}"
    detectable = "–" if found.detectable is None else f"{found.detectable:.4f}"
    echo(f"difference {interval(d.value, d.low, d.high, 4)}   p {p}   detectable {detectable}")
    rows = [
        (
            r.rank,
            r.name,
            f"{r.value:.4f}",
            "yes" if r.in_best_set else "no",
            r.p_adjusted if r.p_adjusted is None else f"{r.p_adjusted:.4f}",
        )
        for r in found.ranking
    ]
    table("ranking", ("rank", "run", found.metric, "not distinguishable from the best", "p (Holm)"), rows)
    for note in found.notes:
        echo(f"[yellow]note[/] {literal(note)}")


def diagnose(
    run: LastRun = "last",
    leak: Annotated[
        str,
        typer.Option(
            "--leak",
            metavar="RECIPE|RUN",
            help="Measure how much a photo-level split flatters the score: train this recipe on both, or compare RUN "
            "with this run on a photo-level split.",
        ),
    ] = "",
    slices: Annotated[
        list[str], typer.Option("--slice", help="Columns to slice by; by default all that allow it.")
    ] = [],  # noqa: B006
    overlay: Annotated[
        Path | None, typer.Option(help="Write the suspected labels to this file, for review.")
    ] = None,
    overrides: Overrides = [],  # noqa: B006
    allow_in_sample: AllowInSample = False,
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Find the attribute that holds the score back; or, with --leak, measure the leak."""
    if leak:
        emit(
            _leak(leak, run, overrides, runs_folder(folder)),
            as_json,
            lambda found: echo(literal(found.words)),
        )
        return
    from hoego.evaluate.diagnose import DiagnoseOptions
    from hoego.runs.evaluate_runs import diagnose_run

    options = DiagnoseOptions(slice_by=tuple(slices), allow_in_sample=allow_in_sample)
    made = diagnose_run(runs_folder(folder), run, options, overlay)
    emit(made, as_json, lambda found: _show_diagnosis(found, overlay))


def _leak(name: str, run: str, overrides: list[str], runs: Path) -> LeakStudy:
    """Return the leak by a recipe, which is trained, or between a run on a photo-level split and another one."""
    from hoego.recipe.ready import ready_recipes
    from hoego.runs.leak import compare_promises, measure_leak
    from hoego.runs.records import RunStore
    from hoego.runs.required_runs import StudyRunner

    recipe = Path(name)
    named = {ready.name for ready in ready_recipes()}
    if recipe.suffix != ".toml" and not recipe.is_file() and name not in named:
        store = RunStore(runs)
        return compare_promises(store.find(name), store.find(run))
    err = console(stderr=True)
    runner = StudyRunner(folder=project_folder(), log=lambda t: err.print(t, highlight=False), tags=("leak",))
    return measure_leak(recipe_of(recipe, overrides), runner)


def _show_diagnosis(found: Diagnosis, overlay: Path | None) -> None:
    echo(f"macro F1 {found.score:.3f}   honesty: {found.honesty}")
    if found.bottleneck:
        sure = "" if found.decided else " (its lead is not distinguishable)"
        echo(f"{styled(found.bottleneck, 'bold')} holds the score back{sure}")
    rows = [
        (
            name,
            "–" if o.gain is None else _in_brackets(o.gain),
            "–" if o.shapley is None else f"{o.shapley:.3f}",
            _in_brackets(o.soft_gain),
        )
        for name, o in found.oracle.items()
    ]
    if rows:
        table(
            "what the truth of one attribute is worth",
            ("attribute", "gain", "Shapley", "softer oracle"),
            rows,
        )
    if law := found.product_law:
        echo(f"product law: expected {law.expected:.3f}, observed {law.observed:.3f}; {law.verdict}")
    for b in found.boundaries:
        echo(f"{literal(b.attribute)}: moving its thresholds is worth {_in_brackets(b.gain)}")
    c = found.calibration
    echo(f"calibration error {c.ece:.3f}; {c.ece_scaled:.3f} after a temperature of {c.temperature:.2f}")
    for s in found.slices:
        if s.verdict in ("lower", "higher"):
            echo(f"slice {literal(s.column)} = {literal(s.value)}: {s.verdict} ({s.accuracy:.3f})")
    _show_doubts(found, overlay)
    for r in found.curves:
        echo(f"fold {r.fold}: {r.words}")
    if o := found.optimism:
        echo(f"optimism {o.optimism:+.4f}: expected of this choice {o.corrected:.4f}")
    for note in found.notes:
        echo(f"[yellow]note[/] {literal(note)}")


def _show_doubts(found: Diagnosis, overlay: Path | None) -> None:
    for x in found.consistency:
        echo(f"{x.disagree} of {x.subjects} subjects' photos disagree on {literal(x.attribute)}")
    review = "(--overlay FILE writes them for review)" if overlay is None else f"written: {literal(overlay)}"
    by = ", ".join(dict.fromkeys(s.method for s in found.label_issues))
    echo(f"{len(found.label_issues)} suspected labels{f', found by {by}' if by else ''} {review}")


def _in_brackets(found: IntervalEstimate, digits: int = 3) -> str:
    return interval(found.value, found.low, found.high, digits)


def design(runs: Runs, folder: RunsFolder = None, as_json: Json = False) -> None:
    """Rank designs: one composite head, one multi-head model, single-attribute models, and their mixtures."""
    from hoego.runs.evaluate_runs import rank_designs

    emit(rank_designs(runs_folder(folder), runs), as_json, show_comparison)


def ablate(
    recipe: RecipeFile = None,
    vary: Annotated[
        list[str], typer.Option(metavar="KEY=V,W", help="A setting and its values (repeatable).")
    ] = [],  # noqa: B006
    grid: Annotated[
        bool, typer.Option("--grid/--one-at-a-time", help="Test every combination, or one change at a time.")
    ] = False,
    seeds: Annotated[
        int, typer.Option(help="Seeds a side; three or more allow a claim about the recipe.")
    ] = 3,
    metric: Annotated[str, typer.Option(help="Metric to compare.")] = "macro_f1",
    fold: FoldChoice = "",
    overrides: Overrides = [],  # noqa: B006
    profile: Profile = None,
    why: Why = "",
    queue: Annotated[
        bool | None,
        typer.Option(
            "--queue/--here",
            help="Queue the runs and return, or train here; by default the queue if a worker is active or these runs "
            "wait. Give the same command later for the table.",
        ),
    ] = None,
    beside: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Runs that train at a time; by default up to eight on a GPU if that is faster, else one.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Test changes of a recipe: each against the unchanged recipe, in one table."""
    from hoego.recipe import parse_fold
    from hoego.runs.ablate import AblateRequest
    from hoego.runs.ablate import ablate as run_ablation
    from hoego.runs.project import open_project
    from hoego.runs.required_runs import StudyRunner

    chosen = recipe_of(recipe, overrides, profile)
    err = console(stderr=True)
    folder = project_folder()
    runner = StudyRunner(
        folder=folder,
        fold=parse_fold(fold),
        tags=("ablate",),
        log=lambda t: err.print(t, highlight=False),
        max_parallel=beside,
    )
    request = AblateRequest(vary=tuple(vary), grid=grid, seeds=seeds, metric=metric, why=why, queue=queue)
    emit(run_ablation(chosen, open_project(chosen, folder).dataset, request, runner), as_json, _show_ablation)


def _show_ablation(found: Ablation) -> None:
    if found.pending:
        pending = [(p.run, p.name, p.state, p.reason) for p in found.pending]
        table("not done", ("run", "of", "state", "why"), pending)
    rows = []
    for r in found.rows:
        d = r.difference
        effect = "" if d is None else interval(d.value, d.low, d.high, 4)
        verdict = styled(r.verdict, VERDICT_STYLE.get(r.verdict, ""))
        p = "" if r.p_adjusted is None else f"{r.p_adjusted:.4f}"
        rows.append((r.title, f"{r.value:.4f}", effect, p, verdict, f"{r.cost:.2f}x"))
    if rows:
        head = ("change", found.metric, "effect", "p (Holm)", "verdict", "time")
        table(f"scope: {found.scope}", head, rows)
    for note in found.notes:
        echo(f"[yellow]note[/] {literal(note)}")


def compose(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...", help="Runs from which the attributes that --of does not name are chosen."
        ),
    ] = None,
    of: Annotated[
        list[str],
        typer.Option(
            "--of",
            metavar="ATTRIBUTE=RUN",
            help="ATTRIBUTE=RUN; among several runs for one attribute Hoego chooses the best.",
        ),
    ] = [],  # noqa: B006
    name: Annotated[str, typer.Option(help="Name of the result.")] = "",
    why: Why = "",
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Compose predictions whose attributes come from different runs, chosen across the folds."""
    from hoego.errors import UsageError
    from hoego.runs.evaluate_runs import compose_runs

    parts = []
    for text in of:
        attribute, sign, run = text.partition("=")
        if not sign or not attribute or not run:
            raise UsageError(f"--of takes ATTRIBUTE=RUN, not {text!r}.")
        parts.append((attribute.strip(), run.strip()))
    made = compose_runs(runs_folder(folder), parts, runs or [], name=name, why=why)
    emit(made, as_json, _show_combined)


def ensemble(
    runs: Runs,
    method: Annotated[str, typer.Option(help="mean, geometric, vote, rank, greedy or stack.")] = "mean",
    on: Annotated[str, typer.Option(help="target, or attributes (each separately).")] = "target",
    steps: Annotated[int, typer.Option(help="Additions of the greedy selection.")] = 50,
    decide: Annotated[
        str,
        typer.Option(
            metavar="RULE",
            help="Try a decision rule for macro F1 (prior or thresholds), and keep it only if it helps.",
        ),
    ] = "",
    name: Annotated[str, typer.Option(help="Name of the result.")] = "",
    why: Why = "",
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Combine runs, fitted across the folds, into a record that can predict."""
    from hoego.evaluate.ensemble import EnsembleOptions
    from hoego.runs.evaluate_runs import ensemble_runs

    options = EnsembleOptions(method=method, on=on, steps=steps, name=name, decide=decide)
    emit(ensemble_runs(runs_folder(folder), runs, options, why=why), as_json, _show_combined)


def _show_combined(found: CombinedRun) -> None:
    from hoego.results.ensemble import EnsembleSummary

    made = found.made
    echo(f"[bold]{found.run}[/] {literal(made.name)}")
    if made.score is not None:
        show_score(made.score)
    if isinstance(made, EnsembleSummary):
        rows = [
            (
                m.run,
                f"{m.weight:.3f}",
                "–" if m.score is None else f"{m.score:.4f}",
                "" if m.marginal is None else _in_brackets(m.marginal, 4),
            )
            for m in made.members
        ]
        table("members", ("run", "weight", "macro F1", "marginal gain"), rows)
        if made.decision and len(rows) > 1:
            echo(literal(made.decision.words))
        echo(literal(made.verdict))
    elif made.choices:
        chosen = [(c.attribute, c.chosen, c.stated, " ".join(c.by_part)) for c in made.choices]
        columns = ("attribute", "for new images", "macro F1", "chosen by the other parts for each part")
        table("sources", columns, chosen)
