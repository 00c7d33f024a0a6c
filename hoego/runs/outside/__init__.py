"""Models that other tools train: the folds out to them, the watch over their training, their predictions back in."""
