"""What a run tells experiment trackers: MLflow, Weights & Biases, DVC.

A run's documents come in; what goes out is written to an outbox first and delivered by a process of its own.
Nothing depends on a tracker: a verdict stands whether or not one answers. Each tracker is one file, imported
only where it is asked for.
"""
