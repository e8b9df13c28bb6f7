"""The history behind the gate's findings, as text and as a page of pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incumbent.cli.options import printable, say
from incumbent.cli.profiles import ranges
from incumbent.cli.sparkline import sparkline
from incumbent.gate import GateReport
from incumbent.gate.sift import Sifted
from incumbent.gate.traces import Explanation, explain
from incumbent.gate.wording import amount, describe
from incumbent.params import Params

PAGE = Path(".incumbent") / "gate.html"


@dataclass(frozen=True)
class Explained:
    """A report with its explanations, and the page that has them as pictures."""

    report: GateReport
    explanations: Sequence[Explanation]
    page: Path

    def to_json(self) -> dict[str, Any]:
        explained = [each.to_json() for each in self.explanations]
        return {**self.report.to_json(), "explained": explained, "page": str(self.page)}

    @property
    def lines(self) -> list[str]:
        """The reasons, each with its explanations, and where the page is."""
        lines = []
        for finding, reason in zip(self.report.failed, self.report.reasons, strict=True):
            lines.append(printable(reason))
            lines += [_in_a_line(each) for each in self.explanations if each.finding == finding]
        return [*lines, f"as pictures: {self.page}"]


def explained(report: GateReport, judged: Sequence[Sifted], project: Path, params: Params) -> Explained:
    """Explain the failed findings that the learned suite made, and write the page."""
    from incumbent.storage.dataset.history import kept_history, learned_here

    learned, kept = learned_here(project, params), kept_history(project)
    if learned is None:
        say("no limits are learned yet: 'incumbent expectations learn' makes them from the data")
    past = {name: kept[name].profile for name in (learned.partitions if learned else ()) if name in kept}
    explanations = [
        explanation
        for each in judged
        if learned and past and each.profile
        for explanation in explain(each.report.failed, each.profile, past, learned)
    ]
    return Explained(report, explanations, _write_page(report, explanations, project))


def _write_page(report: GateReport, explanations: Sequence[Explanation], project: Path) -> Path:
    from incumbent.local.state import make_private
    from incumbent.report.render import render_gate
    from incumbent.tables.atomic import atomic_write

    page, by_history = project / PAGE, [each.finding for each in explanations]
    others = [str(each) for each in report.failed if each not in by_history]
    pictures = [(each.finding.severity, str(each.finding), _picture(each)) for each in explanations]
    make_private(page.parent)  # it shows what is in the data
    with atomic_write(page) as part:
        part.write_text(render_gate({**report.to_json(), "others": others}, pictures), encoding="utf-8")
    return page


def _picture(explanation: Explanation) -> bytes:
    from incumbent.report.plots import history

    trace, limits = explanation.trace, explanation.broken or {}
    new = None if explanation.value is None else (Path(explanation.finding.partition).name, explanation.value)
    usual, outer = (
        (limits.get(low), limits.get(high)) for low, high in (("low", "high"), ("least", "greatest"))
    )
    return history(trace.values, new, usual, outer, describe(trace.figure, trace.column))


def _in_a_line(explanation: Explanation) -> str:
    trace, value = explanation.trace, explanation.value
    bars = sparkline([*trace.values.values(), value])
    now = "none" if value is None else amount(trace.figure, value)
    words = printable(describe(trace.figure, trace.column))
    return f"  {bars[:-1]} → {bars[-1]}  {words}: {now}{_ranges(explanation)}"


def _ranges(explanation: Explanation) -> str:
    """Where the value should be; where it is suspicious, unless it is worse than that."""
    should, outer = ranges(explanation.trace.figure, explanation.broken)
    if not should:
        return ""
    blocks = explanation.finding.severity == "critical"
    return f"; it should be {should}" + ("" if blocks else f", and is suspicious unless {outer}")
