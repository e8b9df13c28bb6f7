"""The only place that talks to S3, DVC and git, in four rooms, each on top of the next.

serving: champions on this machine, and what they predict; registry: versions and who is champion; dataset:
versions of the data; s3: objects. A document's form is checked here; what it means is the core's to know.
"""
