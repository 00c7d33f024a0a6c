"""A board over the records of a folder, asked as a browser asks."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from hoego.board.access import AccessRules
from hoego.board.app import make_app
from hoego.board.board import BoardOptions

HOST = "http://127.0.0.1:8765"


def asked(runs: Path, *, who: str = "kim", **rules: Any) -> TestClient:
    """A client that holds the token and says where it comes from."""
    access = AccessRules(**rules)
    client = TestClient(make_app(BoardOptions(runs=runs, access=access, who=who)), base_url=HOST)
    client.cookies.set(access.cookie, access.token)
    client.headers["origin"] = HOST
    return client


class Started:
    """A board in a process of its own."""

    def __init__(self, runs: Path, *options: str, who: str = "kim") -> None:
        command = [sys.executable, "-m", "hoego", "board", "--port", "0", "--runs", str(runs), "--json"]
        self.process = subprocess.Popen(
            [*command, "--who", who, *options], stdout=subprocess.PIPE, text=True, cwd=runs.parent
        )
        text = ""
        while not text.endswith("}\n"):
            assert self.process.stdout is not None
            text += self.process.stdout.readline()
        self.url: str = json.loads(text)["url"]
        self.base = self.url.split("/?")[0]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=20)


class PageReader(HTMLParser):
    """What stands on a page: links, and the numbers that stand in no box with an honesty."""

    VOID = frozenset(("meta", "link", "input", "img", "br", "line", "circle", "rect", "path", "polygon"))
    SCORE = re.compile(r"(?<![\d.,])(?:0\.\d{3,4}|1\.000)(?!\d)")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.bare: list[str] = []
        self.boxes = 0
        self._open: list[tuple[str, bool]] = []
        self._waiting: list[list[str]] = []
        self._stated: list[bool] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "a" and named.get("href"):
            self.links.append(str(named["href"]))
        if "honesty" in (named.get("class") or "").split() and self._stated:
            self._stated = [True] * len(self._stated)
        if tag in self.VOID:
            return
        box = "data-honest" in named
        self._open.append((tag, box))
        if box:
            self.boxes += 1
            self._waiting.append([])
            self._stated.append(False)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID or not self._open:
            return
        _, box = self._open.pop()
        if box:
            numbers, stated = self._waiting.pop(), self._stated.pop()
            self.bare += [] if stated else numbers

    def handle_data(self, text: str) -> None:
        if any(tag in ("script", "style", "pre", "code") for tag, _ in self._open):
            return
        found = self.SCORE.findall(text)
        (self._waiting[-1] if self._waiting else self.bare).extend(found)


def read(page: str) -> PageReader:
    """Read a page; its elements must be closed in order."""
    return PageReader(page)
