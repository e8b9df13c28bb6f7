"""Versions of the data by DVC and git, what lands and what waits in quarantine. No model is known here."""
