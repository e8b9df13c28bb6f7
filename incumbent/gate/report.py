"""What the gate says: findings, and the verdict that follows from them.

A finding's severity is Great Expectations' own, or `quarantine` where failing rows were set aside.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

QUARANTINE = "quarantine"
ORDER = ("critical", QUARANTINE, "warning", "info")


class Verdict(StrEnum):
    PASS = "pass"
    WARN = "warn"
    QUARANTINE = "quarantine"
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

    @classmethod
    def of(cls, reports: Iterable["GateReport"]) -> "GateReport":
        """What they say together."""
        reports = tuple(reports)
        findings = tuple(finding for report in reports for finding in report.findings)
        results = {name: seen for report in reports for name, seen in report.results.items()}
        return cls(sum(report.rows for report in reports), findings, results)

    @property
    def verdict(self) -> Verdict:
        failed = {finding.severity for finding in self.findings if not finding.success}
        if "critical" in failed:
            return Verdict.BLOCK
        if QUARANTINE in failed:
            return Verdict.QUARANTINE
        return Verdict.WARN if failed else Verdict.PASS

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The gravest first."""
        return tuple(
            sorted((f for f in self.findings if not f.success), key=lambda f: ORDER.index(f.severity))
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        """The failed expectations, the gravest first, one sentence each."""
        return tuple(f"{finding.severity}: {finding}" for finding in self.failed)

    def excusing(self, partitions: Mapping[str, str]) -> "GateReport":
        """The same, where these partitions (name -> who let it pass, and why) block no more."""
        findings = tuple(
            replace(each, severity="warning", observed=f"{each.observed}; {partitions[each.partition]}")
            if each.partition in partitions and each.severity == "critical" and not each.success
            else each
            for each in self.findings
        )
        return replace(self, findings=findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict.value,
            "rows": self.rows,
            "findings": [asdict(f) for f in self.findings],
        }
