"""Choose the learner's options and how much of history to read, by folds of the training rows.

Strategies, studies and races of trials belong here; what is chosen leaves as a StudyResult or a Window.
"""
