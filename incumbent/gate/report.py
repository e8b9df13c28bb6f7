"""What the gate says: findings, and the verdict that follows from them."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    PASS = "pass"
    WARN = "warn"
    BLOCK = "block"


@dataclass(frozen=True)
class Finding:
    """One expectation on one partition; `examples` are rows that break it, as text by column."""

    partition: str
    expectation: str
    severity: str
    success: bool
    observed: str
    examples: tuple[dict[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.partition}: {self.expectation}: {self.observed}"


@dataclass(frozen=True)
class GateReport:
    """`results` are Great Expectations' own, by partition, for its Data Docs; they stay out of the JSON."""

    rows: int
    findings: tuple[Finding, ...]
    results: Mapping[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)

    @staticmethod
    def together(reports: Iterable["GateReport"]) -> "GateReport":
        """What the gate said of several arrivals, as one."""
        reports = list(reports)
        findings = tuple(finding for report in reports for finding in report.findings)
        results = {name: seen for report in reports for name, seen in report.results.items()}
        return GateReport(sum(report.rows for report in reports), findings, results)

    @property
    def verdict(self) -> Verdict:
        failed = {finding.severity for finding in self.findings if not finding.success}
        if "critical" in failed:
            return Verdict.BLOCK
        return Verdict.WARN if failed else Verdict.PASS

    @property
    def reasons(self) -> tuple[str, ...]:
        """The failed expectations, critical ones first, one sentence each."""
        failed = sorted((f for f in self.findings if not f.success), key=lambda f: f.severity != "critical")
        return tuple(f"{finding.severity}: {finding}" for finding in failed)

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "rows": self.rows,
            "findings": [asdict(f) for f in self.findings],
        }
