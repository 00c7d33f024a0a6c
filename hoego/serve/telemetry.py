"""Numbers for Prometheus: requests, photos, seconds, batches, and how far the histograms have moved."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping

from hoego.serve.batching import BatchQueue
from hoego.serve.drift import Drift

EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the bins of seconds."""
TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Telemetry:
    """Counts since the start; nothing of a photo but what `Drift` counts."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.photos: Counter[str] = Counter()
        self.seconds = [0] * (len(EDGES) + 1)
        self.total_seconds = 0.0

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request of a route."""
        self.requests[route, status] += 1
        self.seconds[bisect_left(EDGES, seconds)] += 1
        self.total_seconds += seconds

    def photo(self, seen: bool | None, abstain: bool) -> None:
        """Count an answered photo."""
        self.photos["answered" if not abstain else "abstained"] += 1
        self.photos["seen"] += bool(seen)

    def text(self, queue: BatchQueue, drift: Drift, digest: str) -> str:
        """Return all numbers in Prometheus' text format."""
        return "\n".join([*self._lines(queue, drift, digest), ""])

    def _lines(self, queue: BatchQueue, drift: Drift, digest: str) -> Iterator[str]:
        yield from _family("hoego_model_info", "gauge", "the model that answers", {f'digest="{digest}"': 1})
        requests = {f'route="{r}",status="{s}"': n for (r, s), n in sorted(self.requests.items())}
        yield from _family("hoego_requests_total", "counter", "answered requests", requests)
        for name, what in (("answered", "photos with an answer"), ("abstained", "photos whose answer is withheld"),
                           ("seen", "photos that were in training")):  # fmt: skip
            yield from _family(f"hoego_photos_{name}_total", "counter", what, {"": self.photos[name]})
        yield from _family(
            "hoego_photos_waiting", "gauge", "photos that wait or are decoded", {"": queue.reserved}
        )
        batches = {f'size="{k}"': n for k, n in sorted(queue.sizes.items())}
        yield from _family("hoego_batches_total", "counter", "batches by their number of photos", batches)
        yield from self._histogram()
        shares = {
            f'quantity="{r.quantity}",bin="{_escaped(b.name)}",of="{of}"': value
            for r in drift.reports()
            for b in r.bins
            for of, value in (("today", b.today), ("held-out", b.held_out))
        }
        yield from _family("hoego_share", "gauge", "shares of photos, today and held-out", shares)
        moved = {f'quantity="{r.quantity}"': int(r.verdict == "moved") for r in drift.reports()}
        yield from _family("hoego_moved", "gauge", "1 where a histogram has moved", moved)

    def _histogram(self) -> Iterator[str]:
        name, total = "hoego_request_seconds", 0
        yield f"# HELP {name} seconds until a request was answered"
        yield f"# TYPE {name} histogram"
        for edge, n in zip((*map(str, EDGES), "+Inf"), self.seconds, strict=True):
            total += n
            yield f'{name}_bucket{{le="{edge}"}} {total}'
        yield f"{name}_sum {self.total_seconds:.6f}"
        yield f"{name}_count {total}"


def _family(name: str, kind: str, what: str, values: Mapping[str, float]) -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} {kind}"
    for labels, value in values.items():
        yield f"{name}{{{labels}}} {value:.9g}" if labels else f"{name} {value:.9g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
