"""Things die in the middle, or come all at once: nothing hangs, nothing is lost, nothing is done twice.

In the order in which it is written, on a stack of its own: servers and workers are killed here.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import psutil
import pytest
from optuna.trial import TrialState
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.schemas.automations import Automation
from prefect.logging import disable_run_logger

from incumbent.challenger import make_full, search
from incumbent.local import stack
from incumbent.local.loopback import ask_prefect
from incumbent.params import load_params
from incumbent.search.studies import study_ref
from incumbent.storage.dataset.arrivals import add_partitions
from incumbent.storage.dataset.versions import fetch, resolve
from incumbent.storage.registry.registry import Claimed
from incumbent.tables.partitions import Diff
from tasks.announcement import Version, announce
from tasks.runs import LEASE_SECONDS
from tests.effort import DEEP
from tests.flows.conftest import Project, change, running, within
from tests.flows.preparing import prepared
from tests.prefect_api import impatient, prefect_api

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # a busy machine takes its time
TRAINED = {"promote", "hold", "reject"}
ENDED = {"COMPLETED", "CRASHED", "FAILED", "CANCELLED"}
BURST = 10 if DEEP else 3


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, year: dict[int, Path]) -> Iterator[Project]:
    """January and its champion. Training takes some seconds, so that a signal can hit it."""
    changes: dict[str, dict[str, Any]] = {
        "search": {"trials": 4},
        "learner": {"rounds": 200, "patience": 200, "checkpoint": 50},
        "promotion": {"seeds": 3, "window": 20},
        "retrain": {"min_rows": 100},
    }
    with running(tmp_path_factory.mktemp("interrupted"), year, **changes) as project:
        allow_short_partitions(project)
        done = project.run("retrain", "--json")
        assert done.code == 0, done.err
        with within(project.environment):
            yield project


# --- many at once


@pytest.mark.timeout(900)  # a process each, one after the other
def test_of_a_burst_of_versions_the_last_is_trained_and_the_others_are_told_of(
    place: Project, tmp_path: Path
) -> None:
    began, versions = time.monotonic(), []
    for file in parts(place.months[2], tmp_path, BURST):
        versions.append(add_partitions(place.path, [file]))
        announce.fn(place.path, Version(versions[-1], Diff(added=(file.name,))))
    took = time.monotonic() - began
    runs = eventually(lambda: ended(place, BURST), 500)
    assert {run["state_type"] for run in runs} == {"COMPLETED"}

    records = [outcome for outcome in outcomes(place) if outcome["started_by"].startswith("event ")]
    trained = [record for record in records if record["decision"]["kind"] in TRAINED]
    assert 1 <= len(trained) <= 2, f"{took:.0f} s for the burst; {kinds(records)}"
    assert trained[-1]["data"]["rev"] == versions[-1].rev
    assert not overlapping(runs)

    latest = versions[-1].short
    for version in versions[:-1]:
        told = [record for record in records if record["data"]["rev"] == version.rev]
        reasons = " ".join(reason for record in told for reason in record["decision"]["reasons"])
        if version.rev in {record["data"]["rev"] for record in trained}:
            assert f"decided data version {version.short}" in reasons
        else:
            assert {record["decision"]["kind"] for record in told} == {"skip"}
            assert f"data version {version.short} was superseded by" in reasons
        assert latest in reasons or trained[0]["data"]["name"] in reasons
    manifest = place.run("models", "show", trained[-1]["challenger"], "--json").json
    assert set(manifest["data"]["partitions"]) == {p.name for p in versions[-1].partitions}


# --- the run's own process


def test_a_run_that_is_killed_and_then_told_to_stop_is_finished_by_the_third(place: Project) -> None:
    other_work(place, 1)
    first, its = start(place), folder_with(place, "study.json")
    eventually(lambda: list(its.glob("checkpoint-*")))  # it is at its last step of training
    process_of(first).kill()
    assert ends_as(place, first, 30) == "CRASHED"

    second = start(place)
    heirs = folder_with(place, "resumed.json")
    process = process_of(second)
    eventually(lambda: "choose_window" in (read(heirs / "timings.json") or {}))
    process.terminate()
    assert ends_as(place, second, 20) == "CRASHED"
    eventually(lambda: gone(process), 20)

    began, third = time.monotonic(), start(place)
    folder_with(place, "resumed.json")
    assert time.monotonic() - began < 100, "it waited for a lease to expire"
    assert ends_as(place, third, 240) == "COMPLETED"
    last = outcomes(place)[-1]
    assert last["decision"]["kind"] in TRAINED
    assert last["resumed_from"] == int(heirs.name)
    assert read(heirs / "resumed.json")["from"] == int(its.name)
    assert not list(runs_of(place)[-1].glob("checkpoint-*"))
    study = (its / "study.json").read_bytes()
    assert study == (heirs / "study.json").read_bytes() == (runs_of(place)[-1] / "study.json").read_bytes()
    manifest = place.run("models", "show", last["challenger"], "--json").json
    assert (manifest["run_seq"], manifest["resumed_from"]) == (last["run"], int(heirs.name))
    assert manifest["files"]["model.txt"]["sha256"] == uninterrupted(place)
    assert f"resumed from run {int(heirs.name)}" in (runs_of(place)[-1] / "report.html").read_text()
    accounts = [read(folder / "usage.json")["resources"]["cpu_seconds"] for folder in (its, heirs)]
    assert 0 < accounts[0] < accounts[1] < cost_of(place, last["run"])["cpu_seconds"], "the parts add up"


def cost_of(place: Project, run: int) -> dict[str, Any]:
    """The run's cost, as `models history --cost` lists it."""
    listed = place.run("models", "history", "--cost", "--json").json["runs"]
    [cost] = [each for each in listed if each["run"] == run]
    return dict(cost)


