"""What a tool promises and what it is worth: Hoego, fastai, AutoGluon MultiModal and timm's train.py side by side.

    python benchmarks/against_tools.py --data DIR --minutes M [--tools hoego,probe,fastai,autogluon,timm]
        [--python fastai=PATH/python] [--python autogluon=PATH/python] [--timm-train PATH/train.py] [--out NAME]

DIR holds train.csv (path, a subject column, a label column) and the photos. A fifth of the subjects is kept out of
everything: its photos are what each tool predicts at the end, and only this script knows their labels. Each tool gets
the other photos, the same file of weights and the same minutes, by its own defaults, one after another, each in an
environment of its own: its python with the tool installed (`--python NAME=PATH`; a tool without one is left out).
What a tool promises is the macro F1 of its own validation: Hoego's out-of-fold score, a random part of the photos
elsewhere. What it is worth is the macro F1 on the people kept out, with an interval over them.

`probe` is `hoego probe` (no minutes; it takes what it takes). Hoego's minutes begin after the photos are decoded.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import safetensors.torch
import timm

from hoego.train.weights.start import find_weights
from hoego.train.weights.tensors import overlay_of
from hoego.version import version

HERE = Path(__file__).parent
MODEL = "tf_efficientnet_lite0"
TOOLS = ("hoego", "probe", "fastai", "autogluon", "timm")


@dataclass(frozen=True)
class Job:
    """One comparison.

    Args:
        folder: the photos (a link), train.csv and test.csv, the weights.
        truth: path, subject and label of the photos kept out.
        label, subject: columns.
        minutes: of each tool.
        size: largest side in pixels.
    """

    folder: Path
    truth: pl.DataFrame
    label: str
    subject: str
    minutes: float
    size: int
    pythons: dict[str, str] = field(default_factory=dict)
    timm_train: str = ""


def prepare(given: argparse.Namespace, folder: Path) -> Job:
    """Keep a fifth of the subjects out, and write what every tool gets."""
    table = pl.read_csv(given.data / "train.csv", schema_overrides={given.subject: pl.String})
    subjects = table[given.subject].unique().sort().to_numpy()
    kept_out = np.random.default_rng(given.seed).permutation(subjects)[: len(subjects) // 5]
    out = table[given.subject].is_in(kept_out.tolist())
    for name in {Path(p).parts[0] for p in table["path"]}:
        (folder / name).symlink_to((given.data / name).resolve())
    table.filter(~out).write_csv(folder / "train.csv")
    table.filter(out).select("path").write_csv(folder / "test.csv")
    found = find_weights(MODEL, network=False)
    body = timm.create_model(MODEL, pretrained=True, pretrained_cfg_overlay=overlay_of(found))
    tensors = {k: v.contiguous() for k, v in body.state_dict().items()}
    safetensors.torch.save_file(tensors, folder / f"{MODEL}.safetensors")
    pythons = dict(word.split("=", 1) for word in given.python)
    return Job(
        folder,
        table.filter(out),
        given.label,
        given.subject,
        given.minutes,
        given.size,
        pythons,
        given.timm_train,
    )


def run_tool(job: Job, tool: str) -> dict[str, Any]:
    """Run one of the other tools in its environment; what it wrote of itself."""
    facts = {
        "folder": str(job.folder),
        "label": job.label,
        "model": MODEL,
        "minutes": job.minutes,
        "size": job.size,
    }
    facts |= {"weights": str(job.folder / f"{MODEL}.safetensors"), "timm_train": job.timm_train}
    file = job.folder / f"{tool}.job.json"
    file.write_text(json.dumps(facts))
    quiet = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""}
    script = HERE / "tools" / f"{tool}_run.py"
    with (job.folder / f"{tool}.log").open("w") as log:
        subprocess.run(
            [job.pythons[tool], str(script), str(file)],
            check=True,
            env=quiet,
            stdout=log,
            stderr=log,
            cwd=job.folder,
        )
    made: dict[str, Any] = json.loads((job.folder / f"{tool}.json").read_text())
    return made


def run_hoego(job: Job, tool: str) -> dict[str, Any]:
    """Run `hoego train --minutes` or `hoego probe`, and predict."""

    def hoego(*words: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "hoego", *words, "--json"],
            check=True,
            cwd=job.folder,
            stdout=subprocess.PIPE,
        )
        return json.loads(done.stdout)

    if not (job.folder / "hoego.toml").is_file():
        hoego("init", "train.csv")
    started = time.perf_counter()
    if tool == "probe":
        found = hoego("probe")["probes"][0]
        taken = found["probe"]["seconds"]["total"] - found["probe"]["seconds"]["decode"]
        facts = {"probe": {k: found["probe"][k] for k in ("precision", "threads", "seconds")}}
    else:
        found = hoego("train", "--minutes", str(job.minutes), "--fold", "all")
        taken = time.perf_counter() - started - (found["timing"].get("decode_seconds") or 0.0)
        shown = hoego("show", found["run"])
        facts = {"chosen": shown.get("training", {}).get("chosen"), "notes": found["notes"]}
    e = found["score"]["macro_f1"]
    hoego("predict", found["run"], "--on", "test.csv", "--out", f"{tool}.csv")
    said = pl.read_csv(job.folder / f"{tool}.csv", schema_overrides={job.label: pl.String})
    said.select("path", said=job.label).write_csv(job.folder / f"{tool}.csv")
    return {
        "promised": e["value"],
        "promised_low": e["low"],
        "promised_high": e["high"],
        "seconds": taken,
        "versions": {"hoego": version()},
        **facts,
    }


def worth(job: Job, tool: str, resamples: int = 2000) -> dict[str, float]:
    """Return the macro F1 on the people kept out, with its 95 % interval over them."""
    said = pl.read_csv(job.folder / f"{tool}.csv", schema_overrides={"said": pl.String})
    rows = job.truth.join(said, on="path", how="left", validate="1:1")
    classes = rows[job.label].cast(pl.String).unique().sort().to_list()
    t = np.array([classes.index(c) for c in rows[job.label].cast(pl.String)])
    s = np.array([classes.index(c) for c in rows["said"]])
    _, who = np.unique(rows[job.subject].to_numpy(), return_inverse=True)
    counts = np.zeros((who.max() + 1, len(classes), len(classes)))
    np.add.at(counts, (who, t, s), 1)

    def f1(c: Any) -> float:
        return float(np.mean(2 * np.diagonal(c) / np.maximum(c.sum(0) + c.sum(1), 1e-9)))

    random = np.random.default_rng(0)
    drawn = [f1(counts[random.integers(0, len(counts), len(counts))].sum(0)) for _ in range(resamples)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"worth": f1(counts.sum(0)), "worth_low": float(low), "worth_high": float(high)}


def table_of(rows: dict[str, dict[str, Any]]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| tool | promised | worth on people kept out | gap | minutes |",
        "| --- | --- | --- | --- | --- |",
    ]
    for tool, r in rows.items():
        if "error" in r:
            lines.append(f"| {tool} | failed: {r['error']} | | | |")
            continue
        interval = f" [{r['promised_low']:.3f}, {r['promised_high']:.3f}]" if "promised_low" in r else ""
        promised = "–" if r["promised"] is None else f"{r['promised']:.3f}{interval}"
        gap = "–" if r["promised"] is None else f"{r['promised'] - r['worth']:+.3f}"
        value = f"{r['worth']:.3f} [{r['worth_low']:.3f}, {r['worth_high']:.3f}]"
        lines.append(f"| {tool} | {promised} | {value} | {gap} | {r['seconds'] / 60:.1f} |")
    return "\n".join(lines) + "\n"


def earlier(given: argparse.Namespace, facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the tools of the results that are there; they must come from the same photos, minutes and machine."""
    file = HERE / "results" / f"{given.out}.json"
    if not file.is_file():
        return {}
    found = json.loads(file.read_text())
    other = [name for name, value in facts.items() if found[name] != value]
    if other:
        raise SystemExit(f"{file} was measured with another {', '.join(other)}; give --out another name")
    rows: dict[str, dict[str, Any]] = found["tools"]
    return rows


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--tools", default=",".join(TOOLS))
    parser.add_argument("--python", action="append", default=[], metavar="TOOL=PATH")
    parser.add_argument("--timm-train", default="")
    parser.add_argument("--label", default="finding")
    parser.add_argument("--subject", default="patient")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder to work in, kept afterwards")
    parser.add_argument("--out", default="against_tools", help="name of the results")
    parser.add_argument("--add", action="store_true", help="keep the tools that the results already hold")
    return parser.parse_args()


