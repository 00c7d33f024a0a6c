"""An exported model behind an address: photos in, calibrated answers out. Needs the extra `serve`; no torch."""
