"""A partition gets the same verdict on arrival, in a retraining and in `dvc repro`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incumbent.gate import Verdict
from incumbent.gate.sift import sift, without_history
from incumbent.gate.version import gate_version
from tests.building import toy_params

PARAMS = toy_params(
    dataset={"key": ["id"], "classes": [0, 1], "columns": {"id": "number", "x": "number", "y": "number"}}
)
SUITES = [
    {
        "name": "own",
        "expectations": [
            {
                "type": "expect_column_values_to_be_unique",
                "kwargs": {"column": "id"},
                "severity": "critical",
                "meta": {},
            }
        ],
    }
]
ROWS = 400


def good() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"id": np.arange(ROWS), "x": rng.normal(size=ROWS), "y": rng.integers(0, 2, ROWS).astype(float)}
    )


Spoil = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.mark.parametrize(
    ("spoil", "verdict"),
    [
        pytest.param(lambda frame: frame, Verdict.PASS, id="good"),
        pytest.param(lambda frame: frame.assign(x=frame["y"]), Verdict.WARN, id="leak"),
        pytest.param(lambda frame: frame.assign(x=np.inf), Verdict.WARN, id="infinite"),
        pytest.param(lambda frame: frame.assign(y=1.0), Verdict.WARN, id="one class"),
        pytest.param(lambda frame: frame.assign(y=np.nan), Verdict.WARN, id="no label yet"),
        pytest.param(lambda frame: frame.assign(id=1), Verdict.BLOCK, id="key with two targets"),
        pytest.param(lambda frame: frame.assign(y=frame["y"] + 1), Verdict.BLOCK, id="unknown class"),
        pytest.param(lambda frame: frame.drop(columns="x"), Verdict.BLOCK, id="column missing"),
    ],
)
def test_an_arrival_and_a_version_get_the_same_verdict_for_the_same_reasons(
    tmp_path: Path, spoil: Spoil, verdict: Verdict
) -> None:
    path = tmp_path / "may.parquet"
    spoil(good()).to_parquet(path, index=False)
    arrived = sift(path.name, path, tmp_path, SUITES, PARAMS, without_history).report
    version = gate_version([(path.name, path)], SUITES, PARAMS)
    assert (arrived.verdict, version.verdict) == (verdict, verdict)
    assert set(version.reasons) == set(arrived.reasons)
    assert version.waiting == arrived.waiting


def test_what_a_person_let_pass_warns_with_who_did_and_nobody_else_is_asked_for(tmp_path: Path) -> None:
    bad, fine = tmp_path / "may.parquet", tmp_path / "june.parquet"
    good().drop(columns="x").to_parquet(bad, index=False)
    good().to_parquet(fine, index=False)
    released = {bad.name: "ann let it pass: the sensor is gone"}
    report = gate_version([(bad.name, bad), (fine.name, fine)], SUITES, PARAMS, lambda: released)
    assert report.verdict is Verdict.WARN
    assert report.reasons[0].endswith("; ann let it pass: the sensor is gone")
    passing = gate_version([(fine.name, fine)], SUITES, PARAMS, lambda: pytest.fail("S3 was asked"))
    assert passing.verdict is Verdict.PASS
