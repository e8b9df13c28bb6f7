"""Gate new partitions before any model learns from them."""

from prefect import get_run_logger

from incumbent.gate import GateReport, Verdict
from incumbent.gate.probation import how_to_release, judge_probation, let_pass
from incumbent.storage.dataset.versions import arrivals_of
from incumbent.storage.s3.documents import now
from tasks import artifacts
from tasks.runs import Run
from tasks.step import step

MOST_PAGES = 20


@step
def gate(run: Run) -> tuple[Run, Verdict]:
    """Check the new partitions; the report goes to the UI and into the run's documents.

    The run goes on without blocked partitions, unless nothing new is left.
    """
    if document := run.read("gate"):
        aside = (document.get(name, ()) for name in ("left_out", "waiting", "on_probation"))
        return run.after_gate(*aside), Verdict(document["verdict"])
    from incumbent.gate.suites import load_suites
    from incumbent.gate.version import gate_version
    from incumbent.storage.dataset.history import judged_on_arrival
    from incumbent.storage.dataset.quarantine import open_quarantine

    suites = load_suites(run.project / "expectations")
    names = run.diff.fresh
    report = gate_version(
        list(zip(names, run.files(names), strict=True)),
        suites,
        run.params,
        lambda: {
            **open_quarantine(run.params).let_pass(run.data.partitions),
            **let_pass(run.probations, run.data.digests),
        },
        judged_on_arrival(run.project, {name: run.data.digests[name] for name in names}),
    )
    digests = run.data.digests
    suspicious = {name: digests[name] for name in report.on_probation}
    arrivals = arrivals_of(run.project, run.data.rev, suspicious)
    report = judge_probation(report, run.probations, digests, now(), arrivals, names)
    rest = run.after_gate(report.blocked, report.waiting, report.on_probation)
    if rest.diff.fresh or (run.strategy == "full" and rest.learned):
        report = report.leaving_out(report.blocked)
    keep_gate(run, report)
    return run if report.verdict is Verdict.BLOCK else rest, report.verdict


def refusals(run: Run) -> tuple[str, ...]:
    """Why the gate blocks the run's data, the most severe first, one sentence each."""
    return tuple(run.read("gate")["reasons"])


def probations_of(run: Run) -> tuple[str, ...]:
    """The partitions on probation: a sentence for each, with why and how to release it."""
    return how_to_release(GateReport.from_json(run.read("gate") or GateReport(0, ()).to_json()))


def keep_gate(run: Run, report: GateReport) -> None:
    artifacts.show_gate(report, _data_docs(run, report))
    run.write("gate", report.to_json())
    get_run_logger().info(
        "gate: %s (%d rows) %s", report.verdict.value, report.rows, "; ".join(report.reasons)
    )


def _data_docs(run: Run, report: GateReport) -> dict[str, str]:
    """Great Expectations' pages of the partitions of which something failed; name -> link."""
    failed = {finding.partition for finding in report.findings if not finding.success}
    names = sorted(failed & report.results.keys())[:MOST_PAGES]
    if run.seq is None or not names:
        return {}
    from incumbent.gate.gx import data_docs

    pages = {name: data_docs(f"{name}, run {run.seq}", report.results[name]) for name in names}
    return {
        name: run.registry.page(run.seq, f"gate-{number:02d}.html", page)
        for number, (name, page) in enumerate(pages.items(), start=1)
    }
