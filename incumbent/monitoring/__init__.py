"""What a person on call asks, as Prometheus metrics.

The registry's records and the project's repository come in; samples go out, and nothing is written. Runs push
nothing, so a run costs nothing more. Knows no Prefect: what its server says comes in as one more source.
"""