def uninterrupted(place: Project) -> str:
    """sha256 of the model that a run makes which nobody interrupts."""
    params, data = load_params(place.path), resolve(place.path)
    paths = fetch(place.path, data, [partition.name for partition in data.partitions])
    out = place.path / ".incumbent" / "uninterrupted"
    out.mkdir()
    make_full(paths, params, search(paths, params), out, estimate=False)
    return hashlib.sha256((out / "model.txt").read_bytes()).hexdigest()


def test_a_promotion_that_was_not_told_is_told_by_the_next(place: Project) -> None:
    other_work(place, 4)
    with disable_run_logger():
        dead = prepared(place, seed=4)
    assert dead.seq
    dead.registry.promote(dead.version, dead.seq, dead.registry.champion(), "better")
    again = dead.registry.claim(dead.work, dead.seq, -1)
    assert isinstance(again, Claimed)
    dead.registry.release(again.claim)

    done = place.run("retrain", "--strategy", "full", "--json")
    assert done.code == 0, done.err
    assert done.json["decision"]["kind"] == "skip"
    assert f"run {dead.seq} promoted {dead.version}" in done.json["decision"]["reasons"][0]
    told = json.loads(dead.registry.read_record(dead.seq, "decision.json"))
    assert (told["run"], told["challenger"], told["champion"]) == (dead.seq, dead.version, dead.version)
    assert told["decision"] == {"kind": "promote", "reasons": ["better"]}
    assert told["metric"]["ci"]


# --- the workers of its study


TRIALS = 7


