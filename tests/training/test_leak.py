"""A telling value that only a held-out row has must appear in nothing that training leaves behind."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from incumbent.challenger import make_full, make_update, search
from incumbent.params import Params
from incumbent.tables.split import group_hashes
from tests.building import changed, parent

WORD, NUMBER = "TELLTALE", 987_654.5


@dataclass(frozen=True)
class Traces:
    """All that training left: the files of versions, and what a run writes down of study and challenger."""

    folder: Path
    documents: str

    def hold(self, word: str, number: float) -> list[str]:
        """Where the value is found."""
        found = ["documents"] if word in self.documents or str(number) in self.documents else []
        for path in self.folder.iterdir():
            raw = path.read_bytes()
            if word.encode() in raw or str(number).encode() in raw:
                found.append(path.name)
            if path.suffix == ".parquet":
                table = pq.read_table(path).to_pandas()
                if (table.astype(str) == word).any(axis=None) or (table == number).any(axis=None):
                    found.append(f"rows of {path.name}")
        return found


def plant(frame: pd.DataFrame, params: Params, side: bool) -> pd.DataFrame:
    """The value in fifty rows of one side; held-out rows when `side` is True."""
    held_out = group_hashes(frame, params.split.by) < params.split.holdout
    rows = np.flatnonzero(held_out == side)[:50]
    told = frame.astype({"distance": "float64"})
    told.loc[told.index[rows], "carrier"] = WORD
    told.loc[told.index[rows], "distance"] = NUMBER
    return told


def train(thinned: Sequence[Path], params: Params, side: bool, folder: Path) -> Traces:
    """A full training on January and an update with February, the value planted in both."""
    months = []
    for path in thinned:
        months.append(folder / path.name)
        plant(pd.read_parquet(path), params, side).to_parquet(months[-1], index=False)
    first, second = folder / "v1", folder / "v2"
    first.mkdir()
    second.mkdir()
    study = search(months[:1], params)
    made = make_full(months[:1], params, study, first)
    updated = make_update(parent(made, params, first), months[1:], params, second)
    for path in first.iterdir():
        path.rename(second / f"first-{path.name}")
    documents = [study.to_json(), made.to_json(), updated.to_json()]
    return Traces(second, json.dumps(documents))


@pytest.fixture(scope="module")
def params(quick_params: Params) -> Params:
    return changed(quick_params, search={"trials": 3, "folds": 3}, promotion={"seeds": 2})


def test_no_artifact_of_training_holds_what_only_the_holdout_knows(
    thinned: Sequence[Path], params: Params, tmp_path: Path
) -> None:
    assert train(thinned, params, True, tmp_path).hold(WORD, NUMBER) == []


def test_the_same_value_in_training_rows_would_be_found(
    thinned: Sequence[Path], params: Params, tmp_path: Path
) -> None:
    found = train(thinned, params, False, tmp_path).hold(WORD, NUMBER)
    assert {"documents", "rows of replay.parquet", "rows of first-replay.parquet"} <= set(found)
