"""Check of the files among the photos that are not read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hoego.data.audit.findings import finding
from hoego.data.readers import detect_layout
from hoego.data.readers.passed_over import passed_over
from hoego.recipe.sections import DatasetSettings
from hoego.results.audit import AuditFinding


def unread_findings(settings: DatasetSettings) -> Iterator[AuditFinding]:
    """Yield pictures below the root of a kind that is not read; only where folders say which photos there are."""
    layout = detect_layout(settings) if settings.layout == "auto" else settings.layout
    if layout == "table":
        return
    found = [u for u in passed_over(Path(settings.root)) if u.pictures]
    if found:
        said = [f"{u.said}. {u.remedy}" for u in found]
        yield finding("passed-over", sum(u.count for u in found), "; ".join(u.said for u in found), said)
