"""The demo's week, retold: the retrospective that a finished demo wrote, as a page of these docs.

    make demo && .venv/bin/python -m docs.demo_week demo

The text is that of `hoego retro`, word for word; only the links to the records, which are not part of the docs, have
become plain names.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
LEAD = {
    "en": "What `hoego retro` wrote after `make demo`, word for word. In the page itself each name in brackets leads "
    "to the record behind the sentence. [In Korean](demo-week.ko.md), [what a retrospective holds](../howto/retrospective.md).",
    "ko": "`make demo`가 끝난 뒤 `hoego retro --lang ko`가 쓴 글 그대로다. "
    "원래 글에서는 괄호 안의 이름이 근거가 된 기록으로 이어진다. [영어](demo-week.en.md), "
    "[회고에 담기는 것](../howto/retrospective.md).",
}


def page_of(source: Path, lang: str) -> str:
    """The page of one language; its pictures are copied into docs/img."""
    _, front, body = source.read_text(encoding="utf-8").split("---\n", 2)
    title = re.search(r'^title: "(.*)"$', front, re.MULTILINE)
    body = re.sub(r"!\[([^\]]*)\]\(([^)]+)\)", lambda m: _picture(source.parent / m[2], m[1], lang), body)
    body = re.sub(r"(?<!!)\[([^\]]+)\]\((?:runs|submissions)/[^)]*\)", r"\1", body)
    return f"# {title[1] if title else source.stem}\n\n{LEAD[lang]}\n{body}"


def _picture(path: Path, caption: str, lang: str) -> str:
    name = f"demo-week-{path.stem.rsplit('-', 1)[-1]}.{lang}.svg"
    shutil.copyfile(path, DOCS / "img" / name)
    return f"![{caption}](../img/{name})"


def main() -> None:
    """Write docs/tutorials/demo-week.en.md and demo-week.ko.md from a demo's folder."""
    demo = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    for lang in LEAD:
        newest = max(demo.glob(f"retro-*.{lang}.md"), key=lambda p: p.stat().st_mtime)
        (DOCS / "tutorials" / f"demo-week.{lang}.md").write_text(page_of(newest, lang), encoding="utf-8")


if __name__ == "__main__":
    main()
