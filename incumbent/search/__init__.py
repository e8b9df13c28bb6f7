"""Choose the learner's options, and how much history to train on, by folds of the training rows.

Strategies, studies and early stopping of trials belong here; the choice leaves as a StudyResult or a Window.
"""
