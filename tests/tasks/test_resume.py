"""What a run takes over from one that died: only what that one finished, and only for the same work."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger

from incumbent.tables.partitions import DataVersion, Diff, Partition
from tasks.resume import begin_or_resume, resumed_from
from tasks.runs import Run
from tests.building import ROOT

DATA = DataVersion("0" * 40, "d1", (Partition("2013-01.parquet", "p1"),))


@pytest.fixture
def dead(tmp_path: Path) -> Iterator[Run]:
    """Run 5 died while it compared: its challenger is whole."""
    shutil.copyfile(ROOT / "params.yaml", tmp_path / "params.yaml")
    shutil.copytree(ROOT / "expectations", tmp_path / "expectations")
    run = Run(tmp_path, 5, DATA, Diff(), "v3", "auto", "by hand")
    with disable_run_logger():
        begin_or_resume(run, None)
        for name in ("gate", "hindsight", "live", "plan", "study", "timings"):
            run.write(name, {"of": name})
        (run.folder / "model.txt").write_text("trees")
        run.write("challenger", {"of": "challenger"})
        (run.folder / "holdout.npz").write_text("half")
        (run.folder / ".comparison.json.part").write_text('{"of": "com')
        yield run


def left(run: Run) -> set[str]:
    return {path.name for path in run.folder.iterdir()}


def test_finished_steps_and_their_files_are_taken_over(dead: Run) -> None:
    heir = replace(dead, seq=6)
    begin_or_resume(heir, 5)
    assert heir.read("resumed") == {"from": 5, "steps": ["gate", "plan", "study", "challenger"]}
    assert resumed_from(heir) == 5
    assert heir.read("study") == {"of": "study"}
    assert heir.read("live") == {"of": "live"}
    assert (heir.folder / "model.txt").read_text() == "trees"
    assert left(heir).isdisjoint(
        {"comparison.json", ".comparison.json.part", "timings.json", "hindsight.json"}
    )


def test_a_chain_of_deaths_loses_nothing(dead: Run) -> None:
    second, third = replace(dead, seq=6), replace(dead, seq=7)
    begin_or_resume(second, 5)
    second.write("comparison", {"of": "comparison"})
    begin_or_resume(third, 6)
    assert third.read("resumed") == {
        "from": 6,
        "steps": ["gate", "plan", "study", "challenger", "comparison"],
    }


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"champion": "v4"}, id="the champion changed"),
        pytest.param({"strategy": "full"}, id="other work"),
        pytest.param({"data": DataVersion("0" * 40, "d2", ())}, id="other data"),
    ],
)
def test_what_was_made_for_something_else_is_left(dead: Run, other: dict[str, object]) -> None:
    heir = replace(dead, seq=6, **other)  # type: ignore[arg-type]
    begin_or_resume(heir, 5)
    assert resumed_from(heir) is None
    assert left(heir) == {"begun.json"}


def test_other_expectations_or_params_are_other_work(dead: Run) -> None:
    (dead.project / "expectations" / "more.json").write_text("{}")
    heir = replace(dead, seq=6)
    assert heir.work != dead.work
    begin_or_resume(heir, 5)
    assert resumed_from(heir) is None
    params = dead.project / "params.yaml"
    params.write_text(params.read_text().replace("seed: 2013", "seed: 2014"))
    assert len({dead.work, heir.work, replace(dead, seq=7).work}) == 3


def test_a_run_of_another_host_left_nothing_here(dead: Run) -> None:
    heir = replace(dead, seq=6)
    begin_or_resume(heir, 4)
    assert resumed_from(heir) is None
    assert not replace(dead, seq=4).folder.exists()


def test_a_step_is_made_once(dead: Run) -> None:
    class Made:
        def __init__(self, value: int) -> None:
            self.value = value

        def to_json(self) -> int:
            return self.value

    assert dead.once("drift", Made, lambda: Made(1)).value == 1
    assert dead.once("drift", Made, lambda: Made(2)).value == 1
    assert json.loads((dead.folder / "drift.json").read_text()) == 1
