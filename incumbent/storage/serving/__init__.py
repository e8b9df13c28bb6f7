"""Champions on this machine: pulled, verified, cached; batch predictions, and how a version is reproduced."""