@pytest.mark.timeout(600)  # flow runs start after one another
def test_a_study_of_two_workers_ends_with_its_run_and_goes_on_with_the_next(place: Project) -> None:
    other_work(place, 5, trials=TRIALS, workers=2)
    first = start(place)
    folder_with(place, "plan.json")
    study = eventually(lambda: shared_study(place), 60)
    eventually(lambda: {0, 1} <= {trial.user_attrs.get("worker") for trial in study.trials}, 90)
    workers = [process_of(run["id"]) for run in runs_of_workers(place) if run["state_type"] == "RUNNING"]
    assert len(workers) == 2
    # However fast the machine is, they must not be done before they look for their run again.
    for process in workers:
        process.suspend()
    process_of(first).kill()
    time.sleep(LEASE_SECONDS / 8 + 1)
    for process in workers:
        process.resume()
    eventually(lambda: all(gone(process) for process in workers), 60)
    made = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    assert len(made) < TRIALS, "they had finished before the run was killed: this tests nothing"
    assert not [trial for trial in study.trials if trial.state == TrialState.RUNNING]

    assert ends_as(place, start(place), 150) == "COMPLETED"
    last = outcomes(place)[-1]
    assert last["decision"]["kind"] in TRAINED
    assert len(runs_of_workers(place)) == 4
    values = [trial["value"] for trial in read(runs_of(place)[-1] / "study.json")["trials"]]
    assert len(values) == TRIALS
    assert {trial.value for trial in made} <= set(values)
    manifest = place.run("models", "show", last["challenger"], "--json").json
    assert manifest["search"] == {"trials": TRIALS, "workers": 2}
    used = [
        json.loads(place.s3.get_object(Bucket="incumbent", Key=key)["Body"].read())["resources"][
            "cpu_seconds"
        ]
        for key in place.listing()
        if "/usage-" in key
    ]
    assert len(used) == 4, "two of the run that was killed, and two of the one that went on"
    assert cost_of(place, last["run"])["cpu_seconds"] > sum(used)
    other_work(place, 5, trials=4, workers=1)


def shared_study(place: Project) -> optuna.Study | None:
    """The study that the newest run's workers share, once there is one."""
    where = study_ref(place.path, load_params(place.path), read(runs_of(place)[-1] / "begun.json")["work"])
    with suppress(KeyError):
        return optuna.load_study(study_name=where.name, storage=where.address)
    return None


def runs_of_workers(place: Project) -> list[dict[str, Any]]:
    body = {"deployments": {"name": {"any_": ["tune"]}}}
    return ask_prefect(place.environment, "flow_runs/filter", body) or []


# --- its worker


def test_a_run_whose_worker_is_killed_ends_and_the_next_goes_on(place: Project) -> None:
    """What it prints goes through the worker: at the next line there is nobody to take it."""
    other_work(place, 2)
    run, its = start(place), folder_with(place, "plan.json")
    kill_worker(place)
    waiting = start(place)
    assert ends_as(place, run, 60) == "CRASHED"
    stack.up(place.path, print)
    assert ends_as(place, waiting, 240) == "COMPLETED"
    last = outcomes(place)[-1]
    assert last["decision"]["kind"] in TRAINED
    assert last["resumed_from"] == int(its.name)


def test_a_run_that_died_with_its_worker_is_noticed_by_its_silence_and_the_next_goes_on(
    place: Project,
) -> None:
    other_work(place, 6)
    with get_client(sync_client=True) as client, impatient(client, silence_of_runs(client)):
        run, its = start(place), folder_with(place, "study.json")
        kill_worker(place)
        process_of(run).kill()
        assert ends_as(place, run, 60) == "CRASHED"
    stack.up(place.path, print)
    assert ends_as(place, start(place), 240) == "COMPLETED"
    last = outcomes(place)[-1]
    assert last["decision"]["kind"] in TRAINED
    assert last["resumed_from"] == int(its.name)


def kill_worker(place: Project) -> None:
    """Alone, without what it started."""
    psutil.Process(stack.status(place.path)["services"]["worker-cpu"]["pid"]).kill()


def silence_of_runs(client: SyncPrefectClient) -> Automation:
    """What marks a run as crashed 90 s after its last heartbeat."""
    [automation] = client.read_automations_by_name("incumbent: crash silent runs")
    return automation


# --- the Prefect server


def test_a_run_outlives_the_prefect_server(place: Project) -> None:
    other_work(place, 3)
    run, its = start(place), folder_with(place, "plan.json")
    server = psutil.Process(stack.status(place.path)["services"]["prefect"]["pid"])
    killed = [server, *server.children(recursive=True)]
    for process in killed:
        process.kill()
    psutil.wait_procs(killed, 10)  # a port that is not free yet would be given up for another
    stack.up(place.path, print)
    assert ends_as(place, run, 240) == "COMPLETED"
    outcome = read(its / "outcome.json")
    assert outcome["decision"]["kind"] in TRAINED
    assert outcome["resumed_from"] is None


