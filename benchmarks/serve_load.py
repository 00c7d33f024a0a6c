"""Does a served model keep up with its session, survive any body, and lose no request when it is told to end?

    python benchmarks/serve_load.py DIR PHOTOS [--python PYTHON] [--predictions FILE.parquet] [--fuzz 10000]

DIR is an exported folder, PHOTOS a folder of photos, PYTHON the interpreter of an environment with `hoego[serve]` and
without torch, FILE what `hoego predict` says of PHOTOS (image ids are file names). The service runs as a process of
its own; four clients on the loopback send 250 photos each, and wait for each answer. Then the bare ONNX Runtime
session runs batches of the same sizes as the service did, with the same threads, on pixels that are ready.

On a machine with other work the seconds say little; `cpu_ratio` compares what both use of the cores, which is the
throughput where the cores are what is scarce.

The targets: throughput at least 0.85 of the bare session's; every answer within 1e-5 of `hoego predict`; of any number
of random, cut and changed bodies no status 500 and no more than 100 MB of memory; on SIGTERM under load every request
that was accepted is answered.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "serve_load.json"
CLIENTS, REQUESTS = 4, 250
KINDS = (
    "image/jpeg",
    "application/octet-stream",
    "application/json",
    "multipart/form-data; boundary=x",
    "text/plain",
    "",
)


@dataclass
class Served:
    """A service in a process of its own."""

    process: subprocess.Popen[bytes]
    port: int
    start_seconds: float

    @classmethod
    def start(cls, python: str, folder: Path, *options: str) -> Served:
        begun = time.perf_counter()
        command = [python, "-m", "hoego", "serve", str(folder), "--port", "0", *options]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        assert process.stdout is not None
        port = int(re.search(rb":(\d+)", process.stdout.readline())[1])  # type: ignore[index]
        while ask(port, "GET", "/v2/health/ready")[0] != 200:
            time.sleep(0.01)
        return cls(process, port, time.perf_counter() - begun)

    @property
    def megabytes(self) -> float:
        """Resident memory."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024  # type: ignore[index]

    @property
    def cpu_seconds(self) -> float:
        """Seconds of cores that it has used."""
        told = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """Tell it to end, and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def ask(port: int, method: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, bytes]:
    """One request on a connection of its own: status and body; (0, b"") where nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body or None, {"content-type": kind} if kind else {})
        response = connection.getresponse()
        return response.status, response.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def client(task: tuple[int, list[str], int]) -> list[tuple[str, float, Any]]:
    """Send photos one after the other on one connection: name, seconds and answer of each."""
    port, paths, start = task
    bodies = [Path(p).read_bytes() for p in paths]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    time.sleep(max(0.0, start - time.time()))
    out = []
    for path, body in zip(paths, bodies, strict=True):
        begun = time.perf_counter()
        connection.request("POST", "/predict", body, {"content-type": "image/jpeg"})
        answer = connection.getresponse().read()
        out.append((Path(path).name, time.perf_counter() - begun, answer))
    return out


def load(served: Served, photos: list[Path]) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
    """Let the clients send their photos: how long it took, and what was answered."""
    chosen = [str(photos[k % len(photos)]) for k in range(CLIENTS * REQUESTS)]
    tasks = [(served.port, chosen[k::CLIENTS], int(time.time()) + 3) for k in range(CLIENTS)]
    for path in photos[:20]:
        ask(served.port, "POST", "/predict", path.read_bytes(), "image/jpeg")
    before, cpu = batch_sizes(served.port), served.cpu_seconds
    with get_context("spawn").Pool(CLIENTS) as pool:
        found = [one for part in pool.map(client, tasks) for one in part]
    seconds = np.asarray([s for _, s, _ in found])
    after = batch_sizes(served.port)
    sizes = {k: n - before.get(k, 0) for k, n in after.items() if n > before.get(k, 0)}
    # Each client waits for its answers, so that its seconds are the whole time; the slowest client ends last.
    wall = max(seconds[k * REQUESTS : (k + 1) * REQUESTS].sum() for k in range(CLIENTS))
    return {
        "requests": len(found),
        "photos_per_second": len(found) / float(wall),
        "p50_ms": 1e3 * float(np.quantile(seconds, 0.5)),
        "p95_ms": 1e3 * float(np.quantile(seconds, 0.95)),
        "cpu_ms_per_photo": 1e3 * (served.cpu_seconds - cpu) / len(found),
        "batches": sizes,
        "megabytes": served.megabytes,
    }, [(name, json.loads(answer)) for name, _, answer in found]


