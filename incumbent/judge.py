"""Score models on rows they have not seen: the holdout to decide, the new rows to look back."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from incumbent.compare import Comparison, Interval, auc_interval, compare_auc
from incumbent.dataset import Diff
from incumbent.errors import BadData
from incumbent.model import Model
from incumbent.params import Params
from incumbent.plan import Measurements
from incumbent.rows import Side, read_partition
from incumbent.rows import frames as frames_of
from incumbent.schema import Schema, same_columns
from incumbent.split import group_hashes

BASELINE = "the trivial baseline"


def score_holdout(
    champion: Model | None, challenger: Model, paths: Sequence[Path], params: Params
) -> pd.DataFrame:
    """Both models' predictions for the held-out rows: columns y, champion, challenger, group.

    Without a champion the baseline takes its place: it gives every row the same probability.
    """
    parts = []
    for frame, group in frames_of(paths, params, Side.HOLDOUT):
        # A column that came or went since: each model sees what it would see in production.
        rival = np.zeros(len(frame)) if champion is None else champion.predict(frame, absent_as_missing=True)
        contender = challenger.predict(frame, absent_as_missing=True)
        y = challenger.schema.labels(frame)
        scores = {"y": y, "champion": rival, "challenger": contender, "group": group}
        parts.append(pd.DataFrame(scores))
    return pd.concat(parts, ignore_index=True)


def compare_scores(scores: pd.DataFrame, params: Params) -> Comparison:
    """The paired comparison of what score_holdout returned."""
    return compare_auc(
        scores["y"].to_numpy(),
        scores["champion"].to_numpy(),
        scores["challenger"].to_numpy(),
        scores["group"].to_numpy(),
        params.promotion.confidence,
    )


def measure(
    champion: Model,
    manifest: dict[str, Any],
    fresh: Sequence[Path],
    diff: Diff,
    params: Params,
) -> tuple[Measurements, Interval | None]:
    """What the plan looks at, and the champion's live score on the new rows, before any training.

    `manifest` is the champion's; `fresh` are the files of diff.fresh. The live score is None when the
    rows do not fit the champion's schema or hold one class only.
    """
    loaded = [read_partition(path) for path in fresh]
    changes = _schema_changes(champion.schema, loaded, params)
    live = None if changes or not loaded else _live_score(champion, loaded, params)
    seen = Measurements(
        champion=champion.version,
        new_rows=sum(len(frame) for frame in loaded),
        added=len(diff.added),
        changed=diff.changed,
        removed=diff.removed,
        schema_changes=changes,
        params_changes=params.shaping_changes(Params.model_validate(manifest["params"])),
        unseen_share=0.0 if changes or not loaded else _unseen_share(champion.schema, loaded),
        promised=manifest["metrics"]["holdout"]["value"],
        live=live.value if live else None,
        updates=manifest["updates"],
        growth=_training_count(loaded, params) / manifest["rows_known"],
    )
    return seen, live


def _schema_changes(schema: Schema, frames: Sequence[pd.DataFrame], params: Params) -> tuple[str, ...]:
    changes: dict[str, None] = {}
    for frame in frames:
        differences = same_columns(schema, frame, params.dataset)
        if not differences:
            try:
                schema.encode(frame.head(1000))
            except BadData as error:
                differences = [str(error)]
        changes.update(dict.fromkeys(differences))
    return tuple(changes)


def _unseen_share(schema: Schema, frames: Sequence[pd.DataFrame]) -> float:
    rows = [len(frame) for frame in frames]
    return float(np.average([schema.unseen_share(frame) for frame in frames], weights=rows))


def _training_count(frames: Sequence[pd.DataFrame], params: Params) -> int:
    hashes = (group_hashes(frame, params.split.by) for frame in frames)
    return sum(int((side >= params.split.holdout).sum()) for side in hashes)


def _live_score(champion: Model, frames: Sequence[pd.DataFrame], params: Params) -> Interval | None:
    groups = np.concatenate([group_hashes(frame, params.split.by) for frame in frames])
    try:
        y = np.concatenate([champion.schema.labels(frame) for frame in frames])
        scores = np.concatenate([champion.predict(frame) for frame in frames])
        return auc_interval(y, scores, groups, params.promotion.confidence)
    except BadData:
        return None