def test_after_all_of_it_the_registry_is_sound_and_nothing_runs(place: Project) -> None:
    done = place.run("models", "verify")
    assert done.code == 0, done.err
    history = place.run("models", "history", "--json").json
    promoted = [
        outcome["challenger"] for outcome in outcomes(place) if outcome["decision"]["kind"] == "promote"
    ]
    assert [entry["version"] for entry in history] == promoted
    active = {"flow_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}}
    assert ask_prefect(place.environment, "flow_runs/filter", active) == []


# --- what the tests look at


def eventually(what: Callable[[], Any], seconds: float = 240) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"in vain for {seconds} s"
        time.sleep(0.02)
    return found


def parts(month: Path, folder: Path, count: int) -> list[Path]:
    """The month as so many partitions of whole days."""
    frame = pd.read_parquet(month)
    files = []
    for number, days in enumerate(np.array_split(np.sort(frame["date"].unique()), count)):
        files.append(folder / f"{month.stem}-{number:02d}.parquet")
        frame[frame["date"].isin(days)].to_parquet(files[-1], index=False)
    return files


def allow_short_partitions(place: Project) -> None:
    """The demo expects whole months."""
    suite = place.path / "expectations" / "flights.json"
    document = json.loads(suite.read_text())
    kept = [each for each in document["expectations"] if "row_count" not in each["type"]]
    suite.write_text(json.dumps({**document, "expectations": kept}))


def other_work(place: Project, seed: int, **search: Any) -> None:
    """Other parameters are other work, which nobody has decided."""
    change(place.path / "params.yaml", {"seed": seed, "search": search})


def start(place: Project) -> str:
    """A full run on a worker; the flow run's id."""
    wanted = {"parameters": {"strategy": "full", "started_by": "a test"}}
    with prefect_api(place.environment) as prefect:
        deployment = prefect.get("deployments/name/retrain/by-hand").raise_for_status().json()["id"]
        return str(prefect.post(f"deployments/{deployment}/create_flow_run", json=wanted).json()["id"])


def state(place: Project, run: str) -> str:
    body = {"flow_runs": {"id": {"any_": [run]}}}
    [found] = ask_prefect(place.environment, "flow_runs/filter", body) or [{"state_type": "?"}]
    return str(found["state_type"])


def ends_as(place: Project, run: str, seconds: float) -> str:
    """The state in which it ends, within these seconds."""
    eventually(lambda: state(place, run) in ENDED, seconds)
    return state(place, run)


def ended(place: Project, count: int) -> list[dict[str, Any]]:
    """The flow runs that events started, once this many have ended."""
    body = {"flow_runs": {"tags": {"all_": ["event"]}}}
    runs = ask_prefect(place.environment, "flow_runs/filter", body) or []
    return runs if len([run for run in runs if run["state_type"] in ENDED]) == count else []


def overlapping(runs: list[dict[str, Any]]) -> list[str]:
    """Runs that began before the one before them had ended."""
    spans = sorted((run["start_time"], run["end_time"], run["name"]) for run in runs)
    return [name for (_, end, _), (begin, _, name) in pairwise(spans) if begin < end]


def process_of(run: str) -> psutil.Process:
    """The flow run's own process."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("PREFECT__FLOW_RUN_ID") == run:
                return process
    raise AssertionError(f"no process of flow run {run}")


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def runs_of(place: Project) -> list[Path]:
    return sorted((place.path / ".incumbent" / "runs").glob("0*"))


def folder_with(place: Project, name: str) -> Path:
    """The newest run's folder, once a step has left this document in it."""
    last = runs_of(place)[-1]
    return eventually(lambda: next((f for f in runs_of(place) if f > last and (f / name).exists()), None))


def outcomes(place: Project) -> list[dict[str, Any]]:
    """The decision records, in the order of the runs."""
    return [read(folder / "outcome.json") for folder in runs_of(place) if (folder / "outcome.json").exists()]


def kinds(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(record["data"]["name"], record["decision"]["kind"]) for record in records]


def read(path: Path) -> Any:
    return json.loads(path.read_text()) if path.exists() else None