def batch_sizes(port: int) -> dict[int, int]:
    """How many batches of each size the service has run."""
    text = ask(port, "GET", "/metrics")[1].decode()
    return {int(k): int(n) for k, n in re.findall(r'hoego_batches_total\{size="(\d+)"\} (\d+)', text)}


def bare(folder: Path, photos: list[Path], sizes: dict[int, int]) -> dict[str, float]:
    """Run batches of the same sizes on the session alone, in a random order."""
    from hoego.exported import open_model

    model = open_model(folder)
    session = model.session()
    names = [o for o in session.outputs if not o.startswith("members.")]
    order = np.random.default_rng(0).permutation([k for k, n in sizes.items() for _ in range(n)])
    pixels = np.stack([model.preprocessing(p.read_bytes()) for p in photos[: max(sizes)]])
    for _ in range(10):
        session.run(pixels, names)
    seconds, cpu = [], time.process_time()
    for k in order.tolist():
        begun = time.perf_counter()
        session.run(np.ascontiguousarray(pixels[:k]), names)
        seconds.append(time.perf_counter() - begun)
    return {
        "photos_per_second": float(order.sum() / np.sum(seconds)),
        "p50_ms": 1e3 * float(np.quantile(seconds, 0.5)),
        "p95_ms": 1e3 * float(np.quantile(seconds, 0.95)),
        "cpu_ms_per_photo": 1e3 * (time.process_time() - cpu) / int(order.sum()),
    }


def differences(answers: list[tuple[str, Any]], file: Path) -> dict[str, Any]:
    """Compare every answer with what `hoego predict` says."""
    from hoego.predictions import Predictions

    said = Predictions.read(file)
    rows = {Path(name).name: k for k, name in enumerate(said.images.tolist())}
    worst, changed = 0.0, 0
    for name, answer in answers:
        for attribute, given in answer["answers"][0]["attributes"].items():
            p = said.probabilities(attribute)[rows[name]]
            worst = max(worst, float(np.abs(p - list(given["probabilities"].values())).max()))
            changed += said.schema.classes(attribute)[int(p.argmax())] != given["label"]
    return {"answers": len(answers), "largest_difference": worst, "other_labels": changed}


def fuzzed(rng: np.random.Generator, photos: list[bytes]) -> tuple[str, bytes, str]:
    """Draw an address, a body and its kind: noise, a photo that is cut or changed, JSON and multipart gone wrong."""
    photo = photos[int(rng.integers(len(photos)))]
    changed = bytearray(photo)
    for at in rng.integers(0, len(changed), int(rng.integers(1, 30))):
        changed[at] = int(rng.integers(256))
    noise = rng.bytes(int(rng.integers(0, 3000)))
    form = (
        b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
        + bytes(changed)
        + b"\r\n--x--\r\n"
    )
    tensor = {
        "name": "photos",
        "datatype": "UINT8",
        "shape": rng.integers(-2, 300, 4).tolist(),
        "data": [1, 2],
    }
    bodies = [
        noise, photo[: int(rng.integers(len(photo)))], bytes(changed), form, form[: int(rng.integers(len(form)))],
        json.dumps([noise.hex()]).encode(), b"[" * int(rng.integers(1, 20000)), b'{"photos": {"a": 1}}',
        json.dumps({"inputs": [tensor]}).encode(), json.dumps({"inputs": [tensor] * 2, "id": 3}).encode(),
        b'{"inputs": [{"name": "photos", "parameters": {"binary_data_size": 9}}]}', b"GIF89a" + noise,
        b"\x89PNG\r\n\x1a\n" + noise,
    ]  # fmt: skip
    path = "/predict" if rng.random() < 0.7 else "MODEL/infer"
    return path, bodies[int(rng.integers(len(bodies)))], KINDS[int(rng.integers(len(KINDS)))]


