"""A served model answers as `hoego predict` does, refuses the rest in one sentence, and forgets every photo."""

from __future__ import annotations

import asyncio
import base64
import http.client
import io
import json
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

for needed in ("torch", "onnx", "onnxruntime", "starlette", "python_multipart"):
    pytest.importorskip(needed)
pytestmark = pytest.mark.torch

from export_project import FOLDS, photo_project, trained  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402

from hoego.errors import NotEstimableError, ParityError, UsageError  # noqa: E402
from hoego.predictions import Predictions  # noqa: E402
from hoego.runs.exporting import ExportRequest, export  # noqa: E402
from hoego.runs.predict import predict_run  # noqa: E402
from hoego.serve.app import make_app  # noqa: E402
from hoego.serve.batching import BatchQueue  # noqa: E402
from hoego.serve.model import load_served  # noqa: E402
from hoego.serve.options import RequestProblem, ServeOptions, read_token  # noqa: E402
from hoego.serve.service import Service  # noqa: E402

WITHOUT_TORCH = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "timm", "torchvision", "onnx"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
sys.argv = ["hoego", "serve", sys.argv[1], "--port", "0", "--json"]
from hoego.cli.main import main
main()
"""
RAW = {"content-type": "application/octet-stream"}
ATTRIBUTES = ("colour", "age", "composite")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with photos/, the records of runs/, and exports: folds/ (five folds), one/ (a holdout)."""
    with photo_project(tmp_path_factory.mktemp("serving")) as root:
        for name, changes in {"folds": FOLDS, "one": {}}.items():
            export(
                trained(root, **changes), ExportRequest(to=root / name, formats=("onnx",), name="tiny model")
            )
        yield root


@pytest.fixture(scope="module")
def said(project: Path) -> Predictions:
    """What `hoego predict` says of the photos, by the five folds."""
    return predict_run(trained(project, **FOLDS), project / "photos" / "train.csv")


def serving(folder: Path, **options: Any) -> TestClient:
    """A client of a served folder; it runs inside `with`."""
    asked = ServeOptions(folder=folder, **options)
    return TestClient(make_app(Service(load_served(asked), asked)))


@pytest.fixture(scope="module")
def client(project: Path) -> Iterator[TestClient]:
    with serving(project / "folds") as client:
        yield client


def photo(project: Path, name: str) -> bytes:
    return (project / "photos" / name).read_bytes()


def same(answer: dict[str, Any], said: Predictions, row: int) -> None:
    """Hold that an answer is what `hoego predict` says."""
    for name in ATTRIBUTES:
        given, p = answer["attributes"][name], said.probabilities(name)[row]
        np.testing.assert_allclose(list(given["probabilities"].values()), p, atol=1e-5)
        assert given["label"] == said.schema.classes(name)[int(p.argmax())]


# --- answers ---


def test_every_way_to_send_photos_gives_what_predict_says(
    project: Path, client: TestClient, said: Predictions
) -> None:
    names = said.images.tolist()[:6]
    photos = [photo(project, n) for n in names]
    for k, data in enumerate(photos):
        answer = client.post("/predict", content=data, headers=RAW).json()["answers"]
        assert len(answer) == 1
        same(answer[0], said, k)
    form = client.post("/predict", files=[("photos", (n, d)) for n, d in zip(names, photos, strict=True)])
    listed = client.post("/predict", json=[base64.b64encode(d).decode() for d in photos])
    named = client.post("/predict", json={"photos": [base64.b64encode(d).decode() for d in photos]})
    for response in (form, listed, named):
        assert response.status_code == 200, response.text
        for k, answer in enumerate(response.json()["answers"]):
            same(answer, said, k)
    assert [a["photo"] for a in form.json()["answers"]] == names


def test_an_answer_has_calibrated_probabilities_sets_and_the_digest(
    project: Path, client: TestClient
) -> None:
    response = client.post("/predict", content=photo(project, "p0000.png"), headers=RAW).json()
    model = load_served(ServeOptions(folder=project / "folds"))
    manifest = model.exported.manifest
    assert (response["model"], response["digest"]) == ("tiny-model", manifest.digest)
    answer = response["answers"][0]
    assert "abstain" not in answer
    for name in ATTRIBUTES:
        given = answer["attributes"][name]
        p = np.asarray(list(given["probabilities"].values()))
        q = p ** (1 / manifest.temperatures[name])
        assert given["probability"] == pytest.approx(float(q.max() / q.sum()), abs=1e-4)
        least = model.sets[name].least
        want = [c for c, x in given["probabilities"].items() if x >= least or c == given["label"]]
        assert given["set"] == want


