"""A table is written in every format that can be read, and read back as it was."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incumbent.errors import BadInput
from incumbent.params import DatasetParams
from incumbent.tables.convert import SUFFIXES, to_parquet
from incumbent.tables.writing import write_table

DECLARED = DatasetParams(
    name="d", target="y", columns={"k": "text", "at": "time", "score": "number", "yes": "boolean"}
)


def frame() -> pd.DataFrame:
    scores = np.random.default_rng(0).random(50)
    return pd.DataFrame(
        {
            "k": [f"{number:04}" for number in range(48)] + ['a,"b"', "ü\nx"],
            "at": pd.date_range("2025-03-30 00:30", periods=50, freq="h").astype("datetime64[us]"),
            "score": scores,
            "yes": scores > 0.5,
        }
    )


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".CSV"])
def test_what_is_written_is_read_back_bit_for_bit_and_twice_the_same(tmp_path: Path, suffix: str) -> None:
    path, again = tmp_path / f"out{suffix}", tmp_path / f"again{suffix}"
    write_table(frame(), path)
    write_table(frame(), again)
    assert path.read_bytes() == again.read_bytes()
    assert {each.name for each in tmp_path.iterdir()} == {path.name, again.name}
    to_parquet(path, tmp_path / "back.parquet", DECLARED)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "back.parquet"), frame())


def test_times_with_a_zone_are_written_in_utc_wherever_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    times = pd.date_range("2025-07-01", periods=1, tz="Europe/Berlin")
    write_table(pd.DataFrame({"at": times}), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "at\n2025-06-30 22:00:00+00\n"


def test_another_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"out.xlsx is of no known format; a file may end with .parquet, .csv"):
        write_table(frame(), tmp_path / "out.xlsx")
    assert list(tmp_path.iterdir()) == []
