"""What the records of a model's runs add up to."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from incumbent.monitoring.documents import Document, Documents
from incumbent.monitoring.metrics import ANOMALIES, KINDS, VERDICTS, Sample
from incumbent.storage.s3.store import Listed, Store

BEHIND = 100
"""So many runs back a record may still be written: of a run that goes on, or died and is closed later."""
READ = ("decision.json", "drift.json", "cost.json", "anomalies.json")
SUMS = {
    "incumbent_run_cpu_seconds_total": "cpu_seconds",
    "incumbent_run_gpu_seconds_total": "gpu_seconds",
    "incumbent_s3_requests_total": "s3_requests",
    "incumbent_s3_retries_total": "s3_retries",
    "incumbent_s3_received_bytes_total": "received_bytes",
    "incumbent_s3_sent_bytes_total": "sent_bytes",
}
LAST = {
    "incumbent_run_peak_memory_bytes": "peak_memory_bytes",
    "incumbent_run_gpu_peak_memory_bytes": "gpu_peak_memory_bytes",
    "incumbent_run_gpu_utilization_ratio": "gpu_utilization",
}


def _part(key: str, document: Any) -> Any:
    """What is needed of a record, as there are thousands."""
    match key.rpartition("/")[2]:
        case "decision.json":
            return _Decision(
                kind=str(document["decision"]["kind"]),
                verdict=document["verdict"],
                fresh=(*document["data"]["added"], *document["data"]["changed"]),
                on_probation=tuple(document.get("on_probation", ())),
                seconds={str(step): float(spent) for step, spent in document["timings"].items()},
            )
        case "drift.json":
            return float(document["share"])
        case "gate.json":
            failed = (each for each in document["findings"] if not each["success"])
            return frozenset((each["partition"], each["severity"]) for each in failed)
        case "start.json":
            return tuple(document.get("blocked", ()))
        case "anomalies.json":
            return Counter(str(each["kind"]) for each in document)
    return document


@dataclass(frozen=True)
class _Decision:
    kind: str
    verdict: str | None
    fresh: tuple[str, ...]
    on_probation: tuple[str, ...]
    seconds: Mapping[str, float]


@dataclass
class _Run:
    """A run's records as far as they are read; `decided`: Unix time."""

    decision: _Decision | None = None
    decided: float = 0.0
    drift: float | None = None
    cost: Mapping[str, Any] | None = None
    anomalies: Mapping[str, int] = field(default_factory=dict)
    arrivals: frozenset[tuple[str, str]] = frozenset()
    refused: int = 0


class Runs:
    """The runs of one model. Records stay as they are, so a refresh lists the latest runs only."""

    def __init__(self, store: Store, model: str) -> None:
        self._store, self._top = store, f"{model}/runs/"
        self._documents = Documents(store, _part)
        self._runs: dict[int, _Run] = {}

    def refresh(self) -> None:
        """Read what is new. Raises StorageUnavailable, NotFound, Tampered."""
        since = max((number for number, run in self._runs.items() if run.decision), default=0) - BEHIND
        after = f"{self._top}{max(0, since):012d}/~"
        listed = {each.key: each for each in self._store.listing(self._top, after=after)}
        wanted = [each for key, each in listed.items() if key.endswith(READ)]
        for document in self._documents.read(wanted):
            self._take(document, listed)

    def _take(self, document: Document, listed: Mapping[str, Listed]) -> None:
        folder, _, name = document.key.rpartition("/")
        run = self._runs.setdefault(int(folder.rpartition("/")[2]), _Run())
        if name == "drift.json":
            run.drift = document.content
        elif name == "cost.json":
            run.cost = document.content
        elif name == "anomalies.json":
            run.anomalies = document.content
        else:
            run.decision, run.decided = document.content, document.written.timestamp()
            self._take_arrivals(run, folder, listed)

    def _take_arrivals(self, run: _Run, folder: str, listed: Mapping[str, Listed]) -> None:
        """Only what did not simply pass needs more than the decision."""
        decision = run.decision
        if decision is None or decision.verdict is None:
            return  # the gate was not reached
        findings: frozenset[tuple[str, str]] = frozenset()
        if decision.verdict != "pass":
            findings = next(iter(self._more(f"{folder}/gate.json", listed)), frozenset())
        if decision.kind == "block":
            # A file that was blocked on arrival is in no data version, and counts each time that it comes.
            run.refused = len(next(iter(self._more(f"{folder}/start.json", listed)), ()))
        if not run.refused:
            run.arrivals = frozenset(_judged(decision, findings))

    def _more(self, key: str, listed: Mapping[str, Listed]) -> list[Any]:
        return [each.content for each in self._documents.read([listed[key]] if key in listed else [])]

    def samples(self, model: str, currency: str | None) -> Iterator[Sample]:
        """Of all runs that were read; currency: of the prices that params.yaml has now."""
        runs = [run for _, run in sorted(self._runs.items())]
        yield from _decisions(model, runs)
        yield from _arrivals(model, runs)
        yield from _costs(model, runs, currency)
        anomalies = sum((Counter(run.anomalies) for run in runs), Counter[str]())
        for kind in dict.fromkeys((*ANOMALIES, *sorted(anomalies))):
            yield Sample("incumbent_training_anomalies_total", (model, kind), anomalies[kind])
        for share in [run.drift for run in runs if run.drift is not None][-1:]:
            yield Sample("incumbent_drift_ratio", (model,), share)


