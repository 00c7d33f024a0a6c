"""The retrospective as Markdown with a static blog's front matter, and as one HTML page."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from html import escape
from pathlib import Path

from hoego.apps.diary.model import (
    Chart,
    RecordReference,
    ReportSection,
    ReportTable,
    Retrospective,
    Statement,
)
from hoego.apps.diary.words import Phrases
from hoego.draw import STYLE, page
from hoego.errors import UsageError
from hoego.files import write_text
from hoego.terminal import visible

MOST_LINKS = 6


def to_markdown(found: Retrospective, base: str = "runs") -> str:
    """Return the page as Markdown. `base` is where the folder of records lies, as seen from the file.

    Pictures are named `<stem>-<picture>.svg`; `write` puts them beside the file.
    """
    head = {
        "layout": "post",
        "title": _in_one_line(found.title),
        "date": str(found.period.last),
        "categories": ["회고" if found.lang == "ko" else "retrospective"],
        "tags": list(found.tags),
        "lang": found.lang,
    }
    plain = ("layout", "date", "lang")
    spelled = {k: v if k in plain else json.dumps(v, ensure_ascii=False) for k, v in head.items()}
    lines = ["---", *(f"{k}: {v}" for k, v in spelled.items()), "---", ""]
    lines += [found.summary, ""]
    for section in found.sections:
        lines += _section(found, section, 2, base)
    lines += ["---", "", f"*{Phrases(found.lang)('made')}*", ""]
    return "\n".join(lines)


def stem_of(found: Retrospective) -> str:
    """Return the file name without its ending: retro-2022-W09.ko"""
    return f"retro-{found.period.key}.{found.lang}"


def _section(found: Retrospective, section: ReportSection, depth: int, base: str) -> list[str]:
    lines = [f"{'#' * depth} {_in_one_line(section.title)}", ""]
    for s in section.statements:
        time = f"**{s.time}** " if s.time else ""
        lines.append(f"- {time}{_escaped(s.text)}{_links(s.sources, base)}")
    lines += [""] if section.statements else []
    if section.table is not None:
        lines += _table(section.table, base)
    for picture in section.pictures:
        lines += [
            f"![{_escaped(picture.caption)}]({stem_of(found)}-{picture.name}.svg)",
            "",
            f"*{_escaped(picture.caption)}*",
            "",
        ]
    for part in section.parts:
        lines += _section(found, part, depth + 1, base)
    return lines


def _escaped(text: str) -> str:
    """Write text so that Markdown shows its marks: in one line, which starts no heading, list or front matter.

    What is between backticks is left alone but for its line breaks, and the bars that would end a table's cell.
    """
    parts = re.split(r"(`[^`]*`)", _in_one_line(text))
    shown = (
        p.replace("|", r"\|") if p.startswith("`") else re.sub(r"([\\\[\]*_<>|#~])", r"\\\1", p)
        for p in parts
    )
    return re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", "".join(shown))


def _in_one_line(text: str) -> str:
    return visible(" ".join(text.split()))


def _links(sources: tuple[RecordReference, ...], base: str) -> str:
    if not sources:
        return ""
    shown = [f"[{s.short}]({_target(s, base)})" for s in _shortened(sources)]
    more = f" +{len(sources) - MOST_LINKS}" if len(sources) > MOST_LINKS else ""
    return f" ({', '.join(shown)}{more})"


def _shortened(sources: tuple[RecordReference, ...]) -> tuple[RecordReference, ...]:
    return sources[:MOST_LINKS]


def _target(source: RecordReference, base: str) -> str:
    return os.path.normpath(f"{base}/{source.file}").replace(os.sep, "/")


def _table(table: ReportTable, base: str) -> list[str]:
    lines = [
        "| " + " | ".join(table.columns) + " | |",
        "| " + " | ".join("---" for _ in table.columns) + " | --- |",
    ]
    for row, sources in zip(table.rows, table.sources, strict=True):
        lines.append("| " + " | ".join(map(_escaped, row)) + f" |{_links(sources, base)} |")
    return [*lines, ""]


def to_html(found: Retrospective, base: str = "runs") -> str:
    """Return the page as one HTML file that needs no other; links lead to the records below `base`."""
    say = Phrases(found.lang)
    cards = "".join(
        f"<div class=card><b>{escape(c.value)}</b><span>{escape(c.label)}</span></div>" for c in found.cards
    )
    toc = "".join(f'<a href="#{s.id}">{escape(s.title)}</a>' for s in found.sections)
    body = [
        f"<h1>{escape(found.title)}</h1>",
        f"<p class=sub>{found.period.first} – {found.period.last} · {escape(found.summary)}</p>",
        f"<nav class=toc>{toc}</nav>",
        f"<div class=cards>{cards}</div>" if cards else "",
        *(_html(found, section, 2, base) for section in found.sections),
        f"<p class='small muted'>{escape(say('made'))}</p>",
    ]
    return page(found.title, "\n".join(body), lang=found.lang, head=f"<style>{_STYLE}</style>")


_STYLE = """
ul.told{list-style:none;padding:0;margin:.5rem 0;max-width:48rem}
ul.told li{margin:0;padding:.45rem 0 .45rem .9rem;border-left:3px solid var(--rule)}
ul.told li.result{border-color:var(--s0)}ul.told li.event{border-color:var(--wrong)}
ul.told li.note{border-color:var(--s1);background:var(--cell);border-radius:0 .4rem .4rem 0}
ul.told li.plan{border-color:var(--s2)}ul.told li.gap{border-color:var(--warn)}
ul.told li.word{color:var(--muted)}
ul.told time{font-variant-numeric:tabular-nums;color:var(--muted);margin-right:.6rem;font-size:.85rem}
.src{font-size:.78rem;white-space:nowrap}.src a{color:var(--muted);text-decoration:none;border-bottom:1px dotted}
ul.told code{background:var(--cell);padding:.05rem .3rem;border-radius:.25rem;overflow-wrap:anywhere}
ul.told li.note code{background:var(--paper)}
section.day{display:grid;grid-template-columns:9rem 1fr;gap:0 1rem;border-top:1px solid var(--rule);padding-top:.4rem}
section.day h3{margin:.5rem 0;font-size:.95rem}
@media(max-width:34rem){section.day{display:block}.src{white-space:normal}}
"""


def _html(found: Retrospective, section: ReportSection, depth: int, base: str) -> str:
    inner: list[str] = []
    if section.statements:
        items = "".join(_item(found, s, base) for s in section.statements)
        inner.append(f"<ul class=told>{items}</ul>")
    if section.table is not None:
        inner.append(_html_table(found, section.table, base))
    inner += [
        f"<figure class=wide><div class=scroll>{p.svg}</div><figcaption>{escape(p.caption)}</figcaption></figure>"
        for p in section.pictures
    ]
    inner += [_html(found, part, depth + 1, base) for part in section.parts]
    title = f'<h{depth} id="{section.id}">{escape(section.title)}</h{depth}>'
    kind = " class=day" if section.id.startswith("day-") else ""
    return f"<section{kind}>{title}<div>{''.join(inner)}</div></section>"


def _item(found: Retrospective, s: Statement, base: str) -> str:
    time = f"<time>{s.time}</time>" if s.time else ""
    return f'<li class="{s.kind}">{time}{_marked(s.text)}{_anchors(found, s.sources, base)}</li>'


def _marked(text: str) -> str:
    """Return escaped text, with names between backticks as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text, quote=False))


