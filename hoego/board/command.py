"""`hoego board`: the records in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from hoego.cli.options import Json, RunsFolder, runs_folder
from hoego.cli.output import echo, print_json, styled


def board(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for a free one.")] = 8765,
    host: Annotated[
        str, typer.Option(help="Address to listen on; by default only this machine's.")
    ] = "127.0.0.1",
    read_only: Annotated[bool, typer.Option("--read-only", help="Change nothing.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Allow changes where other machines can reach the board.")
    ] = False,
    who: Annotated[str, typer.Option(help="Name beside labels and notes; the user's if not given.")] = "",
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    folder: RunsFolder = None,
    as_json: Json = False,
) -> None:
    """Show the records in a browser: runs, comparisons, mistakes, the queue, and labels to review."""
    from hoego.extras import require

    require("board", "The board")
    from hoego.board.access import AccessRules
    from hoego.board.app import make_app
    from hoego.board.board import BoardOptions, user_name
    from hoego.board.serve import address, serve
    from hoego.listening import is_loopback, listen

    socket = listen(host, port, "The board")
    only_reading = read_only or not (write or is_loopback(host))
    rules = AccessRules(host=host, port=socket.getsockname()[1], read_only=only_reading)
    options = BoardOptions(runs=runs_folder(folder), access=rules, who=who.strip() or user_name())
    app = make_app(options)
    url = address(rules)
    if as_json:
        print_json({"url": url, "runs": str(options.runs), "read_only": only_reading, "who": options.who})
    else:
        echo(styled(url, "bold"))
        echo("reading only; Ctrl-C ends it" if only_reading else "Ctrl-C ends it")
    if open_:
        import webbrowser

        webbrowser.open(url)
    serve(app, socket)
