"""The board's own words in Korean: `korean.toml`, English -> Korean."""

from __future__ import annotations

import tomllib
from pathlib import Path

KOREAN: dict[str, str] = tomllib.loads((Path(__file__).parent / "korean.toml").read_text(encoding="utf-8"))