def _judged(decision: _Decision, findings: frozenset[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """(partition, verdict) of what was new to a run."""
    severities: dict[str, set[str]] = {}
    for partition, severity in findings:
        severities.setdefault(partition, set()).add(severity)
    for partition in decision.fresh:
        failed = severities.get(partition, set())
        if "critical" in failed:
            yield partition, "blocked"
        elif partition in decision.on_probation:
            yield partition, "probation"
        elif failed - {"info"}:
            yield partition, "warned"
        elif decision.kind != "block":
            yield partition, "passed"


def _decisions(model: str, runs: list[_Run]) -> Iterator[Sample]:
    decided = [(run.decision, run.decided) for run in runs if run.decision]
    counts = Counter(decision.kind for decision, _ in decided)
    for kind in dict.fromkeys((*KINDS, *sorted(counts))):
        yield Sample("incumbent_decisions_total", (model, kind), counts[kind])
    last: dict[str, float] = {}
    for decision, at in decided:
        last[decision.kind] = max(at, last.get(decision.kind, 0.0))
    for kind, at in last.items():
        yield Sample("incumbent_last_decision_timestamp_seconds", (model, kind), at)
    for seconds in [decision.seconds for decision, _ in decided if decision.seconds][-1:]:
        for step, spent in seconds.items():
            yield Sample("incumbent_run_seconds", (model, step), spent)


def _arrivals(model: str, runs: list[_Run]) -> Iterator[Sample]:
    # Until a champion has learned from it, a partition is new to each run: it counts once for a verdict.
    judged = Counter(verdict for _, verdict in frozenset().union(*(run.arrivals for run in runs)))
    judged["blocked"] += sum(run.refused for run in runs)
    for verdict in VERDICTS:
        yield Sample("incumbent_arrivals_total", (model, verdict), judged[verdict])


def _costs(model: str, runs: list[_Run], currency: str | None) -> Iterator[Sample]:
    costs = [run.cost for run in runs if run.cost is not None]
    for metric, name in SUMS.items():
        known = [cost[name] for cost in costs if cost.get(name) is not None]
        if known or name != "gpu_seconds":
            yield Sample(metric, (model,), sum(known))
    for metric, name in LAST.items():
        if costs and costs[-1].get(name) is not None:
            yield Sample(metric, (model,), costs[-1][name])
    money = Counter({currency: 0.0} if currency else {})
    for spent in (cost["money"] for cost in costs if cost.get("money")):
        money[spent["currency"]] += spent["amount"]
    for currency, amount in sorted(money.items()):
        yield Sample("incumbent_run_money_total", (model, currency), amount)
