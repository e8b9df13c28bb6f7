"""Model versions, the champion and its log, claims and runs: atomic under races and crashes.

Imports s3, and dataset's git to tell which project owns a model. No model is opened here.
"""
