"""Champions on this machine: pulled, proved, cached; what they predict and how they are made again."""
