"""The model card of an exported folder: what a model predicts, how well, on whose photos it was trained.

Its sections are made once and written twice: as Markdown with the front matter of Hugging Face's hub, and as HTML.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from hoego.data.photo_pixels import Preprocessing
from hoego.data.schema import LabelSchema
from hoego.draw import page
from hoego.results.export import TOLERANCE, ModelManifest
from hoego.results.score import ClassScore, LabelSpaceScore, MetricEstimate
from hoego.results.words import honesty_of, interval

SMALL_CLASS = 10
"""Subjects below which a class is named among the limits."""


@dataclass(frozen=True)
class CardTable:
    """A table: the names of its columns, and its rows of text."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class CardSection:
    """A part of the card: its title, sentences, a table, and Python code."""

    title: str
    lines: tuple[str, ...]
    table: CardTable | None = None
    code: str = ""


def markdown(manifest: ModelManifest, preprocessing: Preprocessing) -> str:
    """Return the card as Markdown, with front matter."""
    out = ["---", *_front_matter(manifest), "---", "", f"# {manifest.name}", ""]
    for part in sections(manifest, preprocessing):
        out += [f"## {part.title}", ""]
        out += [text for line in part.lines for text in (_marked(line), "")]
        if part.table is not None:
            head = part.table.header
            out += [_row(head), _row(["---"] * len(head)), *map(_row, part.table.rows), ""]
        if part.code:
            out += ["```python", part.code, "```", ""]
    return "\n".join(out)


def html(manifest: ModelManifest, preprocessing: Preprocessing, *, above: str = "", head: str = "") -> str:
    """Return the card as a page.

    Args:
        manifest: of the folder.
        preprocessing: of the folder.
        above: HTML between the title and the first section, safe already.
        head: further HTML of the head, safe already.
    """
    badge, _ = honesty_of(str(manifest.score.honesty))
    out = [
        f"<h1>{escape(manifest.name)}</h1>",
        f'<p><span class="badge {badge}">{escape(str(manifest.score.honesty) or "honesty not known")}</span></p>',
        above,
    ]
    for part in sections(manifest, preprocessing):
        out.append(f"<h2>{escape(part.title)}</h2>")
        out += [f"<p>{escape(line)}</p>" for line in part.lines]
        if part.table is not None:
            cells = "".join(f"<th>{escape(h)}</th>" for h in part.table.header)
            rows = (
                "<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in part.table.rows
            )
            out.append(f'<div class="scroll"><table><tr>{cells}</tr>{"".join(rows)}</table></div>')
        if part.code:
            out.append(f"<pre>{escape(part.code)}</pre>")
    return page(manifest.name, "\n".join(out), head=head)


def sections(manifest: ModelManifest, preprocessing: Preprocessing) -> list[CardSection]:
    """Return the parts of the card, in order."""
    m = manifest
    found = [
        _predicts(m),
        _score(m),
        _classes(m),
        _slices(m),
        _calibration(m),
        _trained_on(m),
        _preprocessing(m, preprocessing),
        CardSection("Parity", (m.parity.sentence, *(f"Note: {n}." for n in m.parity.notes))),
        _quantized(m),
        CardSection("Limits", tuple(_limits(m))),
        _use(m),
        CardSection(
            "Identity", (f"Run {m.run}, exported {m.created} by Hoego {m.hoego}. Digest: sha256 {m.digest}.",)
        ),
    ]
    return [part for part in found if part is not None]


def score_line(manifest: ModelManifest) -> str:
    """Return the score in one sentence, with its interval, its size and its honesty."""
    s = manifest.score
    marks = "".join(f", {mark}" for mark in s.marks)
    whose = (
        "" if manifest.score_of == "file" else " The score is that of the recipe's models, each on others."
    )
    return (
        f"Macro F1 of {s.target.name}: {interval(s.primary)} on {s.n_images:,} held-out photos of "
        f"{s.n_subjects:,} subjects ({s.honesty or 'honesty not known'}{marks}).{whose}"
    )


