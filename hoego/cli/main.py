"""The command `hoego`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from hoego.cli import (
    data,
    evaluating,
    exporting,
    outside,
    pixels,
    plugins,
    probing,
    queueing,
    records,
    searching,
    submitting,
    training,
    weights,
)
from hoego.errors import HoegoError, MissingExtra
from hoego.extras import missing_extra
from hoego.storage import storage_error
from hoego.terminal import visible

SECTIONS = {
    "The whole story": ("demo",),
    "Data": ("people", "init", "audit", "split", "pixels", "pack"),
    "Training": ("recipes", "settings", "lr", "weights", "probe", "train", "predict", "score"),
    "Other trainers": ("folds", "watch", "import"),
    "Deployment": ("export", "check", "serve", "serve-score"),
    "Evidence": ("compare", "diagnose", "design", "ablate", "search", "compose", "ensemble", "report"),
    "Records": ("board", "runs", "show", "diff", "reproduce", "merge", "sync", "tag", "mirror"),
    "Overnight": ("queue", "idea"),
    "Diary and leaderboard": ("note", "retro", "submit", "doctor"),
}


class CommandGroups(TyperGroup):
    """Hoego's commands and those of entry points, listed in the order of the work.

    The list is plain text, since rich's help takes longer than the answer.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of Hoego's own commands, then those of entry points."""
        return list(dict.fromkeys([*self.commands, *plugins.found()]))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; one of an entry point is loaded now."""
        if cmd_name in self.commands or cmd_name not in plugins.found():
            return self.commands.get(cmd_name)
        return plugins.load(cmd_name)

    def _line(self, name: str) -> str:
        own = self.commands.get(name)
        return own.get_short_help_str(200) if own is not None else plugins.short_help(name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands, by section."""
        listed = {name for names in SECTIONS.values() for name in names}
        known = self.list_commands(ctx)
        rest = {"More": tuple(name for name in known if name not in listed)}
        for title, names in {**SECTIONS, **rest}.items():
            rows = [(n, self._line(n)) for n in names if n in known]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


app = typer.Typer(
    name="hoego",
    cls=CommandGroups,
    help="Experiments on image classification that you can believe.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    data,
    training,
    evaluating,
    records,
    queueing,
    searching,
    submitting,
    weights,
    probing,
    outside,
    exporting,
    pixels,
):
    module.register(app)


def _version(value: bool) -> None:
    if value:
        from hoego.version import version as installed

        print(f"hoego {installed()}")
        raise typer.Exit


TRAINS = frozenset({"demo", "train", "lr", "predict", "ablate", "search", "reproduce", "queue", "idea"})
"""Commands that run a model in this process."""


@app.callback()
def hoego(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Experiments on image classification that you can believe."""
    if context.invoked_subcommand in TRAINS:
        # A setting of the whole process, so it is the command's to make and not the library's.
        from hoego.train.memory import keep_freed_memory

        keep_freed_memory()


def main() -> None:
    """Run the command; an error of the user's is one paragraph on stderr and a plain exit code."""
    try:
        app()
    except HoegoError as e:
        sys.exit(report_error(e))
    except ModuleNotFoundError as e:
        missing = missing_extra(e)
        if missing is None:
            raise
        sys.exit(report_error(missing))
    except BrokenPipeError:
        sys.exit(0)
    except (OSError, RuntimeError) as e:
        refused = storage_error(e)
        if refused is None:
            raise
        sys.exit(report_error(refused))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def report_error(error: HoegoError) -> int:
    """Print the error on stderr, with --json also as one object on stdout; return the exit status."""
    if isinstance(error, MissingExtra):
        error = MissingExtra(_called(sys.argv[1:]), error.module, error.extra)
    print(visible(f"{type(error).__name__}: {error}", keep="\n"), file=sys.stderr)
    if "--json" in sys.argv:
        from hoego.cli.output import print_json

        print_json(
            {"error": {"kind": type(error).__name__, "message": error.message, "remedy": error.remedy}}
        )
    return error.exit_code


def _called(arguments: Sequence[str]) -> str:
    """Return the command that a command line calls, such as "hoego queue work"."""
    node: Any = typer.main.get_command(app)
    words = ["hoego"]
    for word in arguments:
        node = node.get_command(None, word) if hasattr(node, "get_command") else None
        if node is None:
            break
        words.append(word)
    return " ".join(words)
