"""A page for each outside trainer: its folds from a split, its predictions to Predictions.

No page is imported by the rest of Hoego, and each imports its tool only when it is used.
"""
