"""A new model takes office only when it beats the incumbent."""

__version__ = "0.1.0"