def test_a_photo_that_was_in_training_is_named_by_its_bytes(project: Path) -> None:
    model = load_served(ServeOptions(folder=project / "one"))
    held = {int(c) for c in model.reference.content}
    from hoego.data.images import content_of

    with serving(project / "one") as client:
        for path in sorted((project / "photos").glob("p*"))[::7]:
            data = path.read_bytes()
            answer = client.post("/predict", content=data, headers=RAW).json()["answers"][0]
            assert answer["seen"] is (content_of(data) not in held)


def test_unusual_photos_are_treated_as_in_training(project: Path, client: TestClient) -> None:
    image = Image.open(project / "photos" / "p0002.png").convert("RGB")
    plain = client.post("/predict", content=saved(image, "PNG"), headers=RAW).json()["answers"][0]
    exif = Image.Exif()
    exif[0x0112] = 3
    turned = saved(image.transpose(Image.Transpose.ROTATE_180), "PNG", exif=exif)
    assert (
        client.post("/predict", content=turned, headers=RAW).json()["answers"][0]["attributes"]
        == plain["attributes"]
    )
    prepare = load_served(ServeOptions(folder=project / "folds")).exported.preprocessing
    for data in (
        saved(image.convert("CMYK"), "JPEG"),
        saved(image.convert("L"), "PNG"),
        saved(image, "WEBP"),
    ):
        tensor = {"name": "photos", "datatype": "UINT8", "shape": [1, 32, 32, 3]}
        body = {"inputs": [{**tensor, "data": prepare(data).ravel().tolist()}]}
        outputs = client.post("/v2/models/tiny-model/infer", json=body).json()["outputs"]
        answer = client.post("/predict", content=data, headers=RAW).json()["answers"][0]
        for output in outputs:
            if output["name"] in ATTRIBUTES:
                given = answer["attributes"][output["name"]]["probabilities"]
                np.testing.assert_allclose(list(given.values()), output["data"], atol=1e-6)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


# --- refusals ---


def animated() -> bytes:
    frames = [Image.new("RGB", (20, 20), c) for c in ("red", "blue")]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:])


