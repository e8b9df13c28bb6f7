"""The only place that talks to S3, DVC and git, in four rooms, each on top of the next.

serving: champions on this machine, and what they predict; registry: versions and who is champion; dataset:
versions of the data; s3: objects. Documents are validated here; what they mean, the core decides.
"""
