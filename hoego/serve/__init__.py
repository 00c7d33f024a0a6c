"""Serve an exported model over HTTP: photos in, calibrated probabilities out. Needs the extra `serve`; no torch."""