def _predicts(m: ModelManifest) -> CardSection:
    schema = LabelSchema.of(m.labels)
    rows = []
    for name in m.outputs:
        classes = [str(c) for c in schema.classes(name)]
        shown = ", ".join(classes[:60]) + (f" and {len(classes) - 60} more" if len(classes) > 60 else "")
        rows.append((name, str(len(classes)), shown))
    height, width = m.size
    what = {"refit": "one network, trained on all subjects"}.get(
        m.weights, f"the network of fold {m.weights}"
    )
    several = f"the mean of {len(m.folds)} networks, one for each fold" if len(m.folds) > 1 else what
    return CardSection(
        "What it predicts",
        (f"From a photo ({height} x {width} pixels after preprocessing) by {m.backbone}: {several}.",),
        CardTable(("attribute", "classes", "names"), tuple(rows)),
    )


def _score(m: ModelManifest) -> CardSection:
    s = m.score
    _, meaning = honesty_of(str(s.honesty))
    lines = [score_line(m), meaning]
    if not s.rankable:
        lines.insert(0, f"This score is marked: {s.honesty or 'its honesty is not known'}.")
    lines += ["independence not shown: one photo a subject, or no column that names subjects."] * (
        "independence not shown" in s.marks
    )
    lines += [] if s.optimism is None else [f"{s.optimism}."]
    spaces = {s.target.name: s.target, **s.attributes}
    rows = tuple((k, _of(v, "macro_f1"), _of(v, "accuracy"), f"{v.n_images:,}") for k, v in spaces.items())
    return CardSection(
        "Score", tuple(filter(None, lines)), CardTable(("attribute", "macro F1", "accuracy", "photos"), rows)
    )


def _classes(m: ModelManifest) -> CardSection:
    names = ("f1", "sensitivity", "precision")
    rows = tuple(
        (c.name, f"{c.images:,}", f"{c.subjects:,}", *(_of(c, n) for n in names))
        for c in m.score.target.classes
    )
    return CardSection(
        f"By class of {m.target}",
        (f"On the held-out photos; honesty: {m.score.honesty}.",),
        CardTable(("class", "photos", "subjects", *names), rows),
    )


def _slices(m: ModelManifest) -> CardSection | None:
    if not m.slices:
        return None
    rows = tuple(
        (
            f"{s.column} = {s.value}",
            f"{s.images:,}",
            f"{s.subjects:,}",
            "" if s.accuracy is None else f"{s.accuracy:.3f}",
            interval(s.difference) if s.difference is not None else "cannot say",
            s.verdict,
        )
        for s in m.slices
    )
    header = ("slice", "photos", "subjects", "accuracy", "against the rest", "verdict")
    return CardSection(
        "By slice",
        (f"Accuracy of {m.target} inside a slice less outside, corrected for their number (Holm).",),
        CardTable(header, rows),
    )


def _calibration(m: ModelManifest) -> CardSection | None:
    c = m.calibration
    if c is None:
        return None
    used = m.temperatures.get(m.target, 1.0)
    return CardSection(
        "Calibration",
        (
            f"Expected calibration error of {m.target}: {c.ece:.3f}, and {c.ece_scaled:.3f} with a temperature fitted "
            f"on other subjects. The outputs calibrated.* are divided by a temperature ({m.target}: {used:.3g}).",
        ),
    )


def _trained_on(m: ModelManifest) -> CardSection:
    lines = [f"{m.n_train:,} photos of {m.n_train_subjects:,} subjects, in {m.precision}."]
    lines += [f"Started from weights of others: {e}" for e in m.external] or ["Started from random weights."]
    lines.append(f"Licence: {m.license}." if m.license else "Licence: not stated by its owner.")
    return CardSection("Trained on", tuple(lines))


def _preprocessing(m: ModelManifest, p: Preprocessing) -> CardSection:
    pins = ", ".join(f"{k} {v}" for k, v in m.software.items())
    return CardSection(
        "Preprocessing",
        (
            f"{p.fit} to {p.size[0]} x {p.size[1]}, {p.interpolation}, box {p.box or 'none'}; fingerprint "
            f"{m.preprocessing}. Use preprocessing.py of this folder: another decoder or resize gives other pixels.",
            f"Scored with {pins}.",
        ),
    )


