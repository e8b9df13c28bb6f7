"""The local stack: a real S3 server, a Prefect server and its workers, on 127.0.0.1."""
