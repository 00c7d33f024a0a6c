"""`hoego serve` and `hoego serve-score`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hoego.cli.options import Json
from hoego.cli.output import echo, emit, literal, print_json, styled

if TYPE_CHECKING:
    from hoego.results.promise import ServedScore

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `hoego export` wrote.")]

Host = Annotated[str, typer.Option(help="Address to listen on; by default only this machine's.")]
TokenFile = Annotated[Path | None, typer.Option(help="A file with the token that requests must carry.")]
Error = Annotated[float, typer.Option(help="Share of new people's photos whose set lacks the truth.")]
Abstain = Annotated[
    float | None,
    typer.Option(help="Withhold answers, to be wrong on at most this share of the people answered."),
]


def serve(
    folder: Folder,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for a free one.")] = 8000,
    host: Host = "127.0.0.1",
    max_batch: Annotated[int, typer.Option(help="Photos that the model takes at a time.")] = 32,
    waiting: Annotated[int, typer.Option(help="Photos that may wait; more are refused with 503.")] = 256,
    token_file: TokenFile = None,
    error: Error = 0.1,
    abstain: Abstain = None,
    seconds: Annotated[float, typer.Option(help="Time limit of a request.")] = 30.0,
    megabytes: Annotated[float, typer.Option(help="Largest body of a request.")] = 32.0,
    megapixels: Annotated[float, typer.Option(help="Largest photo.")] = 40.0,
    photos: Annotated[int, typer.Option(help="Most photos of a request.")] = 64,
    as_json: Json = False,
) -> None:
    """Answer photos over HTTP with an exported model: labels, probabilities, prediction sets. Needs no torch."""
    from hoego.extras import require

    require("serve", "Serving")
    from hoego.listening import is_loopback, listen
    from hoego.serve.model import load_served
    from hoego.serve.options import ServeOptions, read_token
    from hoego.serve.server import serve as answer
    from hoego.serve.service import Service

    options = ServeOptions(
        folder=folder, max_batch=max_batch, waiting=waiting, token=read_token(token_file), error=error,
        abstain=abstain, seconds=seconds, megabytes=megabytes, megapixels=megapixels, photos=photos,
    )  # fmt: skip
    socket = listen(host, port, "The service")
    model = load_served(options)
    url = f"http://{f'[{host}]' if ':' in host else host}:{socket.getsockname()[1]}"
    if as_json:
        print_json({"url": url, **model.facts()})
    else:
        _show_started(url, model.name, model.promises)
        if not (options.token or is_loopback(host)):
            echo(styled("anybody who reaches this address gets answers; see --token-file", "yellow"))
    answer(Service(model, options), socket)


def _show_started(url: str, name: str, promises: tuple[str, ...]) -> None:
    echo(f"{styled(url, 'bold')}  {literal(name)}")
    for text in promises:
        echo(styled(text, "dim"))


def serve_score(
    answers: Annotated[
        Path, typer.Argument(metavar="ANSWERS", help="A .jsonl file with an answer of /predict in each line.")
    ],
    labels: Annotated[
        Path, typer.Argument(metavar="LABELS", help="A table: photo, the attributes, and who it is.")
    ],
    model: Annotated[Path, typer.Option(metavar="DIR", help="The folder that was served.")],
    subject: Annotated[str, typer.Option(help="Column of the people.")] = "",
    as_json: Json = False,
) -> None:
    """Score the answers of a service by labels that came later, beside what was promised."""
    from hoego.extras import require

    require("serve", "Scoring answers")
    from hoego.serve.scoring import serve_score as score_answers

    found = score_answers(answers, labels, model, subject)
    emit(found, as_json, _show_score)


def _show_score(found: ServedScore) -> None:
    echo(literal(f"{found.metric.replace('_', ' ')}: {found.sentence}"))
    echo(f"{found.n_images:,} answers to {found.n_subjects:,} people")
    if found.left_out:
        echo(
            styled(
                f"{found.left_out:,} answers are left out: the model has seen the photo or the person", "dim"
            )
        )
    if found.unlabelled:
        echo(styled(f"{found.unlabelled:,} answers have no label", "dim"))
    if found.answered_wrong is not None:
        echo(f"wrong on {found.answered_wrong:.1%} of the people answered")
    for note in found.notes:
        echo(styled(note, "dim"))
