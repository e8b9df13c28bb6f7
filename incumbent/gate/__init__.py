"""What is new must pass before anything learns from it: Great Expectations suites on each partition.

An expectation's severity decides: critical blocks the version, warning lets it pass and is reported.
"""

from incumbent.gate.report import Finding, GateReport, Verdict

__all__ = ["Finding", "GateReport", "Verdict"]
