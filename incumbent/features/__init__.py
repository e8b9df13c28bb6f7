"""From a table to the matrix that a model reads: clean, derive and encode by a schema learned in training.

The learned schema is frozen with the model version. Fitting, row weights and scores belong to other rooms.
"""
