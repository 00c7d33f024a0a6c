"""The board: who may ask, what the pages say, that honesty stands beside every score, that reading writes nothing."""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from board_client import HOST, asked, read
from PIL import Image
from starlette.testclient import TestClient
from test_cli import project  # noqa: F401  (a fixture)
from test_review import plant_errors

from hoego.board import view
from hoego.board.access import AccessRules
from hoego.board.pages import compare
from hoego.board.words import KOREAN
from hoego.evaluate.score.photos import predicted_photos
from hoego.listening import is_loopback
from hoego.predictions import proof
from hoego.runs.loading import load_runs
from hoego.runs.records import Record, RunStore

NASTY = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
NAME = "<b>bold</b> & \u202e"


@pytest.fixture(scope="module")
def runs(project: Path) -> Path:  # noqa: F811
    """The three runs of made-up predictions, and one of each kind that needs another place on the page."""
    store = RunStore(project / "runs")
    first = store.list(states=["done"])[0]
    prints = {"dataset": "d", "split": "s", "labels": "l"}
    for name, honesty, value in ((NAME, "naive", 0.9), (NASTY, "declared", 0.8)):
        record = store.create(first.recipe, name=name, why=NASTY, tags=[NASTY[:8]], fingerprints=prints)
        record.update(score={"macro_f1": {"value": value, "low": 0.7, "high": 0.95}, "honesty": honesty})
        record.set_state("done")
        record.log(NASTY)
    store.create(first.recipe, name="waits", state="waiting")
    broken = store.root / "20200101-000000-broke"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    return store.root


