"""The gate's report: findings, and the verdict that follows from them.

A finding's severity is Great Expectations' own, `quarantine` where failing rows were set aside, or
`probation` where it makes its partition suspicious.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

QUARANTINE, PROBATION = "quarantine", "probation"
# Probation before quarantine: it keeps a whole partition from training, not some rows of it.
ORDER = ("critical", PROBATION, QUARANTINE, "warning", "info")
HISTORY = "history of "
"""Begins `about` where a figure's history is the judge: once released, the partition is part of it."""
SUSPICIOUS = {"probation": PROBATION, "warn": "warning", "block": "critical"}
"""The severity of suspicious findings, by gate.suspicious."""


class Verdict(StrEnum):
    PASS = "pass"
    WARN = "warn"
    QUARANTINE = "quarantine"
    PROBATION = "probation"
    BLOCK = "block"


@dataclass(frozen=True)
class Finding:
    """One expectation on one partition; `examples` are rows that break it, as text by column.

    final: it can't be released, as no model could learn from it. about: what it judges, without limits;
    value: what it observed, if that is a number. By these it is recognised in another partition. figure: the
    column (`*`: the table) and its figure, where the history is the judge. by_person: another partition with
    the same does not make it news, since a fault is likelier.
    """

    partition: str
    expectation: str
    severity: str
    success: bool
    observed: str
    examples: tuple[dict[str, str], ...] = ()
    final: bool = False
    about: str = ""
    value: float | None = None
    figure: tuple[str, str] | None = None
    by_person: bool = False

    def __str__(self) -> str:
        return f"{self.partition}: {self.expectation}: {self.observed}"

    def to_json(self) -> dict[str, Any]:
        """Without what only the record of probations keeps, or `gate --explain` asks for."""
        aside = ("about", "value", "figure", "by_person")
        return {name: value for name, value in asdict(self).items() if name not in aside}


@dataclass(frozen=True)
class GateReport:
    """`results` are Great Expectations' own, by partition, for its Data Docs; they stay out of the JSON.

    unlabelled: how many of the rows have no label; waiting: partitions in which no row has one; left_out:
    partitions that are blocked, while the others go on; news: what two arrivals show alike.
    """

    rows: int
    findings: tuple[Finding, ...]
    results: Mapping[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)
    unlabelled: int = 0
    waiting: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    news: tuple[str, ...] = ()

    @classmethod
    def of(cls, reports: Iterable["GateReport"]) -> "GateReport":
        """One report of several."""
        reports = tuple(reports)
        findings = tuple(finding for report in reports for finding in report.findings)
        results = {name: each for report in reports for name, each in report.results.items()}
        return cls(
            sum(report.rows for report in reports),
            findings,
            results,
            sum(report.unlabelled for report in reports),
            tuple(name for report in reports for name in report.waiting),
            tuple(name for report in reports for name in report.left_out),
            tuple(text for report in reports for text in report.news),
        )

    @property
    def verdict(self) -> Verdict:
        failed = {finding.severity for finding in self.findings if not finding.success}
        if "critical" in failed:
            return Verdict.BLOCK
        if PROBATION in failed:
            return Verdict.PROBATION
        if QUARANTINE in failed:
            return Verdict.QUARANTINE
        return Verdict.WARN if failed else Verdict.PASS

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The failed findings, the most severe first."""
        return tuple(
            sorted((f for f in self.findings if not f.success), key=lambda f: ORDER.index(f.severity))
        )

    @property
    def reasons(self) -> tuple[str, ...]:
        """The failed expectations, the most severe first, one sentence each."""
        return tuple(f"{finding.severity}: {finding}" for finding in self.failed)

    def naming(self, file: str) -> "GateReport":
        """The same of one partition, called by its file, as several may have files of one name."""
        return replace(self, findings=tuple(replace(each, partition=file) for each in self.findings))

    def excusing(self, partitions: Mapping[str, str]) -> "GateReport":
        """The same, where these partitions (name -> who released it, and why) only warn."""
        findings = tuple(
            replace(each, severity="warning", observed=f"{each.observed}; {partitions[each.partition]}")
            if each.partition in partitions and (_blocks(each) or _suspends(each)) and not each.final
            else each
            for each in self.findings
        )
        return replace(self, findings=findings)

    @property
    def blocked(self) -> tuple[str, ...]:
        """Partitions that a critical finding keeps out."""
        return tuple(dict.fromkeys(each.partition for each in self.findings if _blocks(each)))

    @property
    def on_probation(self) -> tuple[str, ...]:
        """Partitions that a suspicious finding keeps from training; not those that are blocked."""
        suspicious = dict.fromkeys(each.partition for each in self.findings if _suspends(each))
        return tuple(name for name in suspicious if name not in {*self.blocked, *self.left_out})

    def treating_suspicions(self, how: str) -> "GateReport":
        """The same, where suspicious findings have the severity that gate.suspicious = `how` gives them."""
        severity = SUSPICIOUS[how]
        findings = tuple(
            replace(each, severity=severity) if each.severity == PROBATION else each for each in self.findings
        )
        return replace(self, findings=findings)

    def leaving_out(self, partitions: Sequence[str]) -> "GateReport":
        """The same, where these partitions are set aside instead of blocking the others."""
        findings = tuple(
            replace(each, severity=QUARANTINE) if each.partition in partitions and _blocks(each) else each
            for each in self.findings
        )
        return replace(self, findings=findings, left_out=tuple(partitions))

    def to_json(self) -> dict[str, Any]:
        document = {
            "verdict": self.verdict.value,
            "rows": self.rows,
            "unlabelled": self.unlabelled,
            "waiting": list(self.waiting),
            "left_out": list(self.left_out),
            "findings": [f.to_json() for f in self.findings],
            "reasons": list(self.reasons),
        }
        # Only where there are any: `dvc repro` compares the bytes of documents that were made before.
        rare = {"on_probation": self.on_probation, "news": self.news}
        return document | {name: list(values) for name, values in rare.items() if values}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "GateReport":
        """What to_json wrote; documents of earlier versions lack later fields."""
        findings = tuple(
            Finding(**{**each, "examples": tuple(each["examples"])}) for each in document["findings"]
        )
        lists = (tuple(document.get(name, ())) for name in ("waiting", "left_out", "news"))
        return cls(document["rows"], findings, {}, document.get("unlabelled", 0), *lists)


def _suspends(finding: Finding) -> bool:
    return finding.severity == PROBATION and not finding.success


def _blocks(finding: Finding) -> bool:
    return finding.severity == "critical" and not finding.success
