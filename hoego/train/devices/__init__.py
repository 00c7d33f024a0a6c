"""One training on several devices: a process for each, and the numbers of one process at the same batches."""
