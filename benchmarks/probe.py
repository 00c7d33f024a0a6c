"""The time of `hoego probe` against that of its forward passes alone, in the same run.

    python benchmarks/probe.py --data DIR [--threads 2] [--out NAME]

DIR holds train.csv and the photos. The cache is new, so that every photo is decoded and every feature computed. The
forward passes are timed batch by batch inside the run; all else is the building of the network, moving photos, storing
features, the heads of five folds, the audit and the score. Writes results/NAME.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Probe once, and write what each part took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", default="probe")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        quiet = {**os.environ, "HOEGO_CACHE": f"{folder}/cache"}

        def hoego(*words: str) -> Any:
            command = [sys.executable, "-m", "hoego", *words, "--json"]
            done = subprocess.run(command, check=True, cwd=folder, env=quiet, stdout=subprocess.PIPE)
            return json.loads(done.stdout)

        hoego("init", str(given.data.resolve() / "train.csv"))
        before = os.getloadavg()
        [found] = hoego("probe", "--set", f"threads={given.threads}")["probes"]
        [again] = hoego("probe", "--set", f"threads={given.threads}")["probes"]
    facts = found["probe"]
    seconds = facts["seconds"]
    forward, whole = seconds["forward"], seconds["total"]
    result = {
        "date": datetime.date.today().isoformat(),
        "cores": os.cpu_count(),
        "load_before": before,
        "load_after": os.getloadavg(),
        "photos": facts["extracted"],
        **{k: facts[k] for k in ("model", "n_features", "flips", "precision", "threads")},
        "seconds": seconds,
        "ratio_after_decoding": round((whole - seconds["decode"]) / forward, 4),
        "ratio": round(whole / forward, 4),
        "seconds_of_a_second_probe": again["probe"]["seconds"]["total"],
        "macro_f1": found["score"]["macro_f1"],
    }
    text = json.dumps(result, indent=1)
    (RESULTS / f"{given.out}.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
