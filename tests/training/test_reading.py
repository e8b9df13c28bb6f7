"""How often a run reads its rows: bytes that the process reads for each byte of the partitions."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incumbent.challenger import Challenger, make_full, make_update, search
from incumbent.challenger.contest import compare_with
from incumbent.params import Params
from incumbent.search.tune import StudyResult
from incumbent.search.window import EVERYTHING, choose_window
from incumbent.tables import parquet
from incumbent.tables.partitions import Partition, PartitionFiles
from incumbent.tables.recent_frames import RecentFrames
from tests.building import changed, parent, toy_params

READ = Path("/proc/self/io")
OPTIONS = {"learning_rate": 0.2, "num_leaves": 7, "min_child_samples": 20}
ROWS = 10_000

pytestmark = pytest.mark.skipif(not READ.exists(), reason="only Linux counts what a process reads")


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames as large as those of many rows: none of them is kept."""
    monkeypatch.setattr(parquet, "RECENT", RecentFrames(0))


def history(folder: Path) -> list[Path]:
    """Numbers that no compression makes smaller."""
    folder.mkdir()
    paths = [folder / f"part-{part}.parquet" for part in range(4)]
    for part, path in enumerate(paths):
        frame = pd.DataFrame(np.random.default_rng(part).normal(size=(ROWS, 40))).add_prefix("x")
        frame.assign(day=np.arange(ROWS) % 50, y=(frame["x0"] > 0).astype(int)).to_parquet(path, index=False)
        os.utime(path, (part, part))  # the frame of a file that has just been written is not kept
    return paths


def params_of(**sections: object) -> Params:
    params = changed(toy_params(), split={"by": ["day"], "holdout": 0}, dataset={"drop": ["day"]})
    small = {"search": {"trials": 1, "folds": 2}, "retrain": {"replay": 100}, "learner": {"rounds": 10}}
    return changed(changed(params, **small), **sections)


def times_read(folder: Path, work: Callable[[Sequence[Path]], object]) -> float:
    """Bytes read by the work, in those of its files; work done before has imported what it needs."""
    work(history(folder / "others"))
    paths = history(folder / "data")
    before = bytes_read()
    work(paths)
    return (bytes_read() - before) / sum(path.stat().st_size for path in paths)


def bytes_read() -> int:
    return int(READ.read_text().split()[1])


def full(paths: Sequence[Path], params: Params) -> Challenger:
    folder = paths[0].parent / "made"
    folder.mkdir()
    return make_full(paths, params, StudyResult(OPTIONS, 10, ()), folder, estimate=False)


def compare(made: Challenger, paths: Sequence[Path], params: Params) -> None:
    files = {path.name: path for path in paths}
    data = PartitionFiles(
        [Partition(name, name) for name in files], lambda names: [files[name] for name in names]
    )
    compare_with([], made, paths[0].parent / "made", "v1", data, params)


def test_a_full_run_of_few_rows_reads_them_once(tmp_path: Path) -> None:
    params = params_of()

    def run(paths: Sequence[Path]) -> None:
        choose_window(paths, params)
        search(paths, params, EVERYTHING)
        compare(full(paths, params), paths, params)

    assert times_read(tmp_path, run) == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("rows", [None, 5_000], ids=["features in memory", "features never in memory"])
@pytest.mark.usefixtures("many")
def test_a_full_training_of_many_rows_reads_them_twice(tmp_path: Path, rows: int | None) -> None:
    params = params_of(search={"rows": rows})
    assert times_read(tmp_path, lambda paths: full(paths, params)) == pytest.approx(2, abs=0.25)


@pytest.mark.usefixtures("many")
def test_an_update_reads_its_new_rows_once(tmp_path: Path) -> None:
    params = params_of()
    old = history(tmp_path / "old")
    champion = parent(full(old, params), params, tmp_path / "old" / "made")

    def update(paths: Sequence[Path]) -> None:
        folder = paths[0].parent / "next"
        folder.mkdir()
        make_update(champion, paths, params, folder, estimate=False)

    assert times_read(tmp_path, update) == pytest.approx(1, abs=0.25)