@pytest.fixture
def client(runs: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:  # noqa: F811
    monkeypatch.setenv("HOEGO_CACHE", str(project / "cache"))
    return asked(runs)


def made(runs: Path) -> list[Record]:
    return [r for r in RunStore(runs).list() if r.meta.name.startswith("made")]


def pages(runs: Path) -> list[str]:
    own = [f"/run/{r.id}" for r in RunStore(runs).list()]
    proofs = [f"/run/{r.id}/proof" for r in made(runs)]
    return [
        "/runs",
        "/",
        "/queue",
        "/queue?until=2h",
        "/ideas",
        "/diary",
        "/ledger",
        "/review",
        "/runs?sort=-macro_f1",
        "/runs?group=recipe&columns=recipe.epochs,accuracy",
        *own,
        *proofs,
    ]


# Who may ask


def test_a_foreign_host_is_refused(client: TestClient) -> None:
    for host in (
        "evil.example",
        "evil.example:8765",
        "127.0.0.1.evil.example",
        "",
        "localhost@evil",
        "10.0.0.7",
    ):
        assert client.get("/runs", headers={"host": host}).status_code == 400
    for host in ("localhost", "127.0.0.1:8765", "[::1]:8765", "LOCALHOST:1"):
        assert client.get("/runs", headers={"host": host}).status_code == 200


def test_the_token_is_asked_for_once_and_then_kept_in_a_cookie(runs: Path) -> None:
    client = asked(runs)
    token = client.app.state.board.options.access.token  # type: ignore[attr-defined]
    client.cookies.clear()
    for path in ("/runs", "/static/board.css", "/nowhere", "/runs?token=wrong"):
        assert client.get(path).status_code == 403
    entered = client.get(f"/runs?sort=id&token={token}", follow_redirects=False)
    assert (entered.status_code, entered.headers["location"]) == (303, "/runs?sort=id")
    assert "HttpOnly" in entered.headers["set-cookie"]
    assert "samesite=strict" in entered.headers["set-cookie"].lower()
    assert client.get("/runs").status_code == 200
    client.cookies.clear()
    assert client.get("/runs", headers={"authorization": f"Bearer {token}"}).status_code == 200
    assert (
        client.get(f"//evil.example/?token={token}", follow_redirects=False).headers["location"][:2] != "//"
    )


def test_every_start_has_another_token() -> None:
    assert len({AccessRules().token for _ in range(20)}) == 20
    assert all(len(AccessRules().token) >= 32 for _ in range(3))


def test_a_change_from_another_site_is_refused(client: TestClient, runs: Path) -> None:
    run = made(runs)[0]
    for origin in ("http://evil.example", "null", "https://127.0.0.1:8765", "http://127.0.0.1:1", ""):
        answer = client.post("/runs/tag", data={"run": run.id, "tag": "x"}, headers={"origin": origin})
        assert answer.status_code == 403, origin
    del client.headers["origin"]
    assert client.post("/runs/tag", data={"run": run.id, "tag": "x"}).status_code == 403
    run.refresh()
    assert "x" not in run.meta.tags


def test_every_answer_forbids_what_is_not_the_boards_own(client: TestClient) -> None:
    for path in ("/runs", "/nowhere", "/static/board.js"):
        headers = client.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    page = client.get("/runs").text
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", page)
    assert " style=" not in page
    assert "<style" not in page


def test_another_address_is_read_only_unless_told_otherwise() -> None:
    assert [is_loopback(h) for h in ("127.0.0.1", "127.8.8.8", "::1", "localhost")] == [True] * 4
    assert [is_loopback(h) for h in ("0.0.0.0", "192.168.1.2", "::", "kim.example")] == [False] * 4
    rules = AccessRules(host="0.0.0.0")
    assert rules.knows_host("192.168.1.2:8765")
    assert not rules.knows_host("evil.example:8765")


def raw(client: TestClient, path: str) -> int:
    """Ask for a path as it stands: a client would put `..` in order first."""
    address = httpx2.URL(HOST).copy_with(raw_path=path.encode())
    return client.get(address, follow_redirects=False).status_code


def test_no_path_leads_out_of_the_records(client: TestClient, runs: Path) -> None:
    (runs.parent / "run.json").write_text("{}")
    for path in ("..%2f", "%2e%2e%2f%2e%2e", "..%5c", "%2fetc%2fpasswd", "last", made(runs)[0].id[:12]):
        assert raw(client, f"/run/{path}") == 404, path
        assert raw(client, f"/run/{path}/recipe.toml") == 404
    for name in ("..%2fapp.py", "app.py", "%2e%2e/app.py", "%2e%2e%2f%2e%2e%2fpyproject.toml"):
        assert raw(client, f"/static/{name}") == 404
    (runs.parent / "run.json").unlink()


# What the pages say


def test_every_script_and_style_that_a_page_names_is_given_out(client: TestClient) -> None:
    named = set()
    for path in (view.HERE / "templates").glob("*.j2"):
        named |= set(re.findall(r'"(/static/[^"]+)"', path.read_text(encoding="utf-8")))
    assert len(named) >= 4
    assert {name: client.get(name).status_code for name in named} == dict.fromkeys(named, 200)


def test_text_of_others_is_never_markup(client: TestClient, runs: Path) -> None:
    for path in pages(runs):
        page = client.get(path).text
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert "<b>bold" not in page, path
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in client.get("/runs").text
    answer = client.get(f"/runs?state={NASTY}")
    assert answer.status_code == 400
    assert "<script>alert" not in answer.text


def test_no_score_stands_without_its_honesty(client: TestClient, runs: Path) -> None:
    for path in pages(runs):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert read(answer.text).bare == [], path
    assert read(client.get("/runs").text).boxes >= 5


def test_scores_that_may_not_be_ranked_have_a_section_of_their_own(client: TestClient) -> None:
    for address in ("/runs?sort=-macro_f1", "/runs"):
        page = client.get(address).text
        before, after = re.split(r"<section id=\"apart\d+\">", page)
        assert ("naive</span>" in before, "declared</span>" in before) == (False, False)
        assert after.count("naive</span>") == 1
        assert after.count("declared</span>") == 1
        assert "out-of-fold</span>" not in after


def test_the_order_and_the_filter_are_in_the_address(client: TestClient, runs: Path) -> None:
    def listed(address: str) -> list[str]:
        return re.findall(r'<tr data-run="([^"]+)"', client.get(address).text)

    by_score = RunStore(runs).ranked()
    ranked = [r.id for r in by_score.records]
    assert listed("/runs?sort=-macro_f1")[: len(ranked)] == ranked
    assert len(listed("/runs")) == len(RunStore(runs).list())
    assert listed("/runs?q=made+1") == [r.id for r in made(runs) if r.meta.name == "made 1"]
    assert listed("/runs?state=waiting") == [r.id for r in RunStore(runs).list(states=["waiting"])]
    for wrong in ("sort=nothing", "state=asleep", "page=0", "page=x", "columns=nothing"):
        assert client.get(f"/runs?{wrong}").status_code == 400, wrong


def test_what_cannot_be_read_is_named(client: TestClient) -> None:
    assert "20200101-000000-broke" in client.get("/runs").text


def test_the_proof_names_both_sets_and_they_share_nobody(client: TestClient, runs: Path) -> None:
    run = made(runs)[0]
    found = load_runs(runs, [run.id])
    [predictions], dataset = found.predictions, found.dataset
    sources = proof(predictions, dataset)
    assert len(sources) == 3
    for source in sources:
        assert set(source.seen) | set(source.scored) == set(dataset.subjects.tolist())
        assert not set(source.seen) & set(source.scored)
        assert source.both == ()
    page = client.get(f"/run/{run.id}/proof").text
    assert "The two sets share nobody." in page
    assert predictions.dataset_fingerprint in page
    assert all(name in page for name in dataset.subjects.tolist())


def test_the_proof_finds_a_subject_under_another_name(runs: Path) -> None:
    from dataclasses import replace

    found = load_runs(runs, [made(runs)[0].id])
    [predictions], dataset = found.predictions, found.dataset
    one = proof(predictions, dataset)[0]
    person = one.scored[0]
    seen = predictions.sources[0].seen.copy()
    seen[predictions.universe.names == person] = True
    leaked = replace(
        predictions, sources=(replace(predictions.sources[0], seen=seen), *predictions.sources[1:])
    )
    assert proof(leaked, dataset)[0].both == (person,)


def test_a_comparison_says_what_the_command_says(client: TestClient, runs: Path) -> None:
    from hoego.runs.evaluate_runs import compare_runs

    a, b, c = (r.id for r in made(runs)[:3])
    page = html.unescape(client.get(f"/compare?{a}&{b}").text)
    found = compare_runs(runs, [a, b])
    assert found.sentence in page
    assert all(note in page for note in found.notes)
    assert compare_runs(runs, [f"{a}+{b}", c]).sentence in html.unescape(
        client.get(f"/compare?run={a}%2B{b}&run={c}").text
    )
    for wrong, status in ((f"run={a}", 400), (f"run={a}&run=nobody", 404), (f"run={a}&run=..%2f", 404)):
        assert client.get(f"/compare?{wrong}").status_code == status


def test_only_so_many_sides_are_compared(
    client: TestClient, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "MOST", 2)
    a, b, c = (f"run={r.id}" for r in made(runs)[:3])
    assert client.get(f"/compare?{a}&{b}&{b}").status_code == 200
    assert client.get(f"/compare?{a}&{b}&{c}").status_code == 400


def test_mistakes_lead_from_a_cell_to_its_photos(client: TestClient, runs: Path) -> None:
    run = made(runs)[0]
    found = load_runs(runs, [run.id])
    [predictions], dataset = found.predictions, found.dataset
    photos = predicted_photos(predictions, dataset, "age")
    page = client.get(f"/mistakes?run={run.id}&on=age").text
    links = [link for link in read(page).links if "said=" in link]
    assert len(links) == 9
    cell = photos.mistakes(0, 1)
    shown = client.get(f"/mistakes?run={run.id}&on=age&truth=%3C30&said=30-59").text
    assert set(re.findall(r'src="/photo/[^/]+/([0-9a-f]{16})"', shown)) == {
        f"{p.content:016x}" for p in photos.photos(cell)
    }
    assert client.get(f"/mistakes?run={run.id}&on=age&truth=purple").status_code == 400
    assert client.get("/mistakes").status_code == 400


def test_photos_come_by_the_hash_of_their_bytes_alone(client: TestClient, runs: Path) -> None:
    run = made(runs)[0]
    dataset = load_runs(runs, [run.id]).dataset
    content = f"{int(dataset.contents[0]):016x}"
    answer = client.get(f"/photo/{run.id}/{content}?side=320")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert "immutable" in answer.headers["cache-control"]
    assert Image.open(io.BytesIO(answer.content)).size[0] >= 4
    name = dataset.images["path"][0]
    for wrong in (content[:-1], content.upper() + "0", "0" * 16, name, f"..%2f{name}", "photos.csv"):
        assert raw(client, f"/photo/{run.id}/{wrong}") == 404, wrong
        assert raw(client, f"/heat/{run.id}/{wrong}") == 404
    assert client.get(f"/photo/{run.id}/{content}?side=99999").status_code == 404


def test_a_photo_that_changed_is_not_shown_under_its_old_hash(client: TestClient, runs: Path) -> None:
    run = made(runs)[0]
    dataset = load_runs(runs, [run.id]).dataset
    client.get(f"/mistakes?run={run.id}")
    path, content = dataset.paths[5], f"{int(dataset.contents[5]):016x}"
    before = path.read_bytes()
    try:
        Image.new("RGB", (4, 4), (1, 2, 3)).save(path)
        assert client.get(f"/photo/{run.id}/{content}").status_code == 400
    finally:
        path.write_bytes(before)


def test_a_heat_map_that_was_made_is_shown(client: TestClient, runs: Path) -> None:
    run = made(runs)[0]
    content = f"{int(load_runs(runs, [run.id]).dataset.contents[0]):016x}"
    (run.folder / "heat").mkdir()
    Image.new("RGB", (4, 4)).save(run.folder / "heat" / f"{content}.png")
    answer = client.get(f"/heat/{run.id}/{content}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")


# The review


@pytest.fixture
def desk(runs: Path, project: Path) -> Iterator[tuple[TestClient, str]]:  # noqa: F811
    """A board whose first run has suspects: six people's gender is written wrong in the table."""
    names = ("hoego.toml", "photos.csv")
    before = {name: (project / name).read_text() for name in names}
    plant_errors(project / "photos.csv", 6)
    yield asked(runs), made(runs)[0].id
    for name, text in before.items():
        (project / name).write_text(text)
    (project / "corrections.csv").unlink(missing_ok=True)
    (runs / "reviews.jsonl").unlink(missing_ok=True)


def form_of(page: str) -> dict[str, str]:
    """The hidden fields of the suspect that a page asks about."""
    return dict(re.findall(r'<input type="hidden" name="(run|suspect|seen)" value="([^"]*)"', page))


def test_a_suggestion_is_not_in_the_page_before_the_first_answer(desk: tuple[TestClient, str]) -> None:
    client, run = desk
    assert "corrections.csv" in client.get(f"/review?run={run}").text
    client.post("/review/start", data={"run": run})
    page = client.get(f"/review?run={run}").text
    assert "The run predicts" not in page
    given = re.search(r'value="([^"]*)" data-press="k"', page)
    assert given is not None
    shown = client.post("/review/answer", data={**form_of(page), "answer": given[1]}).text
    assert "The run predicts" in shown
    assert form_of(shown)["suspect"] == form_of(page)["suspect"]
    taken = re.search(r'value="([^"]*)" data-press="Enter"', shown)
    assert taken is not None
    after = client.post("/review/answer", data={**form_of(shown), "answer": taken[1]}).text
    assert form_of(after)["suspect"] != form_of(page)["suspect"]
    scores = client.get(f"/review/score?run={run}")
    assert scores.status_code == 200
    assert read(scores.text).bare == []
    assert "1 correction, kim, 1 after seeing the suggestion" in html.unescape(scores.text)


def test_two_browsers_on_one_suspect_get_a_conflict(desk: tuple[TestClient, str], runs: Path) -> None:
    client, run = desk
    client.post("/review/start", data={"run": run})
    fields = form_of(client.get(f"/review?run={run}").text)
    other = asked(runs, who="lee")
    theirs = form_of(other.get(f"/review?run={run}").text)
    for _ in range(2):
        now = form_of(client.get(f"/review?run={run}&at={fields['suspect']}").text)
        if now:
            client.post("/review/answer", json={**now, "cannot": "1"})
    answer = other.post(
        "/review/answer", json={**theirs, "cannot": "1"}, headers={"accept": "application/json"}
    )
    assert (answer.status_code, "kim has decided" in answer.json()["error"]) == (409, True)
    undone = client.post("/review/undo", json={"run": run}, headers={"accept": "application/json"})
    assert undone.json()["undone"] == fields["suspect"]


# Live


def test_only_new_whole_lines_travel(client: TestClient, runs: Path) -> None:
    from hoego.board.live import LiveReader, from_text

    store = RunStore(runs)
    record = store.create(made(runs)[0].recipe, name="trains", state="waiting")
    record.set_state("running")
    try:
        for epoch in range(50):
            record.append_epoch(0, {"epoch": epoch, "train_loss": 1.0, "macro_f1": 0.5, "lr": 0.1})
        file = record.fold_folder(0) / "epochs.jsonl"
        client.get("/")
        reader = LiveReader(client.app.state.board, (), from_text(f"{record.id}:0:{file.stat().st_size}"))  # type: ignore[attr-defined]
        reader.board.store.look(everything=True)
        assert reader.step() == []
        record.append_epoch(0, {"epoch": 50, "train_loss": 0.9, "macro_f1": 0.6, "lr": 0.1})
        with open(file, "a") as stream:
            stream.write('{"epoch": 51')
        [(kind, facts)] = reader.step()
        assert (kind, facts["run"], facts["rows"]) == (
            "epochs",
            record.id,
            [{"epoch": 50, "train_loss": 0.9, "macro_f1": 0.6}],
        )
        assert len(json.dumps(facts)) < 2_000
        assert len(client.get(f"/live/{record.id}").json()["folds"]["0"]["rows"]) == 51
        record.set_state("done")
        reader.board.store.look(everything=True)
        assert reader.step() == [("state", {"changed": {}, "ended": [record.id]})]
    finally:
        record.set_state("cancelled")


def test_fifty_runs_of_two_thousand_epochs_cost_two_kilobytes_a_line(
    tmp_path: Path,
    project: Path,  # noqa: F811
) -> None:
    from hoego.board.board import Board, BoardOptions
    from hoego.board.live import LiveReader, from_text

    store = RunStore(tmp_path / "runs")
    recipe = RunStore(project / "runs").list(states=["done"])[0].recipe
    line = {
        "train_loss": 0.123456789,
        "held_loss": 0.123456789,
        "macro_f1": 0.7,
        "accuracy": 0.8,
        "lr": 0.001,
    }
    cursor, records = [], []
    for k in range(50):
        record = store.create(recipe, name=f"trains {k}", state="waiting")
        record.set_state("running")
        record.append_epoch(0, {"epoch": 0, **line})
        file = record.fold_folder(0) / "epochs.jsonl"
        with open(file, "a") as stream:
            stream.writelines(json.dumps({"epoch": e, **line}) + "\n" for e in range(1, 2_000))
        cursor.append(f"{record.id}:0:{file.stat().st_size}")
        records.append(record)
    board = Board(BoardOptions(runs=store.root))
    reader = LiveReader(board, (), from_text(" ".join(cursor)))
    assert reader.step() == []
    records[17].append_epoch(0, {"epoch": 2_000, **line})
    told = reader.step()
    sent = "".join(f"event: {kind}\ndata: {json.dumps(facts)}\n\n" for kind, facts in told)
    assert [facts["run"] for _, facts in told] == [records[17].id]
    assert len(sent) < 2_000


# The queue


def test_the_starts_of_a_worker_follow_the_page(tmp_path: Path, project: Path) -> None:  # noqa: F811
    """While a worker runs the first, the others are put in another order and one is cancelled, all by the page."""
    from hoego.runs.queue import RunOutcome, WorkerContext, WorkOptions, status, work

    store = RunStore(tmp_path / "runs")
    recipe = RunStore(project / "runs").list(states=["done"])[0].recipe
    first, second, third, fourth = (store.create(recipe, name=n, state="waiting") for n in "abcd")
    client = asked(store.root)
    started: list[str] = []

    def planned() -> list[str]:
        return re.findall(r'<tr data-run="([^"]+)"', client.get("/queue").text)

    def runner(record: Record, context: WorkerContext) -> RunOutcome:
        started.append(record.id)
        if record.id == first.id:
            assert planned() == [r.run for r in status(store).waiting] == [second.id, third.id, fourth.id]
            order = "+".join((fourth.id, third.id, second.id))
            what_if = client.get("/queue", params={"order": order, "part": "1"}).text
            assert re.findall(r'<tr data-run="([^"]+)"', what_if) == order.split("+")
            assert planned() == [second.id, third.id, fourth.id], "what is only looked at changes nothing"
            client.post("/queue/order", data={"order": order})
            assert planned() == [r.run for r in status(store).waiting] == order.split("+")
            client.post("/queue/cancel", data={"run": third.id})
            assert planned() == [r.run for r in status(store).waiting] == [fourth.id, second.id]
        return RunOutcome("done", "")

    report = work(store, runner, WorkOptions())
    assert [(ran.state, ran.reason) for ran in report.ran] == [("done", "")] * 3
    assert started == [first.id, fourth.id, second.id]
    assert store.find(third.id).state == "cancelled"


def test_a_run_is_added_from_the_page(tmp_path: Path, project: Path) -> None:  # noqa: F811
    like = RunStore(project / "runs").list(states=["done"])[0]
    client = asked(project / "runs")
    fields = {"like": like.id, "set": "epochs=3 optim.lr=0.5", "name": NASTY, "why": "to see"}
    answer = client.post("/queue/add", json=fields, headers={"accept": "application/json"}).json()
    added = RunStore(project / "runs").find(answer["run"])
    assert (added.state, added.recipe["epochs"], added.recipe["optim"]["lr"]) == ("waiting", 3, 0.5)
    assert (added.meta.name, added.meta.why) == (NASTY, "to see")
    assert NASTY not in client.get("/queue").text
    bad = client.post("/queue/add", data={"recipe": "../../etc/passwd"})
    assert (bad.status_code, "There is no recipe" in bad.text) == (400, True)
    added.set_state("cancelled")


def test_another_order_is_shown_before_it_is_saved(client: TestClient, runs: Path) -> None:
    from hoego.runs.queue import status

    store = RunStore(runs)
    new = [store.create(made(runs)[0].recipe, name=f"queued {k}", state="waiting") for k in range(3)]
    before = [row.run for row in status(store).waiting]
    order = "+".join([new[2].id, new[0].id])
    page = client.get(f"/queue?order={order.replace('+', '%2B')}").text
    assert "not saved yet" in page
    assert [row.run for row in status(store).waiting] == before
    client.post("/queue/order", data={"order": order})
    after = [row.run for row in status(store).waiting]
    assert after[:2] == [new[2].id, new[0].id]
    assert sorted(after) == sorted(before)
    client.post("/queue/cancel", data={"run": new[1].id})
    assert new[1].id not in [row.run for row in status(store).waiting]
    for record in (new[0], new[2]):
        record.set_state("cancelled")


def test_ideas_and_notes_go_where_the_commands_put_them(client: TestClient, runs: Path) -> None:
    from hoego.runs.ideas import ideas
    from hoego.runs.records import notes

    store = RunStore(runs)
    client.post("/ideas/add", data={"text": NASTY, "set": "epochs=3", "why": NASTY})
    assert [i.overlay for i in ideas(store).ideas if i.text == NASTY] == [("epochs=3",)]
    client.post("/diary/note", data={"text": NASTY})
    assert (NASTY, "kim") in [(n.text, n.author) for n in notes(store)]
    for path in ("/ideas", "/diary", "/"):
        assert "<script>alert" not in client.get(path).text


# Changes


def test_a_tag_is_added_and_removed_through_the_record(client: TestClient, runs: Path) -> None:
    run = made(runs)[0]
    back = "/runs?sort=name"
    done = client.post(
        "/runs/tag", data={"run": run.id, "tag": "good, fine", "back": back}, follow_redirects=False
    )
    assert (done.status_code, done.headers["location"]) == (303, back)
    assert {"good", "fine"} <= set(run.refresh().tags)
    client.post("/runs/tag", json={"run": [run.id], "tag": "good", "do": "untag"})
    assert set(run.refresh().tags) == {"fine"}
    evil = client.post(
        "/runs/tag", data={"run": run.id, "tag": "a", "back": "//evil"}, follow_redirects=False
    )
    assert evil.headers["location"] == "/runs"


def test_a_waiting_run_is_cancelled_and_a_done_one_is_not(client: TestClient, runs: Path) -> None:
    record = RunStore(runs).create(made(runs)[0].recipe, name="unwanted", state="waiting")
    client.post("/runs/cancel", json={"run": record.id})
    record.refresh()
    assert record.state == "cancelled"
    answer = client.post(
        "/runs/cancel", json={"run": made(runs)[0].id}, headers={"accept": "application/json"}
    )
    assert (answer.status_code, "done already" in answer.json()["error"]) == (400, True)


def test_an_ensemble_of_the_chosen_runs_becomes_a_record(client: TestClient, runs: Path) -> None:
    chosen = [r.id for r in made(runs)[:2]]
    answer = client.post("/runs/ensemble", json={"run": chosen}, headers={"accept": "application/json"})
    assert answer.status_code == 200, answer.text
    record = RunStore(runs).find(answer.json()["run"])
    assert (record.kind, record.state) == ("ensemble", "done")
    assert read(client.get(f"/run/{record.id}").text).bare == []


def test_a_change_is_a_short_form_or_an_object(client: TestClient) -> None:
    assert (
        client.post(
            "/runs/tag", content=b"x" * 300_000, headers={"content-type": "application/json"}
        ).status_code
        == 400
    )
    assert (
        client.post("/runs/tag", content=b"[1]", headers={"content-type": "application/json"}).status_code
        == 400
    )
    assert client.post("/runs/tag", content=b"x", headers={"content-type": "text/plain"}).status_code == 400
    assert client.post("/runs/tag", json={"run": ["nobody"], "tag": "a"}).status_code == 404
    assert client.post("/runs/tag", json={"tag": "a"}).status_code == 400


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        p.relative_to(folder).as_posix(): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in folder.rglob("*")
        if p.is_file() and "cache" not in p.relative_to(folder).parts
    }


