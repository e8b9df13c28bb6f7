"""What is new must pass before anything learns from it: Great Expectations suites on each partition.

An expectation's severity decides: critical blocks the version, warning lets it pass and is reported; one
whose meta says quarantine sets its failing rows aside (sift.py).
"""

from incumbent.gate.check import EXAMPLES, gate_files
from incumbent.gate.report import QUARANTINE, Finding, GateReport, Verdict
from incumbent.gate.sift import FAILED, Aside, Sifted, put_back, sift, was_put_back
from incumbent.gate.suites import load_suites

__all__ = [
    "EXAMPLES",
    "FAILED",
    "QUARANTINE",
    "Aside",
    "Finding",
    "GateReport",
    "Sifted",
    "Verdict",
    "gate_files",
    "load_suites",
    "put_back",
    "sift",
    "was_put_back",
]
