"""Files and tables before any model: what a folder holds, what its tables share, what to look at."""
