"""Score, compare, diagnose and combine predictions."""