def _anchors(found: Retrospective, sources: tuple[RecordReference, ...], base: str) -> str:
    if not sources:
        return ""
    shown = []
    for s in _shortened(sources):
        target = f"{base}/{s.id}/report.html" if s.id in found.reports else _target(s, base)
        shown.append(
            f'<a href="{escape(os.path.normpath(target), quote=True)}" title="{escape(s.file)}">{escape(s.short)}</a>'
        )
    more = f" +{len(sources) - MOST_LINKS}" if len(sources) > MOST_LINKS else ""
    return f" <span class=src>{' '.join(shown)}{more}</span>"


def _html_table(found: Retrospective, table: ReportTable, base: str) -> str:
    head = "".join(f"<th>{escape(c)}</th>" for c in (*table.columns, ""))
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{escape(c)}</td>" for c in row)
        + f"<td>{_anchors(found, sources, base)}</td></tr>"
        for row, sources in zip(table.rows, table.sources, strict=True)
    )
    return f"<div class=scroll><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def standalone(picture: Chart) -> str:
    """Return a picture as an SVG file of its own: the colours of the page come with it."""
    rules = re.search(r":root\{[^}]*\}", STYLE)
    chart = "".join(re.findall(r"\.chart [^{]*\{[^}]*\}", STYLE)).replace(".chart ", "")
    root = rules.group(0).replace(":root", "svg") if rules else ""
    font = "font:12px system-ui,'Noto Sans','Noto Sans CJK KR',sans-serif"
    style = f"<style>{root}svg{{background:var(--paper);{font}}}{chart}</style>"
    return picture.svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(
        ">", f">{style}", 1
    )


def write(found: Retrospective, out: Path | str) -> tuple[Path, ...]:
    """Write the page: Markdown and HTML into a folder, or the one that a file's ending names; pictures beside Markdown.

    Raises:
        UsageError: a file of another kind.
    """
    out = Path(out)
    if out.suffix and not out.is_dir() and out.suffix not in (".md", ".html"):
        raise UsageError(f"a retrospective is written as .md or .html, not {out.suffix}", file=out)
    folder = out.parent if out.suffix in (".md", ".html") else out
    stem = out.stem if out.suffix in (".md", ".html") else stem_of(found)
    base = os.path.relpath(found.root, folder).replace(os.sep, "/")
    makers: dict[str, Callable[[], str]] = {
        ".md": lambda: to_markdown(found, base).replace(f"({stem_of(found)}-", f"({stem}-"),
        ".html": lambda: to_html(found, base),
    }
    kinds = [out.suffix] if out.suffix in makers else list(makers)
    written = []
    for kind in kinds:
        path = folder / f"{stem}{kind}"
        write_text(path, makers[kind]())
        written.append(path)
    if ".md" in kinds:
        for picture in found.pictures:
            path = folder / f"{stem}-{picture.name}.svg"
            write_text(path, standalone(picture))
            written.append(path)
    return tuple(written)