def test_a_read_only_board_writes_nothing(runs: Path, project: Path) -> None:  # noqa: F811
    before = contents(project)
    client = asked(runs, read_only=True)
    for path in pages(runs):
        assert '<form method="post"' not in client.get(path).text
    for path in (
        "/runs/tag",
        "/runs/cancel",
        "/runs/ensemble",
        "/runs/note",
        "/review/answer",
        "/review/start",
    ):
        assert client.post(path, json={"run": made(runs)[0].id, "tag": "x", "text": "x"}).status_code == 403
    assert contents(project) == before


# The first place


def test_the_first_place_says_that_it_was_selected_and_by_what_that_flatters_it(client: TestClient) -> None:
    text = " ".join(re.sub("<[^>]+>", "", client.get("/runs?sort=-macro_f1").text).split())
    assert "The first is selected, highest of 3." in text
    assert re.search(r"3 runs ranked on these 30 people: about \+0\.\d{3}", text)
    for other in ("/runs?sort=macro_f1", "/runs?sort=-id", "/runs?sort=name"):
        assert "highest of" not in client.get(other).text


def test_sections_are_named_by_data_set_split_and_target(client: TestClient, project: Path) -> None:  # noqa: F811
    headings = re.findall(r"<h2>([^<]*)<", client.get("/runs?sort=-macro_f1").text)
    assert headings[0].strip() == f"{project.name} · 3 folds, seed 0"
    assert len(set(headings)) == len(headings)


