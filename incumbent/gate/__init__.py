"""What is new must pass before anything learns from it: Great Expectations suites on each partition.

An expectation's severity decides: critical blocks the version, warning lets it pass and is reported; one
whose meta says quarantine sets its failing rows aside (sift.py), and one whose meta says probation keeps the
partition from training until it is released (probation.py).
"""

from incumbent.gate.report import PROBATION, QUARANTINE, Finding, GateReport, Verdict

__all__ = ["PROBATION", "QUARANTINE", "Finding", "GateReport", "Verdict"]
