"""Exported models without torch: their folder, their pixels, their session, and whether they answer as the run did."""

from hoego.exported.folder import ExportedModel, open_model
from hoego.exported.session import OnnxSession

__all__ = ["ExportedModel", "OnnxSession", "open_model"]