def fuzz(served: Served, photos: list[Path], n: int) -> dict[str, Any]:
    """Send n fuzzed bodies: how often each status, and how the memory grew after the first tenth."""
    rng = np.random.default_rng(0)
    data = [p.read_bytes() for p in photos[:50]]
    name = json.loads(ask(served.port, "GET", "/openapi.json")[1])["info"]["title"]

    def send(task: tuple[str, bytes, str]) -> int:
        path, body, kind = task
        return ask(served.port, "POST", path.replace("MODEL", f"/v2/models/{name}"), body, kind)[0]

    statuses: dict[int, int] = {}
    first = 0.0
    with ThreadPoolExecutor(4) as pool:
        for start in range(0, n, 500):
            for status in pool.map(send, [fuzzed(rng, data) for _ in range(min(500, n - start))]):
                statuses[status] = statuses.get(status, 0) + 1
            first = first or served.megabytes
    return {
        "bodies": n,
        "statuses": statuses,
        "megabytes_after_500": first,
        "megabytes_at_the_end": served.megabytes,
    }


def ended(served: Served, photos: list[Path]) -> dict[str, int]:
    """Send SIGTERM while 8 clients ask: of the requests that were sent, how many were answered, refused, or lost."""
    counts = {"answered": 0, "not_accepted": 0, "lost": 0}
    told: list[float] = []
    data = [p.read_bytes() for p in photos[:20]]

    def keep_asking(k: int) -> None:
        sent = 0.0
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
            try:
                connection.connect()
            except OSError:
                counts["not_accepted"] += 1
                return
            try:
                while True:
                    sent = time.monotonic()
                    connection.request(
                        "POST", "/predict", data[k % len(data)], {"content-type": "image/jpeg"}
                    )
                    response = connection.getresponse()
                    response.read()
                    assert response.status == 200, response.status
                    counts["answered"] += 1
                    if response.getheader("connection") == "close":
                        break
            except (OSError, http.client.HTTPException):
                # A connection that was made when the service had gone is no accepted request.
                counts["lost" if not told or sent < told[0] else "not_accepted"] += 1
                return
            finally:
                connection.close()

    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(keep_asking, k) for k in range(8)]
        time.sleep(2)
        told.append(time.monotonic())
        served.end()
        for one in waiting:
            one.result()
    return counts


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--python", default="python")
    parser.add_argument("--predictions", type=Path)
    parser.add_argument("--fuzz", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    photos = sorted(p for p in given.photos.iterdir() if p.suffix in (".jpg", ".png"))
    cores = len(os.sched_getaffinity(0))
    out: dict[str, Any] = {"cores": cores, "load_average_at_the_start": os.getloadavg()[0]}
    served = Served.start(given.python, given.folder)
    out["start_seconds"] = served.start_seconds
    rounds = []
    for _ in range(3):
        found, answers = load(served, photos)
        rounds.append({"service": found, "session": bare(given.folder, photos, found["batches"])})
    for one in rounds:
        one["ratio"] = one["service"]["photos_per_second"] / one["session"]["photos_per_second"]
        one["cpu_ratio"] = one["session"]["cpu_ms_per_photo"] / one["service"]["cpu_ms_per_photo"]
    out["load"] = sorted(rounds, key=lambda r: r["ratio"])
    if given.predictions:
        out["answers"] = differences(answers, given.predictions)
    out["fuzz"] = fuzz(served, photos, given.fuzz)
    served.end()
    out["sigterm"] = ended(Served.start(given.python, given.folder), photos)
    given.out.write_text(json.dumps(out, indent=1) + "\n")
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
