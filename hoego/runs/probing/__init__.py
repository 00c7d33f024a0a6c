"""`hoego probe`: frozen features of published weights, simple heads on them, and a record of its own kind."""
