"""What is new must pass before anything learns from it: Great Expectations suites on each partition.

An expectation's severity decides: critical blocks the version, warning lets it pass and is reported.
"""

from incumbent.gate.check import EXAMPLES, gate_files
from incumbent.gate.report import Finding, GateReport, Verdict
from incumbent.gate.suites import load_suites

__all__ = ["EXAMPLES", "Finding", "GateReport", "Verdict", "gate_files", "load_suites"]
