"""Predictions are logged, labels come later, a broken promise starts a full retraining; people are told."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment
from prefect.events.schemas.automations import EventTrigger, Posture

from incumbent.storage.dataset.arrivals import add_partitions
from incumbent.storage.dataset.git import git
from tasks.events import emit
from tests.flows.conftest import Project
from tests.prefect_api import impatient

pytestmark = pytest.mark.slow

KEY = ["time_hour", "carrier", "flight"]


@pytest.fixture(scope="module")
def scored(
    project: Project, arrival: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """The champion's predictions for December, which nobody has learned from."""
    assert arrival["run"]
    out = tmp_path_factory.mktemp("scored") / "december.parquet"
    done = project.run("score", project.months[12], out, "--json")
    assert done.code == 0, done.err
    return dict(done.json)


def december(project: Project, flipped: bool = False) -> pd.DataFrame:
    labels = pd.read_parquet(project.months[12])[[*KEY, "late"]].drop_duplicates(KEY)
    return labels.assign(late=~labels["late"]) if flipped else labels


def eventually(what: Callable[[], Any], seconds: float = 90) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def test_predictions_are_logged_by_day_and_version(
    project: Project, scored: dict[str, Any], tmp_path: Path
) -> None:
    day = datetime.now(UTC).date()
    assert re.fullmatch(
        rf"s3://incumbent/registry/flights/predictions/{day}/{scored['version']}-\w+\.parquet",
        scored["logged"],
    )
    before = project.listing()
    again = project.run("score", project.months[12], tmp_path / "again.parquet", "--json")
    assert again.json["logged"] == scored["logged"]
    assert project.listing() == before


def test_without_labels_the_metric_is_estimated(project: Project, scored: dict[str, Any]) -> None:
    done = project.run("monitor", "--json")
    assert done.code == 0, done.err
    assert (done.json["version"], done.json["labelled"], done.json["live"]) == (scored["version"], 0, None)
    assert done.json["logged"] >= len(december(project))  # the champion may have scored other files, too
    estimated = done.json["estimated"]
    assert (estimated["metric"], estimated["rows"]) == ("roc_auc", done.json["logged"])
    assert 0.5 < estimated["low"] < estimated["value"] < estimated["high"] < 1
    assert "that have no label yet" in project.run("monitor").out


