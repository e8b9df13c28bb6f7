"""The metrics of a real registry: each value is what the records say, and no server can hold up a scrape."""

import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from incumbent.local.workspace import DEPLOYMENTS
from incumbent.monitoring.collector import Samples
from incumbent.monitoring.metrics import KINDS, METRICS, Sample
from incumbent.monitoring.model import TIMEOUT, Project
from incumbent.params import load_params
from incumbent.storage.dataset.arrived import arrived_rows
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.quarantine import open_quarantine
from incumbent.storage.dataset.versions import PROBATION, resolve
from incumbent.storage.registry.registry import Registry, open_registry
from incumbent.storage.s3.address import open_store
from incumbent.storage.s3.store import Store
from incumbent.storage.serving.prediction_log import open_feedback
from incumbent.tables.sources import Source
from tests.building import ROOT
from tests.commands import Done, called, variables
from tests.conftest import BUCKET, S3
from tests.flows.conftest import change
from tests.storage.calls import watched
from tests.storage.clones import identify

KEPT = ROOT / "tests" / "kept" / "8cde439"
TEMPLATE = ROOT / "incumbent/cli/templates/project" / DEPLOYMENTS
COST = {
    "cpu_seconds": 12.5,
    "gpu_seconds": None,
    "peak_memory_bytes": 400_000_000,
    "gpu_peak_memory_bytes": None,
    "gpu_utilization": None,
    "s3_requests": 60,
    "s3_retries": 1,
    "received_bytes": 1000,
    "sent_bytes": 2000,
    "wall_seconds": 20.0,
    "money": {"amount": 0.25, "currency": "EUR"},
}


