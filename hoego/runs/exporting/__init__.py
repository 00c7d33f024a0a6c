"""From a run to a folder that others can use, refused unless it answers as the run does."""

from hoego.runs.exporting.request import ExportRequest
from hoego.runs.exporting.run_export import export

__all__ = ["ExportRequest", "export"]
