"""What is new must pass before anything learns from it: Great Expectations suites on each partition.

An expectation's severity decides: critical blocks the version, warning lets it pass and is reported; one
whose meta says quarantine sets its failing rows aside (sift.py).
"""

from incumbent.gate.report import QUARANTINE, Finding, GateReport, Verdict

__all__ = ["QUARANTINE", "Finding", "GateReport", "Verdict"]