def main() -> None:
    """Run the tools in turns, and write results/NAME.json and .md."""
    given = arguments()
    given.data = given.data.resolve()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="against-tools-"))
    folder.mkdir(parents=True, exist_ok=True)
    job = prepare(given, folder)
    facts = {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "minutes": given.minutes,
        "model": MODEL,
        "photos": {"given": pl.read_csv(folder / "train.csv").height, "kept_out": job.truth.height},
        "people_kept_out": job.truth[job.subject].n_unique(),
    }
    rows = earlier(given, facts) if given.add else {}
    for tool in given.tools.split(","):
        if tool not in ("hoego", "probe") and tool not in job.pythons:
            continue
        load = os.getloadavg()[0]
        try:
            made = (run_hoego if tool in ("hoego", "probe") else run_tool)(job, tool)
            rows[tool] = {**made, **worth(job, tool), "load_before": load, "load_after": os.getloadavg()[0]}
        except (subprocess.CalledProcessError, OSError, ValueError) as problem:
            rows[tool] = {"error": type(problem).__name__, "load_before": load}
        print(tool, json.dumps(rows[tool])[:400], flush=True)
        written = {"date": datetime.date.today().isoformat(), **facts, "tools": rows}
        (HERE / "results" / f"{given.out}.json").write_text(json.dumps(written, indent=1) + "\n")
        (HERE / "results" / f"{given.out}.md").write_text(table_of(rows))
    if given.keep is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