# Languages


def test_every_word_of_the_board_is_there_in_korean() -> None:
    missing = set()
    for path in [*(view.HERE / "templates").glob("*.j2"), *view.HERE.rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        for match in re.finditer(r'\b(?:_|say)\("((?:[^"\\]|\\.)*)"(?!\s*~)', text):
            missing |= {match[1]} - KOREAN.keys()
    assert missing == set()
    assert view.ORDERS.keys() <= KOREAN.keys()
    assert {name for _, name in view.PAGES} <= KOREAN.keys()
    for english, korean in KOREAN.items():
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", korean)), english


def test_the_language_is_that_of_the_address_then_the_browser(client: TestClient) -> None:
    assert '<html lang="en">' in client.get("/runs").text
    assert '<html lang="ko">' in client.get("/runs", headers={"accept-language": "ko-KR,ko;q=0.9"}).text
    assert "실험" in client.get("/runs?lang=ko").text
    assert '<html lang="ko">' in client.get("/runs").text


# What is held in memory


def test_a_held_store_sees_what_others_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hoego.runs.records import HeldStore, held

    monkeypatch.setattr(held, "SOON", 0.0)
    other = RunStore(tmp_path)
    first = other.create({"epochs": 1}, name="a", state="waiting")
    store = HeldStore(tmp_path)
    assert [r.id for r in store.list()] == [first.id]
    version = store.version
    assert [r.id for r in store.list()] == [first.id]
    assert store.version == version
    second = other.create({"epochs": 1}, name="b", state="waiting")
    first.set_state("done")
    assert {r.id: r.state for r in store.list()} == {first.id: "done", second.id: "waiting"}
    first.tag("late")  # it has ended: seen by the look at everything
    store.look(everything=True)
    found = store.get(first.id)
    assert found is not None
    assert found.meta.tags == ("late",)
    (second.folder / "run.json").write_text("{")
    assert [r.id for r in store.list()] == [first.id]
    assert [*store.broken()] == [second.id]
    assert store.get("../" + first.id) is None


def test_a_held_store_for_reading_refuses_changes(tmp_path: Path) -> None:
    from hoego.errors import RecordError
    from hoego.runs.records import HeldStore

    RunStore(tmp_path).create({"epochs": 1}, state="waiting")
    [record] = HeldStore(tmp_path, read_only=True).list()
    with pytest.raises(RecordError, match="reading only"):
        record.tag("x")
    assert not (tmp_path / ".index.json").exists()


def test_the_command_says_where_the_board_is(runs: Path) -> None:
    import subprocess
    import sys

    started = subprocess.Popen(
        [sys.executable, "-m", "hoego", "board", "--port", "0", "--runs", str(runs), "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            text += started.stdout.readline()
        said: Any = json.loads(text)
        assert said["url"].startswith("http://127.0.0.1:")
        assert said["read_only"] is False
        answer = httpx2.get(said["url"])
        assert answer.status_code == 303
    finally:
        started.terminate()
        started.communicate(timeout=20)
    assert HOST.startswith("http://127.0.0.1")
