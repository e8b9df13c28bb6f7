"""What it means that a key is in another partition: as grave as what the suites say of the key."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incumbent.gate import Verdict
from incumbent.gate.check import Judged
from incumbent.gate.keys import judge_keys, key_severity
from incumbent.gate.sift import sift, without_history
from tests.gate.test_gate_quarantine import PARAMS, expect, month, suite

UNIQUE = "column_values_to_be_unique"


@pytest.mark.parametrize(
    ("key", "expectations", "severity"),
    [
        pytest.param(["id"], [], None, id="nobody says so"),
        pytest.param(["id"], [expect(UNIQUE, False, column="id")], "critical", id="critical"),
        pytest.param(["id"], [expect(UNIQUE, False, "warning", column="id")], "warning", id="warning"),
        pytest.param(["id"], [expect(UNIQUE, column="id")], "quarantine", id="quarantine"),
        pytest.param(["id"], [expect(UNIQUE, column="city")], None, id="of another column"),
        pytest.param(
            ["city", "at"],
            [expect("compound_columns_to_be_unique", False, column_list=["at", "city"])],
            "critical",
            id="of two columns in any order",
        ),
        pytest.param(
            ["city", "at"],
            [expect("compound_columns_to_be_unique", column_list=["at", "city", "y"])],
            None,
            id="of one column more",
        ),
        pytest.param(
            ["id"],
            [expect(UNIQUE, False, each, column="id") for each in ("warning", "critical")],
            "critical",
            id="the gravest",
        ),
        pytest.param(
            ["id"],
            [expect(UNIQUE, False, column="id"), expect(UNIQUE, column="id")],
            "quarantine",
            id="quarantine first",
        ),
        pytest.param([], [expect(UNIQUE, column="id")], None, id="no key"),
    ],
)
def test_the_suites_say_how_grave_it_is(
    key: list[str], expectations: list[dict[str, Any]], severity: str | None
) -> None:
    dataset = PARAMS.dataset.model_copy(update={"key": key})
    assert key_severity(suite(*expectations), dataset) == severity


@pytest.mark.parametrize(
    ("severity", "verdict", "left"),
    [
        ("warning", Verdict.WARN, 100),
        ("critical", Verdict.BLOCK, 100),
        ("quarantine", Verdict.QUARANTINE, 97),
    ],
)
def test_rows_with_known_keys_are_named_with_their_partitions(
    severity: str, verdict: Verdict, left: int, tmp_path: Path
) -> None:
    path, known = tmp_path / "2026-03.parquet", {"2026-01.parquet": [4, 5], "2026-02.parquet": [9]}
    month().to_parquet(path)

    def against(partition: Path) -> list[Judged]:
        ids = pd.read_parquet(partition)["id"]
        repeated = {
            name: places for name, rows in known.items() if len(places := np.flatnonzero(ids.isin(rows)))
        }
        return [judge_keys(path.name, partition, repeated, severity, ["id"])]

    done = sift(path.name, path, tmp_path, [], PARAMS, against)
    assert done.report.verdict is verdict
    [reason] = done.report.reasons
    assert reason == (
        f"{severity}: 2026-03.parquet: no key (id) may be one of another partition: "
        "3 of 100 rows (3.0 %) have keys of "
        "2026-01.parquet (2), 2026-02.parquet (1), such as [{'id': '4'}, {'id': '5'}, {'id': '9'}]"
    )
    assert len(pd.read_parquet(done.partition)) == left


@pytest.mark.parametrize("aside", [True, False])
def test_a_key_with_two_targets_is_told_beside_the_key_that_is_there_twice(
    tmp_path: Path, aside: bool
) -> None:
    rows = month()
    again = pd.concat([rows, rows.head(3).assign(y=1 - rows["y"].head(3))], ignore_index=True)
    again.to_parquet(tmp_path / "new.parquet", index=False)
    suites = suite(expect(UNIQUE, column="id")) if aside else []
    arrived = sift(
        "new.parquet", tmp_path / "new.parquet", tmp_path / "made", suites, PARAMS, without_history
    )
    [contradiction] = [each for each in arrived.report.failed if "should have one y" in each.expectation]
    assert contradiction.observed.startswith("3 keys have different y, such as [{'id': '0', 'y': '0 and 1'}")
    same = pd.concat([rows, rows.head(3)], ignore_index=True)
    same.to_parquet(tmp_path / "same.parquet", index=False)
    arrived = sift(
        "same.parquet", tmp_path / "same.parquet", tmp_path / "made", suites, PARAMS, without_history
    )
    assert not any("should have one y" in each.expectation for each in arrived.report.failed)