def test_labels_that_come_with_the_data_are_found_by_their_key(
    inside: Project, scored: dict[str, Any], tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    inside.git("clone", "--quiet", str(inside.path), str(clone))
    git(clone, "remote", "remove", "origin")  # what is added stays here
    git(clone, "config", "user.name", "tests")
    git(clone, "config", "user.email", "tests@incumbent.invalid")
    add_partitions(clone, [inside.months[12]])
    done = replace(inside, path=clone).run("monitor", "--json", **inside.environment)
    assert done.code == 0, done.err
    seen = done.json
    assert seen["labelled"] == len(december(inside))
    assert seen["live"]["low"] < seen["live"]["value"] < seen["live"]["high"]
    assert seen["promised"] is not None
    verdicts = inside.listing(f"registry/flights/monitor/{scored['version']}-")
    bodies = [inside.s3.get_object(Bucket="incumbent", Key=key)["Body"].read() for key in verdicts]
    assert seen["live"] in [json.loads(body)["live"] for body in bodies]


def test_a_file_without_the_key_is_refused_and_nothing_is_kept(project: Project, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    december(project).to_csv(good, index=False)
    december(project).drop(columns="carrier").to_csv(bad, index=False)
    done = project.run("monitor", "--labels", good, "--labels", bad)
    assert done.code == 1
    assert "lacks ['carrier']" in done.err
    assert "Traceback" not in done.err
    assert not project.listing("registry/flights/labels/")


def test_labels_that_contradict_each_other_are_refused_and_nothing_is_kept(
    project: Project, scored: dict[str, Any], tmp_path: Path
) -> None:
    one, other, words = (tmp_path / name for name in ("one.parquet", "other.csv", "words.csv"))
    december(project).to_parquet(one, index=False)
    december(project, flipped=True).head(600).to_csv(other, index=False)
    december(project).assign(late="perhaps").to_csv(words, index=False)
    done = project.run("monitor", "--labels", one, "--labels", other)
    assert done.code == 1
    assert "600 keys have different labels, such as time_hour = " in done.err
    done = project.run("monitor", "--labels", words)
    assert done.code == 1
    assert "Traceback" not in done.err
    assert not project.listing("registry/flights/labels/")


def test_a_broken_promise_starts_a_full_retraining(
    project: Project, scored: dict[str, Any], tmp_path: Path
) -> None:
    december(project, flipped=True).to_csv(tmp_path / "labels.csv", index=False)
    done = project.run("monitor", "--labels", tmp_path / "labels.csv", "--json")
    assert done.code == 0, done.err
    seen = done.json
    assert seen["labels"]["summary"] == [f"{len(december(project)):,} labels kept"]
    assert seen["decayed"], seen
    assert seen["loss"]["low"] > 0

    wanted = {
        "deployments": {"name": {"any_": ["on-decay"]}},
        "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
    }
    [run] = eventually(lambda: project.api("flow_runs/filter", wanted), 120)
    assert run["parameters"]["strategy"] == "full"
    assert run["parameters"]["started_by"].startswith("event ")
    [told] = project.api("events/filter", {"filter": {"event": {"name": ["model.decayed"]}}})["events"]
    assert told["payload"]["version"] == scored["version"]
    project.run("monitor", "--json")  # the same figures again: the same event
    assert (
        len(project.api("events/filter", {"filter": {"event": {"name": ["model.decayed"]}}})["events"]) == 1
    )


@pytest.fixture(scope="module")
def mailbox() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A webhook of somebody's chat: its address, and what was posted to it."""
    posted: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", posted
    server.shutdown()


@pytest.fixture
def subscribed(inside: Project, mailbox: tuple[str, list[dict[str, str]]]) -> list[dict[str, str]]:
    """The block that people make for their chat."""
    address, posted = mailbox
    CustomWebhookNotificationBlock(
        name="chat", url=address, method="POST", json_data={"subject": "{{subject}}", "body": "{{body}}"}
    ).save("incumbent-alerts", overwrite=True)
    return posted


def test_a_failed_run_is_told_with_its_reason(
    inside: Project, first: dict[str, Any], subscribed: list[dict[str, str]], tmp_path: Path
) -> None:
    nowhere = {"source": str(tmp_path / "nothing.parquet"), "target": str(tmp_path / "out.parquet")}
    run = run_deployment("score/score", parameters=nowhere, timeout=0)
    told = eventually(lambda: [each for each in subscribed if run.name in each["subject"]])
    assert told, subscribed
    assert "Failed" in told[0]["subject"]
    assert "no such file" in told[0]["body"]


def test_a_suspicious_month_is_told_with_its_reasons(
    inside: Project, subscribed: list[dict[str, str]]
) -> None:
    about = {
        "partitions": ["2013-05.parquet"],
        "reasons": ["2013-05.parquet: mean of distance: 9", "and more"],
    }
    resource = "incumbent.dataset.flights"
    emit(inside.path, "dataset.on-probation", resource, "flights", once="a test", payload=about)
    [told] = eventually(lambda: [each for each in subscribed if "on probation" in each["subject"]])
    assert told["subject"] == "incumbent: flights: 2013-05.parquet on probation"
    assert told["body"].startswith("2013-05.parquet: mean of distance: 9; and more. Not trained on until")


def test_blocked_data_are_told_with_the_reasons_and_what_to_do(
    inside: Project, subscribed: list[dict[str, str]]
) -> None:
    about = {"reasons": ["2013-05.parquet: column 'distance' is missing"], "kind": "block"}
    emit(inside.path, "dataset.blocked", "incumbent.dataset.flights", "flights", once="a test", payload=about)
    [told] = eventually(lambda: [each for each in subscribed if "blocked" in each["subject"]])
    assert told["subject"] == "incumbent: flights: the gate blocked data"
    assert told["body"].startswith("2013-05.parquet: column 'distance' is missing. Nothing was trained on it")
    assert told["body"].endswith("docs/runbook.md#blocked")


def test_a_new_champion_is_told_to_those_who_want_it(
    inside: Project, subscribed: list[dict[str, str]]
) -> None:
    def promote(version: str) -> None:
        about = {"champion": version, "reasons": ["better by .02"]}
        resource = "incumbent.model.flights"
        emit(inside.path, "model.promoted", resource, "flights", once=version, payload=about)

    with get_client(sync_client=True) as client:
        [wish] = [each for each in client.read_automations() if not each.enabled]
        promote("v701")
        client.resume_automation(wish.id)
        try:
            promote("v702")
            [told] = eventually(lambda: [each for each in subscribed if "is champion" in each["subject"]])
        finally:
            client.pause_automation(wish.id)
    assert told["subject"] == "incumbent: flights: v702 is champion"
    assert told["body"].startswith("better by .02. If it should not be: incumbent models rollback")


SILENCES = [
    pytest.param(
        "dataset.version.created", timedelta(days=3), "had no new data for three days", id="no data"
    ),
    pytest.param(
        "model.promoted",
        timedelta(days=90),
        "has had the same champion for ninety days",
        id="a stale champion",
    ),
]


@pytest.mark.parametrize(("event", "patience", "says"), SILENCES)
def test_silence_is_told(
    inside: Project, subscribed: list[dict[str, str]], event: str, patience: timedelta, says: str
) -> None:
    with get_client(sync_client=True) as client:
        [silence] = [
            automation
            for automation in client.read_automations()
            if isinstance(automation.trigger, EventTrigger)
            and automation.trigger.posture == Posture.Proactive
            and event in automation.trigger.expect
        ]
        assert silence.trigger.within == patience
        with impatient(client, silence):
            head = inside.git("rev-parse", "HEAD").strip()
            what = "dataset" if event.startswith("dataset") else "model"
            last = {"resource": f"incumbent.{what}.flights", "name": "flights", "once": "the last for long"}
            emit(inside.path, event, **last, payload={"rev": head})
            assert eventually(
                lambda: [each for each in subscribed if each["subject"] == f"incumbent: flights {says}"]
            )
