"""The command `hoego`."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from hoego.cli import data, diary, evaluating, queueing, records, training
from hoego.errors import HoegoError

SECTIONS = {
    "The whole story": ("demo",),
    "Data": ("people", "init", "audit", "split"),
    "Training": ("settings", "lr", "train", "predict", "score"),
    "Evidence": ("compare", "diagnose", "design", "ablate", "compose", "ensemble", "report"),
    "Records": ("runs", "show", "diff", "reproduce", "merge", "tag"),
    "Overnight": ("queue", "idea"),
    "Diary and leaderboard": ("note", "retro", "submit", "doctor"),
}


class Sections(TyperGroup):
    """The list of commands in the order of the work; plain text, since rich's help takes longer than the answer."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        listed = {name for names in SECTIONS.values() for name in names}
        rest = {"More": tuple(name for name in self.commands if name not in listed)}
        for title, names in {**SECTIONS, **rest}.items():
            rows = [(n, self.commands[n].get_short_help_str(200)) for n in names if n in self.commands]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


app = typer.Typer(
    name="hoego",
    cls=Sections,
    help="Experiments on image classification that you can believe.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (data, training, evaluating, records, queueing, diary):
    module.register(app)


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        print(f"hoego {version('hoego')}")
        raise typer.Exit


@app.callback()
def hoego(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Experiments on image classification that you can believe."""


def main() -> None:
    """Run the command; an error of the user's is one paragraph on stderr and a plain exit code."""
    try:
        app()
    except HoegoError as e:
        report_error(e)
        sys.exit(e.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)


def report_error(error: HoegoError) -> None:
    """The error on stderr; with --json also as one object on stdout."""
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    if "--json" in sys.argv:
        from hoego.cli.output import print_json

        print_json(
            {"error": {"kind": type(error).__name__, "message": error.message, "remedy": error.remedy}}
        )
