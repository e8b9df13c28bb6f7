"""Measure the new rows before any model trains on them: input for the plan's rules, live score, drift."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from incumbent.compare import Interval, as_decisions, estimate
from incumbent.errors import BadData
from incumbent.evaluation.drift import MAJOR, Drift, drift
from incumbent.evaluation.plan import Measurements
from incumbent.features.schema import Schema, differences
from incumbent.features.target import is_labelled
from incumbent.models.model import Model, importances
from incumbent.params import Params
from incumbent.tables.parquet import read_partition
from incumbent.tables.partitions import Diff
from incumbent.tables.split import group_hashes


@dataclass(frozen=True)
class ArrivalMeasurement:
    """`rules`: input for the plan's rules; `live`: the champion's score on the new rows; `drift`: their
    difference from its training rows.

    `live` and `drift` are None when the rows do not fit the champion's schema; `live` also when there is no
    score, as with one class only; `drift` also when retrain.replay = 0 kept no sample.
    """

    rules: Measurements
    live: Interval | None
    drift: Drift | None


def measure(
    champion: Model,
    manifest: Mapping[str, Any],
    sample: pd.DataFrame,
    fresh: Sequence[Path],
    diff: Diff,
    params: Params,
) -> ArrivalMeasurement:
    """Measure the files of diff.fresh. `manifest` and `sample` (of training rows) are the champion's."""
    loaded = [read_partition(path) for path in fresh]
    changes = _schema_changes(champion.schema, loaded, params)
    fits = bool(loaded) and not changes
    live = _live_score(champion, loaded, params) if fits else None
    gains = importances(champion.trained, [feature.name for feature in champion.schema.features])
    shifts = drift(champion.schema, sample, loaded, gains) if fits else None
    promised = manifest["metrics"]["holdout"]
    rules = Measurements(
        champion=champion.version,
        metric=params.promotion.metric,
        new_rows=sum(int(is_labelled(frame, params.dataset.target).sum()) for frame in loaded),
        added=len(diff.added),
        changed=diff.changed,
        removed=diff.removed,
        schema_changes=changes,
        params_changes=params.shaping_changes(manifest["params"]),
        unseen_share=_unseen_share(champion.schema, loaded) if fits else 0.0,
        promised=promised and promised["value"],
        live=live.value if live else None,
        drift=shifts.share if shifts else 0.0,
        drift_since_full=manifest.get("drift_since_full", 0.0),  # older versions do not know it
        moved=_names(shifts) if shifts else (),
        target_moved=_target(shifts) if shifts else None,
        updates=manifest["updates"],
        growth=_training_count(loaded, params) / manifest["rows_known"],
    )
    return ArrivalMeasurement(rules, live, shifts)


def _names(shifts: Drift) -> tuple[str, ...]:
    """Columns that moved, most important for the model first."""
    moved = sorted(shifts.moved, key=lambda shift: -shift.importance)
    return tuple(f"{shift.column} PSI {shift.psi:.2f}" for shift in moved[:5])


def _target(shifts: Drift) -> str | None:
    return f"PSI {shifts.target.psi:.2f} above {MAJOR}" if shifts.target and shifts.target.moved else None


def _schema_changes(schema: Schema, frames: Sequence[pd.DataFrame], params: Params) -> tuple[str, ...]:
    changes: dict[str, None] = {}
    for frame in frames:
        different = differences(schema, frame, params.dataset)
        if not different:
            try:
                schema.encode(frame.head(1000))
            except BadData as error:
                different = [str(error)]
        changes.update(dict.fromkeys(different))
    return tuple(changes)


def _unseen_share(schema: Schema, frames: Sequence[pd.DataFrame]) -> float:
    rows = [len(frame) for frame in frames]
    return float(np.average([schema.unseen_share(frame) for frame in frames], weights=rows))


def _training_count(frames: Sequence[pd.DataFrame], params: Params) -> int:
    counts = 0
    for frame in frames:
        training = group_hashes(frame, params.split.by) >= params.split.holdout
        counts += int((training & is_labelled(frame, params.dataset.target)).sum())
    return counts


def _live_score(champion: Model, frames: Sequence[pd.DataFrame], params: Params) -> Interval | None:
    schema = champion.schema
    try:
        kept = [schema.trained_on(frame) for frame in frames]
        parts = list(zip(frames, kept, strict=True))
        groups = np.concatenate([group_hashes(frame, params.split.by)[rows] for frame, rows in parts])
        y = np.concatenate([schema.labels(frame[rows]) for frame, rows in parts])
        # Predict all rows, as a row's lags depend on the rows before it.
        scores = np.concatenate([champion.predict(frame)[rows] for frame, rows in parts])
        judged = as_decisions(scores, champion.output.threshold, params.promotion)
        return estimate(y, judged, groups, params.promotion, seed=params.seed)
    except BadData:
        return None
