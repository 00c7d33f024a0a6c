"""From a recipe to a record: data set, audit, split, training, predictions, score."""
