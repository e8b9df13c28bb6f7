"""A challenger that was made and did not take office is not made once more."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prefect.logging import disable_run_logger

from incumbent.evaluation.plan import Full, Skip
from incumbent.storage.registry.registry import Registry
from incumbent.tables.partitions import DataVersion, Diff, Partition
from tasks.plan import planned
from tasks.runs import Run
from tests.building import ROOT
from tests.flows.conftest import change
from tests.storage.conftest import Publish

JANUARY, FEBRUARY = Partition("2013-01.parquet", "p1"), Partition("2013-02.parquet", "p2")


def version_of(*partitions: Partition) -> DataVersion:
    return DataVersion("0" * 40, "-".join(each.md5 for each in partitions), partitions)


@pytest.fixture
def run(tmp_path: Path, registry: Registry) -> Iterator[Run]:
    """Run 5 on January; there is no champion."""
    project = tmp_path / "flights"
    project.mkdir()
    shutil.copyfile(ROOT / "params.yaml", project / "params.yaml")
    shutil.copytree(ROOT / "expectations", project / "expectations")
    change(project / "params.yaml", {"registry": {"address": registry.store.url()}})
    run = Run(project, 5, version_of(JANUARY), Diff(added=(JANUARY.name,)), None, "auto", "an event")
    run.write("gate", {"rows": 1, "findings": []})
    with disable_run_logger():
        yield run


@pytest.fixture
def made(run: Run, registry: Registry, publish: Publish) -> Any:
    """Publish what a run made, with its verdict."""

    def do(verdict: str | None, kind: str = "full", training: str | None = None) -> None:
        publish("v5", run_seq=5, kind=kind, training=training or run.training)
        if verdict:
            record = {"decision": {"kind": verdict, "reasons": ["not better"]}}
            registry.record(5, "decision.json", json.dumps(record).encode())

    return do


def arrived(run: Run, **aside: tuple[str, ...]) -> Run:
    """The next run: February came."""
    fresh = Diff(added=(JANUARY.name, FEBRUARY.name))
    later = replace(run, seq=6, data=version_of(JANUARY, FEBRUARY), diff=fresh, **aside)
    later.write("gate", run.read("gate"))
    return later


@pytest.mark.parametrize("aside", ["on_probation", "waiting", "left_out"])
@pytest.mark.parametrize("verdict", ["hold", "reject", "pending"])
def test_an_arrival_that_teaches_nothing_makes_no_second_challenger_of_the_same_rows(
    run: Run, made: Any, aside: str, verdict: str
) -> None:
    made(verdict)
    plan = planned(arrived(run, **{aside: (FEBRUARY.name,)}))
    assert plan == Skip(
        (
            "nothing new to learn from since run 5, which made v5 from the same rows with the same "
            f"parameters; its verdict: {verdict}",
        )
    )


def test_an_arrival_that_teaches_makes_one(run: Run, made: Any) -> None:
    made("reject")
    assert isinstance(planned(arrived(run)), Full)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param({"verdict": None}, id="the run before died"),
        pytest.param({"verdict": "promote"}, id="it was promoted, and is champion no more"),
        pytest.param({"verdict": "reject", "kind": "incremental"}, id="that was an update"),
        pytest.param({"verdict": "reject", "training": "other"}, id="other rows or parameters"),
    ],
)
def test_another_challenger_is_made_once(run: Run, made: Any, before: dict[str, Any]) -> None:
    made(**before)
    assert isinstance(planned(arrived(run, on_probation=(FEBRUARY.name,))), Full)


def test_who_asks_for_a_training_gets_one(run: Run, made: Any) -> None:
    made("reject")
    later = replace(arrived(run, on_probation=(FEBRUARY.name,)), strategy="full")
    assert isinstance(planned(later), Full)


def test_other_parameters_make_another_one(run: Run, made: Any) -> None:
    made("reject")
    change(run.project / "params.yaml", {"promotion": {"floor": 0.1}})
    later = arrived(run, on_probation=(FEBRUARY.name,))
    assert isinstance(planned(later), Full)