@dataclass(frozen=True)
class Kept:
    """A project of an earlier release, cloned, with its registry at an address of its own."""

    path: Path
    s3: S3
    store: Store
    registry: Registry

    def metrics(self, *args: str | Path) -> Done:
        return called("metrics", *args, project=self.path, **self.s3.environment)

    def values(self) -> dict[tuple[str, ...], float]:
        """Name and labels' values -> value, as Prometheus reads the exposition."""
        done = self.metrics()
        assert done.code == 0, done.err
        return parsed(done.out)

    @contextmanager
    def within(self) -> Iterator[None]:
        """Its S3 is this process's."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.s3.environment.items():
                patch.setenv(name, value)
            yield

    def decide(self, kind: str, gate: dict[str, Any] | None = None, **outcome: Any) -> int:
        """A run with this decision, recorded as runs record it."""
        run = self.registry.start_run({"started_by": "test", "blocked": outcome.pop("blocked", [])})
        if gate is not None:
            self.registry.record(run, "gate.json", json.dumps(gate).encode())
        document = {
            "run": run,
            "data": {"added": outcome.pop("added", []), "changed": [], "removed": []},
            "verdict": gate["verdict"] if gate else None,
            "decision": {"kind": kind, "reasons": ["because"]},
            "timings": {},
            **outcome,
        }
        self.registry.record(run, "decision.json", json.dumps(document).encode())
        return run


def parsed(exposition: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(sample.labels[label] for label in METRICS[sample.name].labels)): sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
    }


def finding(partition: str, severity: str) -> dict[str, Any]:
    return {"partition": partition, "severity": severity, "success": False}


@pytest.fixture
def kept(s3: S3, tmp_path: Path) -> Kept:
    address = f"s3://{BUCKET}/{tmp_path.name}"
    store = open_store(f"{address}/registry")
    for path in sorted((KEPT / "bucket" / "registry").rglob("*")):
        if path.is_file():
            store.put(path.relative_to(KEPT / "bucket" / "registry").as_posix(), path.read_bytes())
    project = tmp_path / "folder"
    git(KEPT, "clone", "--quiet", "--branch", "main", str(KEPT / "project.bundle"), str(project))
    identify(project)
    change(project / "params.yaml", {"registry": {"address": f"{address}/registry"}})
    return Kept(project, s3, store, open_registry(load_params(project), project))


def test_the_values_are_what_the_records_say(kept: Kept) -> None:
    values = kept.values()
    champion = kept.registry.champion()
    assert champion
    assert values["incumbent_up", "flights"] == 1
    assert values["incumbent_registry_verified", "flights"] == 1
    assert values["incumbent_champion_info", "flights", champion.version, "false"] == 1
    began = datetime.fromisoformat(champion.at).timestamp()
    assert values["incumbent_champion_timestamp_seconds", "flights"] == pytest.approx(began)
    promised = kept.registry.manifest(champion.version)["metrics"]["holdout"]
    for end in ("value", "low", "high"):
        assert values[f"incumbent_metric_{end}", "flights", "roc_auc", "promised"] == promised[end]
    decisions = {run: each["kind"] for run, each in kept.registry.decisions(range(1, 5)).items()}
    for kind in KINDS:
        assert values["incumbent_decisions_total", "flights", kind] == [*decisions.values()].count(kind)
    assert values["incumbent_arrivals_total", "flights", "passed"] == 3
    committed = float(git(kept.path, "log", "-1", "--format=%ct", "--", "data.dvc"))
    assert values["incumbent_data_timestamp_seconds", "flights"] == committed
    drift = json.loads(kept.registry.read_record(max(decisions), "drift.json"))
    assert values["incumbent_drift_ratio", "flights"] == drift["share"]
    outcome = json.loads(kept.registry.read_record(max(decisions), "decision.json"))
    steps = {labels[2]: value for labels, value in values.items() if labels[0] == "incumbent_run_seconds"}
    assert steps == outcome["timings"]
    assert values["incumbent_pending_approvals", "flights"] == 0
    assert abs(values["incumbent_clock_offset_seconds",]) < 2
    assert 0 < values["incumbent_disk_free_ratio", str(kept.path)] < 1


def test_the_last_decision_of_a_kind_is_as_old_as_its_record(kept: Kept) -> None:
    before = kept.values()
    assert before["incumbent_decisions_total", "flights", "skip"] == 0
    assert ("incumbent_last_decision_timestamp_seconds", "flights", "skip") not in before
    kept.decide("skip")
    after = kept.values()
    assert after["incumbent_decisions_total", "flights", "skip"] == 1
    at = after["incumbent_last_decision_timestamp_seconds", "flights", "skip"]
    assert abs(at - time.time()) < 5
    assert (
        after["incumbent_decisions_total", "flights", "hold"]
        == before["incumbent_decisions_total", "flights", "hold"]
    )


def test_arrivals_count_by_what_the_gate_made_of_them(kept: Kept) -> None:
    gate = {
        "verdict": "probation",
        "findings": [
            finding("2013-05.parquet", "warning"),
            finding("2013-06.parquet", "probation"),
            {**finding("2013-07.parquet", "critical"), "success": True},
            finding("2013-07.parquet", "info"),
        ],
    }
    added = ["2013-05.parquet", "2013-06.parquet", "2013-07.parquet"]
    for _ in range(2):  # held: the next run judges the same partitions again
        kept.decide("hold", gate, added=added, on_probation=["2013-06.parquet"])
    blocked = {"verdict": "block", "findings": [finding("2013-08.parquet", "critical")]}
    for _ in range(2):  # the same file comes a second time
        kept.decide("block", blocked, added=["august.csv", "more.csv"], blocked=["august.csv", "more.csv"])
    pushed = {"verdict": "block", "findings": [finding("2013-09.parquet", "critical")]}
    kept.decide("block", pushed, added=["2013-09.parquet", "2013-10.parquet"])
    values = kept.values()
    counts = {labels[2]: count for labels, count in values.items() if labels[0] == "incumbent_arrivals_total"}
    assert counts == {"passed": 3 + 1, "warned": 1, "probation": 1, "blocked": 2 * 2 + 1}


def test_costs_and_anomalies_add_up_and_what_a_machine_lacks_is_absent(kept: Kept) -> None:
    first, second = kept.decide("hold"), kept.decide("skip")
    before = kept.values()
    assert before["incumbent_run_cpu_seconds_total", "flights"] == 0
    assert before["incumbent_training_anomalies_total", "flights", "nan_loss"] == 0
    for run, cost in (
        (first, COST),
        (second, {**COST, "cpu_seconds": 0.5, "peak_memory_bytes": 7, "money": None}),
    ):
        kept.registry.record(run, "cost.json", json.dumps(cost).encode())
    anomalies = [{"kind": "nan_loss", "what": "trial 3"}, {"kind": "slow_trial", "what": "trial 4"}] * 2
    kept.registry.record(second, "anomalies.json", json.dumps(anomalies).encode())
    values = kept.values()
    assert values["incumbent_run_cpu_seconds_total", "flights"] == 13
    assert values["incumbent_s3_requests_total", "flights"] == 120
    assert values["incumbent_s3_retries_total", "flights"] == 2
    assert values["incumbent_s3_received_bytes_total", "flights"] == 2000
    assert values["incumbent_s3_sent_bytes_total", "flights"] == 4000
    assert values["incumbent_run_peak_memory_bytes", "flights"] == 7
    assert values["incumbent_run_money_total", "flights", "EUR"] == 0.25
    assert values["incumbent_training_anomalies_total", "flights", "nan_loss"] == 2
    assert not [labels for labels in values if "gpu" in labels[0]]


def test_live_and_estimated_figures_are_those_of_the_last_report_of_monitor(kept: Kept) -> None:
    champion = kept.registry.champion()
    assert champion
    params = load_params(kept.path)
    interval = {"value": 0.6, "low": 0.5, "high": 0.7}
    report = {"metric": "roc_auc", "live": None, "estimated": None, "decayed": False}
    feedback = open_feedback(params)
    feedback.keep_verdict("v1", {**report, "live": {**interval, "value": 0.1}})
    feedback.keep_verdict(champion.version, {**report, "live": {**interval, "value": 0.2}})
    time.sleep(1.1)  # S3 tells when it wrote an object to the second
    estimate = {"metric": "roc_auc", "value": 0.65, "low": 0.6, "high": 0.68, "rows": 500}
    feedback.keep_verdict(
        champion.version, {**report, "live": interval, "estimated": estimate, "decayed": True}
    )
    values = kept.values()
    assert values["incumbent_champion_decayed", "flights"] == 1
    for end in ("value", "low", "high"):
        assert values[f"incumbent_metric_{end}", "flights", "roc_auc", "live"] == interval[end]
        assert values[f"incumbent_metric_{end}", "flights", "roc_auc", "estimated"] == estimate[end]
    time.sleep(1.1)
    feedback.keep_verdict(champion.version, {**report, "estimated": {**estimate, "value": 0.62}})
    values = kept.values()
    assert values["incumbent_metric_value", "flights", "roc_auc", "estimated"] == 0.62
    assert values["incumbent_metric_value", "flights", "roc_auc", "live"] == 0.6
    assert values["incumbent_champion_decayed", "flights"] == 1


def test_without_late_labels_the_live_figure_is_that_of_the_last_arrival(kept: Kept) -> None:
    champion = kept.registry.champion()
    assert champion
    key = "incumbent_metric_value", "flights", "roc_auc", "live"
    assert key not in kept.values()
    for run, value in ((8, 0.71), (9, 0.69)):
        score = {"champion": {"version": champion.version, "value": value}, "metric": "roc_auc", "run": run}
        kept.registry.put_score(f"2014-0{10 - run}.parquet", score)
    assert kept.values()[key] == 0.69


def test_rows_count_what_ever_arrived(kept: Kept) -> None:
    """Also a corrected partition, with its rows before and after, and one that was removed."""
    profiles = kept.path / "expectations" / "profiles"
    (profiles / "größe").mkdir(parents=True)
    before = kept.values()["incumbent_arrived_rows_total", "flights"]

    def commit(name: str, md5: str, rows: int) -> None:
        (profiles / name).write_text(json.dumps({"md5": md5, "rows": rows, "columns": {}}) + "\n")
        git(kept.path, "add", "--all")
        git(kept.path, "commit", "--quiet", "--message", "Arrive")

    commit("größe/2014-01.json", "a", 100)
    source = Project(kept.path)
    with kept.within():
        read = lambda: {each.metric: each.value for each in source.read()}["incumbent_arrived_rows_total"]  # noqa: E731
        assert read() == before + 100
        commit("2014-02.json", "b", 10)
        commit("2014-02.json", "c", 7)
        assert read() == before + 117
        git(kept.path, "rm", "--quiet", str(profiles / "größe/2014-01.json"))
        git(kept.path, "commit", "--quiet", "--message", "Remove")
        assert read() == before + 117
    assert kept.values()["incumbent_arrived_rows_total", "flights"] == before + 117
    # Amended away: what was known stays, and the new history counts.
    gone = git(kept.path, "rev-parse", "HEAD")
    assert sum(arrived_rows(kept.path, gone).values()) == 0
    assert sum(arrived_rows(kept.path, "0" * 40).values()) == before + 117


def test_what_waits_for_a_person_is_counted(kept: Kept, tmp_path: Path) -> None:
    params = load_params(kept.path)
    quarantine = open_quarantine(params)
    entries = []
    for name in ("a.csv", "ä.csv"):
        (tmp_path / name).write_text(name)
        entries.append(quarantine.keep(Source(tmp_path / name, PurePosixPath(name)), ["bad"], None))
    assert kept.values()["incumbent_quarantined_files", "flights"] == 2
    quarantine.mark_released(entries[0], "it is right", "abc", [])
    champion = kept.registry.champion()
    kept.registry.approvals.ask("v2", 9, champion, ("better",))
    remote = open_store(f"s3://{BUCKET}/kept/{KEPT.name}/dvc")
    for path in (KEPT / "bucket" / "dvc").rglob("*.dir"):
        remote.put(path.relative_to(KEPT / "bucket" / "dvc").as_posix(), path.read_bytes())
    with kept.within():
        data = resolve(kept.path)
    name, md5 = next(iter(data.digests.items()))
    record = (
        f"{name}:\n  md5: {md5}\n  since: 2026-01-01T00:00:00+00:00\n  reasons: [odd]\n  suspicions: []\n"
    )
    (kept.path / PROBATION).write_text(record)
    git(kept.path, "add", "--all")
    git(kept.path, "commit", "--quiet", "--message", "Put on probation")
    values = kept.values()
    assert values["incumbent_quarantined_files", "flights"] == 1
    assert values["incumbent_pending_approvals", "flights"] == 1
    assert values["incumbent_probation_partitions", "flights"] == 1


@pytest.mark.parametrize("spoilt", ["champion.json", "log/000000000002.json", "versions/v3/manifest.json"])
def test_a_champion_that_was_tampered_with_is_not_verified(kept: Kept, spoilt: str) -> None:
    key = f"flights/{spoilt}"
    document = json.loads(kept.store.get(key).body)
    document.pop("version")
    kept.store.put(key, json.dumps(document).encode())
    values = kept.values()
    assert values["incumbent_registry_verified", "flights"] == 0
    assert values["incumbent_up", "flights"] == 1
    assert not [labels for labels in values if labels[0] == "incumbent_champion_info"]


def test_a_champion_whose_entry_was_removed_is_not_verified(kept: Kept) -> None:
    kept.store.delete("flights/champion.json")
    assert kept.values()["incumbent_registry_verified", "flights"] == 0


def test_a_project_that_cannot_be_read_hides_no_other(kept: Kept) -> None:
    root = kept.path.parent
    shutil.copyfile(TEMPLATE, root / DEPLOYMENTS)
    broken = root / "broken"
    broken.mkdir()
    (broken / "data.dvc").write_text("")
    (broken / "params.yaml").write_text("dataset: {name: 7")
    done = called("metrics", project=root, **kept.s3.environment)
    assert done.code == 0
    values = parsed(done.out)
    assert values["incumbent_up", "flights"] == 1
    assert values["incumbent_up", "broken"] == 0
    assert f"{broken}: {broken / 'params.yaml'}" in done.err


def test_a_server_that_hangs_does_not_hold_up_a_scrape(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        done = called("metrics", project=kept.path, **{**kept.s3.environment, "AWS_ENDPOINT_URL": address})
        assert time.monotonic() - start < 15
    assert parsed(done.out)["incumbent_up", "flights"] == 0
    assert address in done.err


def test_what_takes_too_long_is_absent_and_not_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("incumbent.monitoring.collector.PATIENCE", 0.2)
    go_on, calls = threading.Event(), []

    class Slow:
        def read(self) -> list[Sample]:
            calls.append(1)
            go_on.wait(20)
            return [Sample("incumbent_up", ("slow",), 1)]

        def unread(self) -> list[Sample]:
            return [Sample("incumbent_up", ("slow",), 0)]

    slow = Slow()
    samples = Samples(lambda: {"slow": slow})
    assert [each.value for each in samples.samples()] == [0]
    assert [each.value for each in samples.samples()] == [0]
    assert len(calls) == 1
    go_on.set()
    time.sleep(0.1)
    assert [each.value for each in samples.samples()] == [1]


def test_a_scrape_reads_only_what_is_new(kept: Kept) -> None:
    for _ in range(20):
        kept.decide("skip")
    with kept.within():
        source = Project(kept.path)
        source.read()
        connection = open_store(f"s3://{BUCKET}", TIMEOUT).connection
        with watched(connection) as calls:
            source.read()
        assert len(calls.seen) < 10
        assert {method for method, _ in calls.seen} == {"GET"}
        run = kept.decide("skip")
        with watched(connection) as more:
            values = {(each.metric, *each.labels): each.value for each in source.read()}
        assert [path for _, path in more.seen if path.endswith(f"/runs/{run:012d}/decision.json")]
        assert len(more.seen) == len(calls.seen) + 1
        assert values["incumbent_decisions_total", "flights", "skip"] == 21


def test_they_are_served_until_the_process_is_stopped(kept: Kept) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "incumbent", "metrics", "--project", str(kept.path), "--listen", place]
    environment = variables(**kept.s3.environment, INCUMBENT_LOGIN="me:secret")
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        assert process.stderr.readline() == f"metrics at http://{place}/metrics\n"
        page = httpx.get(f"http://{place}/metrics", auth=("me", "secret"), timeout=20)
        assert parsed(page.text)["incumbent_up", "flights"] == 1
        assert page.headers["content-type"].startswith("text/plain; version=")
        assert httpx.get(f"http://{place}/metrics").status_code == 401
    finally:
        process.terminate()
    assert process.wait(20) == 143


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    done = called("metrics", project=tmp_path)
    assert (done.code, done.out) == (1, "")
    assert "params.yaml" in done.err


@pytest.mark.parametrize("listen", ["9464", "127.0.0.1:", "127.0.0.1:99999", "300.0.0.1:9464"])
def test_an_address_that_cannot_be_listened_at_is_refused(kept: Kept, listen: str) -> None:
    done = kept.metrics("--listen", listen)
    assert done.code == 1
    assert f"--listen {listen}: " in done.err


def test_the_table_of_the_guide_has_every_metric() -> None:
    text = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`incumbent_[^|]+) \|", text, re.MULTILINE)
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == list(METRICS)
