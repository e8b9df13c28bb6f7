"""Pictures are drawn whatever the names in the data, and whatever is missing."""

import io
import warnings
from collections.abc import Mapping

import matplotlib.image
import numpy as np
import pytest

from incumbent.report import plots

MONTHS = {f"2026-{month:02d}.parquet": 50.0 + month for month in range(1, 9)}
RED = np.array([0xA3, 0x26, 0x2C]) / 255


def pixels(png: bytes) -> np.ndarray:
    return matplotlib.image.imread(io.BytesIO(png))[:, :, :3]


def rows_of_the_new(png: bytes) -> np.ndarray:
    """Where the new point is, without the one in the legend on top."""
    rows = np.flatnonzero((abs(pixels(png) - RED) < 0.02).all(axis=2).any(axis=1))
    return rows[rows > 60]


@pytest.mark.parametrize(("value", "is_above"), [(90.0, True), (10.0, False)])
def test_the_new_value_stands_out_of_its_band(value: float, is_above: bool) -> None:
    png = plots.history(MONTHS, ("new.csv", value), (40.0, 70.0), (35.0, 75.0), "the median of 'level'")
    rows = rows_of_the_new(png)
    assert len(rows) > 0
    assert (rows.mean() < len(pixels(png)) / 2) == is_above
    assert len(rows_of_the_new(plots.history(MONTHS, None, (40.0, 70.0), (35.0, 75.0), "the median"))) == 0


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"2026-01.parquet": None}, id="no value at all"),
        pytest.param({"a.parquet": 0.0, "b.parquet": None, "c.parquet": 0.0}, id="constant, with a gap"),
        pytest.param(
            {"$x_{.parquet": 1.0, "東京$^.parquet": 1.7e308, "c": -1.7e308},
            id="formulas, other scripts, great numbers",
        ),
        pytest.param(
            {f"{'long' * 30}-{place}.parquet": 1.0 * place for place in range(400)}, id="many, long"
        ),
    ],
)
@pytest.mark.parametrize("ends", [(None, None), (None, 1.0), (0.5, None)])
def test_any_history_can_be_drawn_without_a_warning(
    values: Mapping[str, float | None], ends: tuple[float | None, float | None]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        png = plots.history(
            values, ("$new_{.csv", 0.7), ends, ends, "the share of empty cells in '$a_{b$ 東京'"
        )
    assert pixels(png).std() > 0


def test_columns_and_classes_with_dollars_can_be_drawn() -> None:
    assert plots.importances({"$a_{b$": 0.7, "c": 0.3})
    assert plots.confusion(np.array([0, 1]), np.eye(2), ["$_{$", "b"])


@pytest.mark.parametrize("letter", ["x", "W", "値"])
def test_columns_and_classes_with_long_names_leave_room_for_the_picture(letter: str) -> None:
    names = [letter * 200 + end for end in "ab"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plots.importances(dict(zip(names, (0.7, 0.3), strict=True)))
        assert plots.confusion(np.array([0, 1]), np.eye(2), names)
