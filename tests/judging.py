"""Two models of unequal skill on real flights, and the held-out rows found another way."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from incumbent.challenger import make_full, open_challenger
from incumbent.evaluation.judging_rows import Judge, JudgingRows, Learned, joined
from incumbent.features.out_of_sample import OutOfSample
from incumbent.models.model import Model
from incumbent.params import Params
from incumbent.search.tune import StudyResult
from incumbent.tables.partitions import Partition, PartitionFiles
from incumbent.tables.split import group_hashes


def model(path: Path, params: Params, folder: Path, rounds: int) -> Model:
    """Of so many rounds, trained on one partition."""
    folder.mkdir()
    made = make_full([path], params, StudyResult({"num_leaves": 15}, rounds, ()), folder)
    return open_challenger(made, params, folder, f"v{rounds}")


def held_out(paths: Sequence[Path], params: Params) -> pd.DataFrame:
    """The flights of the days whose hash is below the holdout's share, one day after the other."""
    frame = pd.concat([pd.read_parquet(path) for path in paths], ignore_index=True)
    days = frame[["date"]].drop_duplicates()
    chosen = days[group_hashes(days, ["date"]) < params.split.holdout]["date"]
    assert 0 < len(chosen) < len(days)
    return frame[frame["date"].isin(chosen)].reset_index(drop=True)


def partitions(paths: Sequence[Path], md5: str = "now") -> list[Partition]:
    """The partitions to judge on, with a digest that stands for their bytes."""
    return [Partition(path.name, md5) for path in paths]


def files(paths: Sequence[Path]) -> PartitionFiles:
    """The same with their files."""
    local = {path.name: path for path in paths}
    return PartitionFiles(partitions(paths), lambda names: [local[name] for name in names])


def judged(
    champion: Model | None,
    challenger: Model,
    paths: Sequence[Path],
    params: Params,
    *,
    md5: str = "now",
    **others: Any,
) -> JudgingRows:
    """The judging rows of all these partitions; others: of Judge. By default all rows are new to both."""
    given = {"out_of_sample": OutOfSample.none(), "learned": Learned({}, params.split), **others}
    judge = Judge(champion, challenger, params, **given)
    return joined([judge.rows(each, path) for each, path in zip(partitions(paths, md5), paths, strict=True)])