def test_what_cannot_be_used_is_refused_in_one_sentence(project: Path, client: TestClient) -> None:
    jpeg = photo(project, "p0001.jpg")
    bomb = saved(Image.new("1", (9000, 9000)), "PNG")
    cases: list[tuple[int, str, bytes, str]] = [
        (400, "ends early", b"", "multipart/form-data; boundary=x"),
        (400, "no photo", b"--x--\r\n", "multipart/form-data; boundary=x"),
        (400, "empty", b"", "image/jpeg"),
        (400, "no boundary", b"x", "multipart/form-data"),
        (400, "is not JSON", b"[1", "application/json"),
        (400, "is not JSON", b"[" * 100_000, "application/json"),
        (400, "list of base64", b"3", "application/json"),
        (400, "not a base64", b'["\xc3\xa9"]', "application/json"),
        (400, "not a base64", b"[3]", "application/json"),
        (400, "no photo", b"[]", "application/json"),
        (413, "81,000,000", bomb, "image/png"),
        (413, "may hold 64 photos", json.dumps(["eA=="] * 65).encode(), "application/json"),
        (415, "is not read", jpeg, "text/plain"),
        (415, "known format", b"no photo at all", "image/jpeg"),
        (422, "ends early", jpeg[: len(jpeg) // 2], "image/jpeg"),
        (422, "animated", animated(), "image/gif"),
    ]  # fmt: skip
    for status, words, body, kind in cases:
        response = client.post("/predict", content=body, headers={"content-type": kind})
        assert (response.status_code, words in response.text) == (status, True), (response.text, kind)
        assert list(response.json()) == ["error"]
        assert response.json()["error"].count(". ") <= 1
    assert client.get("/nowhere").status_code == 404
    assert client.get("/predict").status_code == 405
    assert client.get("/predict").json()["error"].startswith("GET is not answered")


def test_a_body_that_is_too_large_is_not_read(project: Path) -> None:
    with serving(project / "folds", megabytes=0.01) as client:
        response = client.post("/predict", content=b"x" * 20_000, headers=RAW)
        assert (response.status_code, response.json()["error"]) == (413, "A request may hold 0.01 MB.")
        chunks = client.post("/predict", content=(b"x" * 999 for _ in range(20)), headers=RAW)
        assert chunks.status_code == 413


def test_a_token_is_asked_for_everywhere_but_at_health_and_card(project: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a" * 32 + "\n")
    with serving(project / "folds", token=read_token(tmp_path / "token")) as client:
        body = photo(project, "p0000.png")
        for headers in (RAW, {**RAW, "authorization": "Bearer " + "b" * 32}, {**RAW, "authorization": "é"}):
            response = client.post(
                "/predict", content=body, headers={k: v.encode("latin-1") for k, v in headers.items()}
            )
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
        right = {**RAW, "authorization": "Bearer " + "a" * 32}
        assert client.post("/predict", content=body, headers=right).status_code == 200
        assert client.get("/metrics").status_code == client.get("/drift").status_code == 401
        assert all(client.get(p).status_code == 200 for p in ("/", "/v2/health/live", "/v2/health/ready"))
    (tmp_path / "short").write_text("abc")
    with pytest.raises(UsageError, match="at least 16"):
        read_token(tmp_path / "short")


def test_a_full_queue_says_when_to_come_again(project: Path) -> None:
    with serving(project / "folds", waiting=4) as client:
        body = json.dumps([base64.b64encode(photo(project, "p0000.png")).decode()] * 5)
        response = client.post("/predict", content=body, headers={"content-type": "application/json"})
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        body = photo(project, "p0000.png")
        assert client.post("/predict", content=body, headers=RAW).status_code == 200


def test_bodies_that_would_fill_the_memory_wait_outside(project: Path) -> None:
    options = ServeOptions(folder=project / "folds")
    service = Service(load_served(options), options)
    body = photo(project, "p0000.png")
    with TestClient(make_app(service)) as client:
        assert client.post("/predict", content=body, headers=RAW).status_code == 200
        assert service.held.now == 0
        service.held.now = service.held.most - len(body) + 1
        response = client.post("/predict", content=body, headers=RAW)
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        service.held.now -= 1
        assert client.post("/predict", content=body, headers=RAW).status_code == 200
        assert service.held.now == service.held.most - len(body)


def test_a_request_that_takes_too_long_is_given_up(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ServeOptions(folder=project / "folds", seconds=0.05)
    service = Service(load_served(options), options)
    monkeypatch.setattr(type(service.model), "run", lambda self, pixels: time.sleep(0.3) or {})
    with TestClient(make_app(service)) as client:
        response = client.post("/predict", content=photo(project, "p0000.png"), headers=RAW)
        assert (response.status_code, response.json()["error"]) == (
            504,
            "There was no answer within 0.05 seconds.",
        )
        assert service.queue.reserved == 0


def test_an_error_of_the_service_itself_is_told_and_the_queue_goes_on(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ServeOptions(folder=project / "folds")
    service = Service(load_served(options), options)
    with TestClient(make_app(service)) as client, monkeypatch.context() as patch:
        patch.setattr(service.queue, "run", lambda pixels: 1 / 0)
        response = client.post("/predict", content=photo(project, "p0000.png"), headers=RAW)
        assert response.json() == {"error": "The service itself failed; its log says how."}
        assert response.status_code == 500
        patch.undo()
        assert client.post("/predict", content=photo(project, "p0000.png"), headers=RAW).status_code == 200


# --- the queue ---


def test_a_batch_is_what_came_while_the_last_one_ran() -> None:
    sizes: list[int] = []

    def run(pixels: Any) -> dict[str, Any]:
        sizes.append(len(pixels))
        time.sleep(0.05)
        return {"sum": pixels.reshape(len(pixels), -1).sum(axis=1, dtype=np.float32)[:, None]}

    async def play() -> list[float]:
        queue = BatchQueue(run, 4, 100)
        queue.start()
        photos = [np.full((2, 2, 3), k, np.uint8) for k in range(10)]
        first = asyncio.create_task(queue.outputs(photos[:1]))
        await asyncio.sleep(0.02)
        rest = [asyncio.create_task(queue.outputs([p])) for p in photos[1:]]
        found = [*await first, *(r for part in await asyncio.gather(*rest) for r in part)]
        await queue.stop()
        return [float(f["sum"][0]) for f in found]

    assert asyncio.run(play()) == [12.0 * k for k in range(10)]
    assert sizes == [1, 4, 4, 1]


def test_the_queue_is_bounded_and_places_come_back() -> None:
    queue = BatchQueue.__new__(BatchQueue)
    queue.reserved, queue.most_waiting = 0, 4
    queue.reserve(3)
    with pytest.raises(RequestProblem) as caught:
        queue.reserve(2)
    assert caught.value.status == 503
    queue.release(3)
    queue.reserve(4)


# --- the Open Inference Protocol ---


def test_the_protocol_describes_the_model(client: TestClient) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    told = client.get("/v2/models/tiny-model").json()
    assert told["inputs"] == [{"name": "photos", "datatype": "UINT8", "shape": [-1, 32, 32, 3]}]
    shapes = {o["name"]: o["shape"] for o in told["outputs"]}
    assert shapes == {
        "colour": [-1, 3],
        "age": [-1, 3],
        "composite": [-1, 9],
        "calibrated.colour": [-1, 3],
        "calibrated.age": [-1, 3],
        "calibrated.composite": [-1, 9],
    }
    assert client.get("/v2/models/tiny-model/ready").status_code == 200
    assert client.get("/v2/models/other").status_code == 404
    assert client.get("/v2/models/tiny-model/versions/2").status_code == 404


def test_tensors_as_lists_as_bytes_and_as_files_give_the_same(
    project: Path, client: TestClient, said: Predictions
) -> None:
    prepare = load_served(ServeOptions(folder=project / "folds")).exported.preprocessing
    files = [photo(project, n) for n in said.images.tolist()[:3]]
    pixels = np.stack([prepare(f) for f in files])
    tensor: dict[str, Any] = {"name": "photos", "datatype": "UINT8", "shape": list(pixels.shape)}
    wanted = [{"name": "age"}, {"name": "composite"}]
    plain = {"id": "7", "inputs": [{**tensor, "data": pixels.tolist()}], "outputs": wanted}
    listed = client.post("/v2/models/tiny-model/infer", json=plain).json()
    assert (listed["id"], [o["name"] for o in listed["outputs"]]) == ("7", ["age", "composite"])
    for output in listed["outputs"]:
        found = np.reshape(output["data"], output["shape"])
        np.testing.assert_allclose(found, said.probabilities(output["name"])[:3], atol=1e-5)
    packed = b"".join(len(f).to_bytes(4, "little") + f for f in files)
    as_files = {"name": "files", "datatype": "BYTES", "shape": [3]}
    for described, data in ((tensor, pixels.tobytes()), (as_files, packed)):
        head = json.dumps(
            {
                "inputs": [{**described, "parameters": {"binary_data_size": len(data)}}],
                "outputs": [{"name": "age", "parameters": {"binary_data": True}}],
            }
        ).encode()
        headers = {"inference-header-content-length": str(len(head))}
        response = client.post("/v2/models/tiny-model/infer", content=head + data, headers=headers)
        cut = int(response.headers["inference-header-content-length"])
        told = json.loads(response.content[:cut])["outputs"][0]
        assert told["parameters"]["binary_data_size"] == len(response.content) - cut
        found = np.frombuffer(response.content[cut:], np.float32).reshape(told["shape"])
        np.testing.assert_allclose(found, np.reshape(listed["outputs"][0]["data"], (3, 3)), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "pixels"}, "no such input"),
        ({"datatype": "FP32"}, "must be UINT8"),
        ({"shape": [1, 31, 32, 3]}, "[n, 32, 32, 3]"),
        ({"shape": [-1, 32, 32, 3]}, "[n, 32, 32, 3]"),
        ({"shape": [0, 32, 32, 3], "data": []}, "no photo"),
        ({"data": [0] * 3071}, "3,072 whole numbers"),
        ({"data": [256] * 3072}, "from 0 to 255"),
        ({"data": [0.5] * 3072}, "whole numbers"),
        ({"data": [[1], [1, 2]]}, "whole numbers"),
        ({"data": "text"}, "whole numbers"),
        ({"parameters": {"binary_data_size": 3}}, "bytes behind the JSON"),
    ],
)
def test_wrong_tensors_are_refused(client: TestClient, change: dict[str, Any], words: str) -> None:
    tensor = {"name": "photos", "datatype": "UINT8", "shape": [1, 32, 32, 3], "data": [0] * 3072, **change}
    response = client.post("/v2/models/tiny-model/infer", json={"inputs": [tensor]})
    assert response.status_code == 400, response.text
    assert words in response.json()["error"]


# --- promises, drift, pages ---


def test_a_promise_that_few_people_cannot_support_stops_the_start(project: Path) -> None:
    with pytest.raises(NotEstimableError, match="24 people cannot support"):
        load_served(ServeOptions(folder=project / "folds", abstain=0.02))
    model = load_served(ServeOptions(folder=project / "folds", error=0.01))
    assert model.sets == {}
    assert "99 held-out people" in model.notes[0]


def test_answers_are_withheld_below_the_rule(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hoego.results.promise import AbstentionRule
    from hoego.serve import model as module

    rule = AbstentionRule(
        attribute="composite", error=0.2, above=0.5, confidence=0.95, n_subjects=24, answered_subjects=20,
        answered_photos=0.8, observed=0.1,
    )  # fmt: skip
    monkeypatch.setattr(module, "abstention_rule", lambda *_: rule)
    with serving(project / "folds", abstain=0.2) as client:
        for path in sorted((project / "photos").glob("p*"))[:20]:
            answer = client.post("/predict", content=path.read_bytes(), headers=RAW).json()["answers"][0]
            p = max(answer["attributes"]["composite"]["probabilities"].values())
            assert answer["abstain"] is (p <= 0.5)
        assert "wrong on at most 20.0% of the people answered" in client.get("/").text


def test_a_naive_run_promises_nothing(project: Path, tmp_path: Path) -> None:
    record = trained(project, split={"kind": "naive", "ratio": 0.5}, epochs=1)
    export(record, ExportRequest(to=tmp_path / "out", formats=("onnx",)))
    model = load_served(ServeOptions(folder=tmp_path / "out"))
    assert model.sets == {}
    assert "are naive" in model.notes[0]
    with pytest.raises(UsageError, match="Nothing can be promised"):
        load_served(ServeOptions(folder=tmp_path / "out", abstain=0.2))


def test_a_refit_promises_by_the_folds_that_had_not_seen_the_people(project: Path, tmp_path: Path) -> None:
    record = trained(project, refit=True, epochs=1)
    export(record, ExportRequest(to=tmp_path / "out", formats=("onnx",)))
    reference = load_served(ServeOptions(folder=tmp_path / "out")).reference
    from hoego.runs.record_predictions import predictions_of

    held = reference.honest_predictions(predictions_of(record).schema)
    np.testing.assert_allclose(
        held.probabilities("composite"), predictions_of(record).probabilities("composite"), atol=1e-6
    )
    assert not np.allclose(held.probabilities("age"), reference.values["age"], atol=1e-3)


def test_drift_is_seen_where_photos_change_and_not_where_they_do_not(project: Path) -> None:
    with serving(project / "folds") as client:
        paths = sorted((project / "photos").glob("p*"))
        for path in paths:
            client.post("/predict", content=path.read_bytes(), headers=RAW)
        verdicts = {r["quantity"]: r["verdict"] for r in client.get("/drift").json()}
        assert set(verdicts) == {"classes", "confidence", "brightness", "sharpness"}
        assert verdicts["brightness"] == verdicts["sharpness"] == "not distinguishable"
    with serving(project / "folds") as client:
        for path in paths[:60]:
            dark = Image.open(path).convert("RGB").point(lambda v: v // 4)
            client.post("/predict", content=saved(dark, "PNG"), headers=RAW)
        assert {r["quantity"]: r["verdict"] for r in client.get("/drift").json()}["brightness"] == "moved"
        assert 'hoego_moved{quantity="brightness"} 1' in client.get("/metrics").text


def test_metrics_count_what_was_answered(project: Path) -> None:
    with serving(project / "folds") as client:
        for _ in range(3):
            client.post("/predict", content=photo(project, "p0000.png"), headers=RAW)
        client.post("/predict", content=b"none", headers=RAW)
        lines = client.get("/metrics").text.splitlines()
    assert 'hoego_requests_total{route="/predict",status="200"} 3' in lines
    assert 'hoego_requests_total{route="/predict",status="415"} 1' in lines
    assert "hoego_photos_answered_total 3" in lines
    assert "hoego_request_seconds_count 4" in lines
    assert all(line.startswith(("#", "hoego_")) for line in lines if line)


def test_pages_show_the_card_and_load_nothing_from_elsewhere(project: Path, client: TestClient) -> None:
    page = client.get("/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for text in ("tiny model", "Drop a photo here", "What is promised", "sets hold the truth for 90%"):
        assert text in page.text
    assert client.get("/static/drop.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/static/..%2fapp.py").status_code == 404
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) >= {"/predict", "/v2/models/tiny-model/infer", "/metrics"}
    for path in described["paths"]:
        assert path in client.get("/docs").text
    for text in (page.text, client.get("/docs").text):
        assert "http://" not in text.replace("http://www.w3.org", "")
        assert "https://" not in text


# --- the start and the end ---


def until_ready(port: int) -> None:
    """Wait until the service takes requests."""
    for _ in range(400):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=5) as response:
                assert response.status == 200
                return
        except OSError:
            time.sleep(0.02)
    raise AssertionError("the service does not get ready")


def test_it_starts_without_torch_answers_at_once_and_ends_without_losing_a_request(
    project: Path, said: Predictions
) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(project / "folds")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    first = json.loads(b"".join(iter(process.stdout.readline, b"}\n")) + b"}")
    port = int(first["url"].rpartition(":")[2])
    assert any("sets hold the truth" in text for text in first["promises"])
    until_ready(port)
    counts = {"answered": 0, "lost": 0}
    body = photo(project, said.images.tolist()[0])

    told_to_end: list[float] = []

    def keep_asking() -> None:
        """Ask until nobody listens; what was sent before the signal and not answered is lost."""
        sent = 0.0
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                connection.connect()
            except OSError:
                return
            try:
                closes = False
                while not closes:
                    sent = time.monotonic()
                    connection.request("POST", "/predict", body, RAW)
                    response = connection.getresponse()
                    same(json.loads(response.read())["answers"][0], said, 0)
                    counts["answered"] += 1
                    closes = response.getheader("connection") == "close"
            except (OSError, http.client.HTTPException):
                counts["lost"] += not told_to_end or sent < told_to_end[0]
                return
            finally:
                connection.close()

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(keep_asking) for _ in range(4)]
        time.sleep(0.5)
        told_to_end.append(time.monotonic())
        process.terminate()
        process.wait(30)
        for one in asking:
            one.result()
    process.stdout.close()
    assert counts["answered"] > 20
    assert counts["lost"] == 0


def test_it_does_not_start_on_files_that_were_not_scored(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project / "folds", tmp_path / "copy")
    path = tmp_path / "copy" / "preprocessing.json"
    path.write_text(path.read_text().replace("squash", "crop"))
    with pytest.raises(ParityError, match="not the one that was scored"):
        load_served(ServeOptions(folder=tmp_path / "copy"))


def test_it_does_not_start_where_the_session_answers_otherwise(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hoego.exported.session import OnnxSession

    plain = OnnxSession.run

    def other(self: Any, pixels: Any, outputs: Any) -> Any:
        return {k: v + 1e-3 for k, v in plain(self, pixels, outputs).items()}

    monkeypatch.setattr(OnnxSession, "run", other)
    with pytest.raises(ParityError, match=r"differ by 0\.001"):
        load_served(ServeOptions(folder=project / "folds"))


def test_the_start_loads_no_statistics_that_it_does_not_use() -> None:
    check = "import sys, hoego.serve.model, hoego.serve.server; print('scipy.special' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
