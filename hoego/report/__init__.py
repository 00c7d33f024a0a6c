"""Self-contained HTML pages over the records."""

from hoego.report.run_report import render, report
from hoego.report.week_report import week_report

__all__ = ["render", "report", "week_report"]
