"""The only place that talks to S3, DVC and git."""
