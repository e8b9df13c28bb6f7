"""Two small models that notice what no single column shows: is this partition unlike the recent ones?

domain: how well a model tells its rows from recent ones (adversarial validation), as an AUC: 0.5 if they are
alike. recent model: how well a model of the recent rows ranks its targets, as an AUC or, of a regression, a
rank correlation from 0 (the other way round) to 1; labels that were shuffled, flipped or shifted by a row
bring it down. What is usual for either, the history of arrivals says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata, spearmanr

from incumbent.gate.figures import DOMAIN, RECENT_MODEL
from incumbent.gate.profile import AS_THEY_ARE, Profile
from incumbent.gate.samples import even_sample
from incumbent.params import CleanParams, DatasetParams, Params, Task
from incumbent.tables.columns import columns_of
from incumbent.tables.labels import are_known
from incumbent.tables.leaks import auc
from incumbent.tables.tidy import tidied

RECENT = 3
"""Partitions that a new one is compared with."""

ROWS = 3_000
"""Of each side: enough to see a shift that matters, in tenths of a second."""

CELLS = 500_000
"""Of each side of a wide table."""

LEAST = 100
"""Rows of either side; fewer say nothing."""

MANY = 150
"""Columns; of more, each tree sees so many."""

TELLING = 3
SHARE = 0.2
"""Of the gain: a column with less does not tell the two sides apart."""


@dataclass(frozen=True)
class Readings:
    """values: by sensor; telling: the columns that tell the partition from the recent ones, most first."""

    values: Mapping[str, float]
    telling: tuple[str, ...] = ()


def with_sensors(profile: Profile, sample: pd.DataFrame, recent: Sequence[Path], params: Params) -> Profile:
    """The profile of a partition, of whose rows `sample` is, with what the sensors read."""
    readings = read_sensors(sample, recent, params.dataset, params.task, params.clean)
    return replace(profile, sensors=readings.values, telling=readings.telling)


def read_sensors(
    sample: pd.DataFrame,
    recent: Sequence[Path],
    dataset: DatasetParams,
    task: Task,
    clean: CleanParams = AS_THEY_ARE,
) -> Readings:
    """Of a partition's sample, as profile_and_sample gives it with `clean`, against the `recent` Parquet
    partitions, the latest last; empty with too few rows."""
    names = [str(name) for name, cells in sample.items() if cells.notna().any() and not _is_time(cells)]
    latest = [each for each in recent[-RECENT:] if {*names} <= columns_of(each).keys()]
    if not latest:
        return Readings({})
    most = min(ROWS, RECENT * LEAST + CELLS // len(names))
    new = sample[names].iloc[:: -(-len(sample) // most) or 1]
    old = tidied(even_sample(latest, names, most // len(latest)), clean)
    if min(len(new), len(old)) < LEAST:
        return Readings({})
    cells = _encoded(pd.concat([old, new], ignore_index=True))
    is_new = np.arange(len(cells)) >= len(old)
    value, telling = _domain(cells, is_new)
    values = {DOMAIN: value}
    ranked = _recent_model(cells, is_new, pd.concat([old, new], ignore_index=True), dataset, task)
    return Readings(values | ({RECENT_MODEL: ranked} if ranked is not None else {}), telling)


def _is_time(cells: pd.Series) -> bool:
    return bool(pd.api.types.is_datetime64_any_dtype(cells.dtype))


def _encoded(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers as they are, anything else as the codes of a category."""
    columns = {
        name: cells.to_numpy(dtype=np.float64, na_value=np.nan)
        if pd.api.types.is_numeric_dtype(cells.dtype) and not pd.api.types.is_bool_dtype(cells.dtype)
        else pd.Series(pd.factorize(cells)[0]).replace(-1, pd.NA).astype("category")
        for name, cells in frame.items()
    }
    return pd.DataFrame(columns)


def _domain(cells: pd.DataFrame, is_new: np.ndarray) -> tuple[float, tuple[str, ...]]:
    """Each half of the rows is predicted by a model of the other half."""
    half = np.arange(len(cells)) % 2 == 0
    scores, gains = np.zeros(len(cells)), np.zeros(cells.shape[1])
    for other in (half, ~half):
        model = _fit(cells[other], is_new[other].astype(float), "binary")
        scores[~other] = model.predict(cells[~other])
        gains += model.feature_importance("gain")
    share = gains / (gains.sum() or 1.0)
    order = [place for place in np.argsort(-share)[:TELLING] if share[place] >= SHARE]
    return auc(rankdata(scores), is_new), tuple(str(cells.columns[place]) for place in order)


def _recent_model(
    cells: pd.DataFrame, is_new: np.ndarray, rows: pd.DataFrame, dataset: DatasetParams, task: Task
) -> float | None:
    """None where either side has too few labels of both kinds."""
    target = dataset.target
    if target not in rows or cells.shape[1] < 2:
        return None
    known = are_known(rows[target], dataset, task)
    features = cells.drop(columns=[target])
    if task == "regression":
        y = rows[target].to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        event = dataset.positive if task == "binary" else rows[target][known & ~is_new].mode().iloc[0]
        y = (rows[target] == event).to_numpy(dtype=np.float64)
    old, new = known & ~is_new, known & is_new
    if min(old.sum(), new.sum()) < LEAST or np.ptp(y[old]) == 0 or np.ptp(y[new]) == 0:
        return None
    model = _fit(features[old], y[old], "regression" if task == "regression" else "binary")
    scores = model.predict(features[new])
    if task == "regression":
        return float(spearmanr(scores, y[new]).statistic + 1) / 2 if np.ptp(scores) else 0.5
    return auc(rankdata(scores), y[new] == 1)


def _fit(features: pd.DataFrame, y: np.ndarray, objective: str) -> Any:
    import lightgbm

    params: dict[str, Any] = {
        "objective": objective, "num_leaves": 15, "verbose": -1, "num_threads": 1,
        "deterministic": True, "force_col_wise": True,
    }  # fmt: skip
    if (share := MANY / features.shape[1]) < 1:  # of a thousand columns all trees together still see each
        params |= {"feature_fraction": share, "max_bin": 31, "seed": 0}
    numbered = features.set_axis([str(place) for place in range(features.shape[1])], axis=1)
    return lightgbm.train(
        params, lightgbm.Dataset(numbered, y), 30
    )  # it refuses names with quotes or brackets