def _quantized(m: ModelManifest) -> CardSection | None:
    q = m.quantized
    if q is None:
        return None
    lines = (
        f"{q.kind} int8, {q.outcome}: {q.sentence}",
        f"Macro F1 {q.float_score:.4f} in float32, {q.int8_score:.4f} in int8; {q.float_bytes / 1e6:.2f} MB to "
        f"{q.int8_bytes / 1e6:.2f} MB; {1e3 * q.float_seconds:.1f} ms to {1e3 * q.int8_seconds:.1f} ms for 32 photos.",
        f"A photo's answer depends on its batch: it differs by up to {q.alone:.2g}."
        if q.alone > TOLERANCE
        else "",
        f"Ranges were set on {q.calibrated_on:,} subjects of the training side." if q.calibrated_on else "",
    )
    rows = tuple((k, f"{a:.3f}", f"{b:.3f}") for k, (a, b) in q.slices.items())
    table = CardTable(("slice", "float32", "int8"), rows) if rows else None
    return CardSection("What int8 costs", tuple(filter(None, lines)), table)


def _limits(m: ModelManifest) -> Iterator[str]:
    yield (
        "It answers for every photo, also for one that shows none of its classes, and it has been measured only on "
        "photos like those of its data set."
    )
    rare = [c.name for c in m.score.target.classes if c.subjects < SMALL_CLASS]
    if rare:
        yield f"Fewer than {SMALL_CLASS} held-out subjects show {', '.join(rare)}: little is known of them."
    schema = LabelSchema.of(m.labels)
    absent = set(schema.classes(m.target)) - {c.name for c in m.score.target.classes}
    if absent:
        yield f"No held-out photo shows {', '.join(sorted(absent))}: nothing is known of them."
    worse = [f"{s.column} = {s.value}" for s in m.slices if s.verdict == "lower"]
    if worse:
        yield f"It is worse on {', '.join(worse)}."
    yield from m.notes


def _use(m: ModelManifest) -> CardSection:
    code = (
        "import numpy as np, onnxruntime\n"
        "from preprocessing import Preprocessing\n\n"
        'prepare = Preprocessing.read("preprocessing.json")\n'
        'session = onnxruntime.InferenceSession("model.onnx")\n'
        'pixels = prepare(open("photo.jpg", "rb").read())[None]\n'
        f'probabilities = session.run(["{m.target}"], {{"photos": pixels}})[0]'
    )
    return CardSection(
        "Use", ("Without Hoego, in this folder; or: hoego serve DIR, hoego check DIR --on TABLE.",), code=code
    )


def _front_matter(m: ModelManifest) -> list[str]:
    timm = any(name.startswith("timm/") for name in m.files)
    tags = ["image-classification", "hoego", *(["onnx"] if "model.onnx" in m.files else [])]
    out = [
        *([f"license: {json.dumps(m.license)}"] if m.license else []),
        *(["library_name: timm"] if timm else []),
        "pipeline_tag: image-classification",
        "tags:",
        *(f"- {t}" for t in tags),
    ]
    e = m.score.primary
    if m.score.rankable and e.value is not None:
        # A score that is not honest is in the text, with its mark; a hub's table would show the number alone.
        name = f"macro F1 ({m.score.honesty}, {m.score.n_subjects} subjects)"
        out += [
            "model-index:",
            f"- name: {json.dumps(m.name)}",
            "  results:",
            "  - task: {type: image-classification}",
            "    dataset: {name: held-out subjects, type: private}",
            "    metrics:",
            f"    - {{type: f1, name: {json.dumps(name)}, value: {e.value:.4f}}}",
        ]
    return out


def _of(found: LabelSpaceScore | ClassScore, metric: str) -> str:
    metrics: Mapping[str, MetricEstimate] = found.metrics
    return interval(metrics.get(metric))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_marked(c).replace("|", "\\|") for c in cells) + " |"


def _marked(text: str) -> str:
    """Keep names that hold Markdown or HTML as text."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("<", "&lt;").replace("*", "\\*")
