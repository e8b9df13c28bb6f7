"""The machine that a process runs on: what it has used of it, and what it may use."""
