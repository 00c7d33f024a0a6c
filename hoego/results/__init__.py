"""Results as typed objects: one way to write them as JSON, one way to read them, one rule for what may be ranked."""
