"""What is new must pass before anything learns from it: Great Expectations suites on each partition.

An expectation's severity decides: critical blocks the version, warning lets it pass and is reported; one
whose meta says quarantine sets its failing rows aside (sift.py).
"""

from incumbent.gate.check import EXAMPLES, Judged, gate_files
from incumbent.gate.keys import judge_keys, key_severity
from incumbent.gate.report import QUARANTINE, Finding, GateReport, Verdict
from incumbent.gate.sift import FAILED, Aside, Sifted, put_back, sift, was_put_back, without_history
from incumbent.gate.suites import load_suites

__all__ = [
    "EXAMPLES",
    "FAILED",
    "QUARANTINE",
    "Aside",
    "Finding",
    "GateReport",
    "Judged",
    "Sifted",
    "Verdict",
    "gate_files",
    "judge_keys",
    "key_severity",
    "load_suites",
    "put_back",
    "sift",
    "was_put_back",
    "without_history",
]
