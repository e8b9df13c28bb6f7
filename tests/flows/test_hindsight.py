"""A model that should not be in office: found by what arrives, replaced, or passed over when broken."""

import json
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prefect.logging import disable_run_logger

from incumbent.cli.stage import Name, stage
from incumbent.demo.flights import WEATHER
from incumbent.errors import Conflict
from incumbent.evaluation.decide import Promote
from tasks.hindsight import audit
from tasks.promotion import compare, promote
from tasks.runs import Run
from tests.flows.conftest import Project
from tests.flows.preparing import opened, prepared

# It knows how far a flight goes, and nothing else.
KNOWN = [
    "date",
    "month",
    "sched_dep_time",
    "sched_arr_time",
    "carrier",
    "flight",
    "origin",
    "dest",
    "weekday",
]
POOR = {"dataset": {"drop": [*KNOWN, *WEATHER]}, "clean": {"impossible": {}}}


@pytest.fixture(scope="module")
def spring(project: Project, first: dict[str, Any], arrival: dict[str, Any]) -> Iterator[str]:
    """A data version with February to April after January: three arrivals are evidence enough."""
    yield project.branch_with("spring", *(project.months[number] for number in (1, 2, 3, 4)))
    forget_scores(project, 3, 4)  # they have not arrived yet


@pytest.fixture
def poor(inside: Project, first: dict[str, Any], spring: str) -> Iterator[Run]:
    """The run whose poor challenger was forced into office in the place of January's model."""
    with disable_run_logger():
        run, before = prepared(inside, data_rev=first["data"]["rev"], **POOR), inside.champion()
        if before != first["champion"]:
            run.registry.force(first["champion"], "February's model has seen what arrives")
        run.registry.force(run.version, "to see what hindsight says")
        yield run
        if inside.champion() == run.version:
            run.registry.rollback(None, "the test is over")
        if inside.champion() != before:
            run.registry.force(before, "the test is over")


def forget_scores(project: Project, *months: int) -> None:
    for month in months:
        project.s3.delete_object(
            Bucket="incumbent", Key=f"registry/flights/scores/2013-{month:02d}.parquet.json"
        )


def later(project: Project, **promotion: Any) -> Run:
    """A run for which February to April are new: nobody has scored them."""
    forget_scores(project, 2, 3, 4)
    return opened(project, "look back", data_rev="spring", promotion=promotion)


def is_sent(project: Project, event: str, champion: str, seconds: float = 20) -> bool:
    """Does an event of this name speak of the champion? The server shows an event a little later."""
    wanted = {"filter": {"event": {"name": [event]}}, "limit": 50}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        events = project.api("events/filter", wanted)["events"]
        if champion in {each["payload"]["champion"] for each in events}:
            return True
        time.sleep(0.5)
    return False


def test_a_worse_champion_is_found_and_told(inside: Project, poor: Run) -> None:
    before = inside.champion()
    run = audit.fn(later(inside))
    assert inside.champion() == before == run.champion
    seen = run.read("hindsight")
    assert seen["kind"] == "recall"
    assert f"did better than champion {before}" in seen["reasons"][0]
    assert is_sent(inside, "model.outperformed", before)


def test_with_auto_rollback_the_better_model_takes_office_and_the_run_goes_on_from_it(
    inside: Project, poor: Run
) -> None:
    run = audit.fn(later(inside, auto_rollback=True))
    entry = run.registry.history()[-1]
    assert entry.replaced == poor.version
    assert run.champion == entry.version == inside.champion()
    assert entry.reason.startswith("in hindsight: ")
    assert run.diff.added == tuple(
        name
        for name in [partition.name for partition in run.data.partitions]
        if name not in run.manifest(entry.version)["data"]["partitions"]
    )


def test_every_arrival_leaves_its_score(inside: Project, poor: Run) -> None:
    audit.fn(later(inside))
    body = inside.s3.get_object(Bucket="incumbent", Key="registry/flights/scores/2013-02.parquet.json")
    score = json.loads(body["Body"].read())
    assert score["partition"] == "2013-02.parquet"
    assert score["metric"] == "roc_auc"
    assert 0.4 < score["champion"]["value"] < 1


def test_the_audit_shows_each_verdict(inside: Project, poor: Run) -> None:
    audit.fn(later(inside))
    done = inside.run("models", "audit", "--json")
    assert done.code == 0, done.err
    assert {"run", "decision", "challenger", "incumbent", "gain", "said"} <= set(done.json[0])
    assert "verdict" in inside.run("models", "audit").out


def staged(run: Run) -> dict[str, Any]:
    """What `incumbent stage compare` says of the run's challenger, on the same partitions."""
    pipeline, data = run.project / "pipeline", run.project / "data"
    names = [partition.name for partition in run.learned]
    shutil.copytree(run.folder, pipeline / "model")
    shutil.copyfile(run.folder / "challenger.json", pipeline / "train.json")
    (pipeline / "plan.json").write_text(json.dumps({"partitions": names}))
    data.mkdir(exist_ok=True)
    for name, path in zip(
        names, run.files(names), strict=True
    ):  # a file of DVC's cache has its digest's name
        shutil.copyfile(path, data / name)
    try:
        stage(Name.COMPARE, run.project)
        return dict(json.loads((pipeline / "compare.json").read_text()))
    finally:
        shutil.rmtree(pipeline)
        shutil.rmtree(data)


def test_a_champion_with_a_broken_file_gives_way_to_its_predecessor_in_the_comparison(
    inside: Project, poor: Run
) -> None:
    run = prepared(inside)
    (key,) = [key for key in inside.listing() if key.endswith(f"/{poor.version}/model.txt")]
    good = inside.s3.get_object(Bucket="incumbent", Key=key)["Body"].read()
    inside.s3.put_object(Bucket="incumbent", Key=key, Body=good[:-100])
    for cached in (inside.path / ".incumbent" / "cache" / "models").rglob(f"{poor.version}/model.txt"):
        cached.unlink()
    (run.folder / "comparison.json").unlink()  # a step is done once
    compare.fn(run)
    seen = run.read("comparison")
    assert seen["incumbent"] not in (poor.version, "the trivial baseline")
    assert f"{poor.version} could not be evaluated" in seen["unfit"][0]
    repro = staged(run)
    decision = promote.fn(run)
    assert (repro["incumbent"], repro["kind"]) == (seen["incumbent"], decision.kind)
    assert repro["comparison"]["challenger"] == seen["evidence"]["comparison"]["challenger"]
    assert seen["unfit"][0] in repro["reasons"]
    assert seen["unfit"][0] in decision.because
    inside.s3.put_object(Bucket="incumbent", Key=key, Body=good)


def test_a_run_whose_work_was_taken_over_does_not_promote(inside: Project, poor: Run) -> None:
    run = prepared(inside)
    taker = run.registry.start_run({"about": "takes over"})
    run.registry.claim(run.work, taker, lease_seconds=0)
    before = inside.champion()
    with pytest.raises(Conflict):
        promote.fn(run)
    assert inside.champion() == before


def test_that_same_run_would_have_promoted(inside: Project, poor: Run) -> None:
    run = prepared(inside)
    assert isinstance(promote.fn(run), Promote)
    assert inside.champion() == run.version
