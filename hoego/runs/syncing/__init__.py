"""Records in an object store (extra `sync`): sent and fetched whole, never overwritten, never deleted."""
