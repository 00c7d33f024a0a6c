"""Self-contained HTML pages over the records."""

from hoego.report.run_report import render, report

__all__ = ["render", "report"]
