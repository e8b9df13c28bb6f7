"""How many partitions a verdict of a new project looks at."""

from pathlib import Path

import pandas as pd
import pytest

from incumbent.cli.new_project import create
from incumbent.params import DatasetParams, load_params
from incumbent.tables.evidence import partitions_for_a_verdict


@pytest.mark.parametrize(
    ("rows", "share", "partitions"),
    [
        pytest.param([50_000, 40_000], 0.2, 3, id="large partitions: a few are enough"),
        pytest.param([1000] * 12, 0.2, 20, id="4,000 judging rows of 200 each"),
        pytest.param([10, 1000, 1000, 1000, 3], 0.2, 20, id="cut off at both ends"),
        pytest.param([1000] * 12, 1.0, 4, id="all rows of an arrival judge"),
        pytest.param([2, 2, 2], 0.2, 100, id="tiny: a verdict doesn't read thousands of files"),
    ],
)
def test_small_partitions_make_a_wide_window(rows: list[int], share: float, partitions: int) -> None:
    assert partitions_for_a_verdict(rows, share) == partitions


def test_init_drafts_the_window_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "tests")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tests@incumbent.invalid")
    days = pd.date_range("2025-01-01", periods=40).repeat(100)
    frame = pd.DataFrame({"day": days, "x": range(4000), "y": [n * n % 7 < 3 for n in range(4000)]})
    frame.to_csv(tmp_path / "daily.csv", index=False)
    create(tmp_path / "daily.csv", DatasetParams(name="new", target="y", time="day"), tmp_path / "project")
    promotion = load_params(tmp_path / "project").promotion
    assert promotion.window == 100
    text = (tmp_path / "project" / "params.yaml").read_text()
    assert "A partition has about 100 rows, so the window has some 2,000 held-out rows" in text
