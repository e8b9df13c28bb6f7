"""From a table to the matrix that a model reads: cleaned, derived, encoded, by a schema learned in training.

What a schema learns here is frozen with the version. Fitting, weights and scores come later and stay out.
"""
