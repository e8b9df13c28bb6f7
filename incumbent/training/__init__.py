"""Folds, weights and fits: from encoded rows and tuned options to models of all rows, here or on Ray.

The search hands in the chosen options, never its study. Models are not compared with each other here.
"""
