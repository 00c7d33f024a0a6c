"""Studies: what queues several runs to answer a question."""
