"""Folds, weights and fits: from encoded rows and tuned options to models of all rows, here or on Ray.

Options come in from the search, never the study; nothing here judges one model against another.
"""
