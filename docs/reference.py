"""Write docs/reference/*.md from the tables in the code: commands, settings, metrics, checks.

`python -m docs.reference` writes; `python -m docs.reference --check` says whether the pages are current.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "reference"
HEADER = "<!-- Written by `make docs` from the code. Change the code, not this page. -->\n\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; pipes in cells are escaped, and options such as --set stand as code."""
    lines = ["| " + " | ".join(columns) + " |", "| " + " | ".join("---" for _ in columns) + " |"]
    lines += ["| " + " | ".join(cell(str(c)) for c in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    text = re.sub(r"(?<![`\w-])(--[a-z][a-z-]*)", r"`\1`", text)
    return text.replace("|", "\\|").replace("\n", " ")


def settings() -> str:
    from hoego.recipe import PROFILES, settings_table

    text = "# Settings\n\nEvery key of a recipe, of `hoego.toml` and of `--set KEY=VALUE`.\n"
    groups: dict[str, list[tuple[str, str]]] = {}
    for s in settings_table():
        section = s.key.split(".")[0] if "." in s.key else ""
        groups.setdefault(section, []).append((f"`{s.key}`", f"{s.help} {accepted(s)}"))
    for section, rows in groups.items():
        title = f"`{section}`" if section else "The training as a whole"
        text += f"\n## {title}\n\n" + table(("setting", "what it does"), rows)
    text += "\n## Profiles\n\n"
    for name, data in PROFILES.items():
        pairs = ", ".join(f"`{k} = {v}`" for k, v in flat(data))
        text += f"- **{name}**: {pairs}\n"
    return text


def accepted(setting: Any) -> str:
    """Type, range and default of a setting as one clause: *integer, >= 1; default* `10`."""
    choices = setting.range.replace(" | ", ", ")
    joint = " " if setting.type.endswith("one of") else ", "
    kind = f"{setting.type}{joint}{choices}" if choices else setting.type
    return f"*{kind}; default* `{setting.default}`" if setting.default else f"*{kind}*"


def flat(data: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def metrics() -> str:
    from hoego.evaluate.score.metrics import METRICS

    shown = {"order": "ordered attributes"}
    rows = [
        (f"`{m.name}`", m.better, m.help, shown.get(m.needs, "target, attributes")) for m in METRICS.values()
    ]
    return "# Metrics\n\n" + table(("metric", "better", "what it is", "shown for"), rows)


def checks() -> str:
    from hoego.data.audit.checks import CHECKS

    rows = [(f"`{c.name}`", c.severity, c.help) for c in CHECKS.values()]
    return "# Checks of the audit\n\n" + table(("check", "severity", "what it finds"), rows)


def commands() -> str:
    import typer

    from hoego.cli.main import app

    root = typer.main.get_command(app)
    text = "# Commands\n\nEvery command takes `--help`; those that show a result take `--json`.\n"
    for path, command in walk(root, ("hoego",)):
        help_text = (command.help or "").strip()
        text += f"\n## `{' '.join(path)}`\n\n{help_text}\n"
        rows = []
        for p in command.params:
            if p.name == "help":
                continue
            spelled = ", ".join(f"`{o}`" for o in p.opts) if p.param_type_name == "option" else f"`{p.name}`"
            rows.append((spelled, (getattr(p, "help", "") or "").strip()))
        if rows:
            text += "\n" + table(("option", "what it does"), rows)
    return text


def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    for name in sorted(command.list_commands(None)):
        yield from walk(command.get_command(None, name), (*path, name))


def api() -> str:
    """The page of the public names; Sphinx makes one page of each (the site's build writes it, see conf.py)."""
    import hoego

    names = sorted((n for n in hoego.__all__ if not n.startswith("_")), key=str.lower)
    text = "# Python API\n\n`import hoego` loads none of these until its first use, and PyTorch only to train or predict.\n\n"
    listed = "\n".join(f"   hoego.{name}" for name in names)
    return f"{text}```{{eval-rst}}\n.. autosummary::\n   :toctree: generated\n   :nosignatures:\n\n{listed}\n```\n"


PAGES = {"commands": commands, "settings": settings, "metrics": metrics, "checks": checks}


def stale() -> list[str]:
    """Names of the pages that differ from what the code says."""
    out = []
    for name, make in PAGES.items():
        path = FOLDER / f"{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != HEADER + make():
            out.append(name)
    return out


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / f"{name}.md").write_text(HEADER + make(), encoding="utf-8")


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit("\n".join(stale()) and f"not current: {', '.join(stale())}; run make docs")
    write()
