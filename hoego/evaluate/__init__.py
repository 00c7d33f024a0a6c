"""What predictions are worth, how runs differ, what holds a run back, and what several runs give together."""
