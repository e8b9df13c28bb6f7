"""What people see of a run in the Prefect UI: markdown with tables and pictures."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

if TYPE_CHECKING:
    from incumbent.compare import SliceComparison
    from incumbent.evaluation.decide import Evidence
    from incumbent.evaluation.drift import Drift, Shift
    from incumbent.evaluation.feedback import Health
    from incumbent.evaluation.plan import Plan
    from incumbent.gate import Finding, GateReport
    from incumbent.training.cross_validation import CrossValidation


def show_gate(report: GateReport, pages: Mapping[str, str] | None = None) -> None:
    """A table of all expectations, and a summary with example rows; `pages` are links to Data Docs."""
    create_table_artifact(
        key="gate-expectations",
        description="Every expectation on every new partition, with what was observed",
        table=[
            {
                "partition": finding.partition,
                "severity": finding.severity,
                "passed": finding.success,
                "expectation": finding.expectation,
                "seen": finding.observed,
            }
            for finding in report.findings
        ],
    )
    failed = [finding for finding in report.findings if not finding.success]
    lines = [
        f"# Gate: {report.verdict.value}",
        f"{report.rows:,} new rows, {len(report.findings)} expectations, {len(failed)} failed.",
        *(f"- {reason}" for reason in report.reasons),
        *(_examples(finding) for finding in failed if finding.examples),
    ]
    if pages:
        links = ", ".join(f"[{name}]({link})" for name, link in pages.items())
        lines.append(f"Data Docs of Great Expectations (links for a week): {links}")
    create_markdown_artifact(
        key="gate",
        description="The gate's verdict on the new partitions, the reasons, and rows that break expectations",
        markdown="\n\n".join(lines),
    )


def show_probation(sentences: Sequence[str]) -> None:
    create_markdown_artifact(
        key="probation",
        description="Partitions that are kept and scored, and not trained on until they are released",
        markdown=f"# On probation\n\n{_bullets(sentences)}",
    )


def show_drift(drift: Drift) -> None:
    header = ("column", "shift", "PSI", "importance", "KS or JS", "Wasserstein", "empty before", "empty now")
    lines = [
        "# Drift since the champion was trained",
        f"{drift.now:,} new rows against {drift.before:,} of its training rows. {drift.share:.0%} of its "
        "gain rests on columns that moved (major: PSI above 0.25, more than chance).",
        _table(header, [_shift_row(shift) for shift in (drift.target, *drift.features[:20]) if shift]),
    ]
    create_markdown_artifact(
        key="drift",
        description="How far features and target moved, and how much of the gain rests on them",
        markdown="\n\n".join(lines),
    )


def show_health(health: Health) -> None:
    figures = [
        ("logged predictions", f"{health.logged:,}"),
        ("with a label", f"{health.labelled:,}"),
        (f"{health.metric} live", str(health.live or "–")),
        (f"{health.metric} promised", str(health.promised or "–")),
        ("worse by", str(health.loss or "–")),
        (f"{health.metric} estimated before labels come", _before_labels(health)),
    ]
    title = f"# Champion {health.version}: {'decayed' if health.decayed else 'no decay shown'}"
    table = _table(("what", "value and interval"), figures)
    markdown = [title, health.reason, health.estimate_reason, table]
    create_markdown_artifact(
        key="monitor",
        description="The champion's logged predictions against the labels that arrived later",
        markdown="\n\n".join(markdown),
    )


def _before_labels(health: Health) -> str:
    if (estimated := health.estimated) is None:
        return "–"
    interval = f"{estimated.value:.4f} [{estimated.low:.4f}, {estimated.high:.4f}]"
    return f"{interval} on {estimated.rows:,} predictions"


def show_plan(plan: Plan) -> None:
    create_markdown_artifact(
        key="plan",
        description="Skip, incremental or full, and the rules that decided it",
        markdown=f"# Plan: {plan.kind}\n\n{_bullets(plan.because)}",
    )


def show_study(trials: int, pruned: int, options: Mapping[str, Any], pictures: Mapping[str, bytes]) -> None:
    markdown = [
        f"# Tuning: {trials} trials, {pruned} pruned",
        _table(("option", "value"), [(name, f"{value:.5g}") for name, value in options.items()]),
        *(_image(title, png) for title, png in pictures.items()),
    ]
    create_markdown_artifact(
        key="tuning",
        description="The trials of the search for learner options, and the options that won",
        markdown="\n\n".join(markdown),
    )


def show_training(cv: CrossValidation | None, pictures: Mapping[str, bytes]) -> None:
    images = [_image(title, png) for title, png in pictures.items()]
    create_markdown_artifact(
        key="cross-validation",
        description="How well the model predicts rows that it was not trained on, fold by fold",
        markdown="\n\n".join([_estimate(cv), *images]),
    )


def _estimate(cv: CrossValidation | None) -> str:
    if cv is None:
        return "# Updated from the champion\n\nAn update is not cross-validated; the new rows judge it."
    if part := cv.left_out:
        interval = f" [{part.low:.4f}, {part.high:.4f}]" if part.low is not None else ""
        return (
            f"# Estimate: {cv.metric} {cv.mean:.4f}{interval}\n\n"
            f"{part.rows:,} rows, predicted by a training without their groups: {cv.rows:,} training rows "
            "are too many for folds (search.rows)"
        )
    return (
        f"# Cross-validation: {cv.metric} {cv.mean:.4f} ± {cv.std:.4f}\n\n"
        f"{len(cv.folds)} folds of {cv.rows:,} training rows: {', '.join(f'{s:.4f}' for s in cv.folds)}"
    )


def show_decision(
    kind: str,
    reasons: Sequence[str],
    evidence: Evidence | None,
    pictures: Mapping[str, bytes],
    report: str,
    question: str = "",
    notes: Sequence[str] = (),
) -> None:
    """The decision with its figures; `report` is a link to the run's whole report.

    question: for a challenger that waits for a person, markdown that says how to answer; notes: sentences on
    the run itself.
    """
    parts = [f"# Decision: {kind}", _bullets(reasons), question, *notes]
    parts.append(f"[The whole report]({report}) (link for a week)")
    if evidence and evidence.compared:
        comparison = evidence.compared
        rows = [
            ("champion", str(comparison.champion)),
            ("challenger", str(comparison.challenger)),
            ("difference", str(comparison.difference)),
            ("p", f"{comparison.p_value:.3g}"),
            ("judged on", comparison.judging_rows),
            *((f"{each.column} = {each.value}", _slice(each)) for each in evidence.slices),
            *_guardrails(evidence),
        ]
        parts.append(_table((comparison.metric, "value and interval"), rows))
    create_markdown_artifact(
        key="decision",
        description="Which model is champion and why, with every figure that was compared",
        markdown="\n\n".join([*parts, *(_image(t, png) for t, png in pictures.items())]),
    )


def _shift_row(shift: Shift) -> tuple[str, ...]:
    distance = shift.jensen_shannon if shift.kind == "category" else shift.ks
    figures = (shift.psi, shift.importance, distance, shift.wasserstein)
    cells = ("–" if value is None else f"{value:.3f}" for value in figures)
    return (shift.column, shift.words, *cells, f"{shift.missing_before:.1%}", f"{shift.missing_now:.1%}")


def _slice(result: SliceComparison) -> str:
    if result.comparison is None:
        return f"not judged: {result.reason}"
    worse = " worse" * result.worse
    return f"{result.comparison.difference}{worse}, on {result.comparison.judging_rows}"


def _guardrails(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """What was measured of the challenger alone."""
    if fair := evidence.fairness:
        yield f"selection rates of {fair.column}", f"{fair.parity_difference:.4f} apart at most"
        yield f"true or false positive rates of {fair.column}", f"{fair.odds_difference:.4f} apart at most"
    if evidence.calibration:
        yield "calibration error", f"{evidence.calibration.error:.4f}"
    if evidence.microseconds_per_row is not None:
        yield "time to predict a row", f"{evidence.microseconds_per_row:.1f} µs"
    if evidence.model_bytes is not None:
        yield "size of the model", f"{evidence.model_bytes:,} bytes"


def _examples(finding: Finding) -> str:
    header = list(finding.examples[0])
    rows = [tuple(row.values()) for row in finding.examples]
    return f"Rows that break `{finding.expectation}`:\n\n{_table(header, rows)}"


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _image(title: str, png: bytes) -> str:
    return f"![{title}](data:image/png;base64,{base64.b64encode(png).decode('ascii')})"
