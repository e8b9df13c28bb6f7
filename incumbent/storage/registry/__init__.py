"""Model versions, the champion and its log, claims and runs: atomic under races and crashes.

Objects come from s3; who belongs to whom is asked of dataset's git. No model is opened here.
"""
