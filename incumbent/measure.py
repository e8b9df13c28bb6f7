"""Look at the new rows before anything trains on them: what the plan's rules need, and honest live scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from incumbent.compare import Interval, estimate
from incumbent.dataset import Diff
from incumbent.errors import BadData
from incumbent.model import Model
from incumbent.params import Params
from incumbent.plan import Measurements
from incumbent.rows import read_partition
from incumbent.schema import Schema, differences
from incumbent.split import group_hashes


def measure(
    champion: Model,
    manifest: Mapping[str, Any],
    fresh: Sequence[Path],
    diff: Diff,
    params: Params,
) -> tuple[Measurements, Interval | None]:
    """What the plan looks at, and the champion's live score on the new rows.

    `manifest` is the champion's; `fresh` are the files of diff.fresh. The live score is None when the
    rows do not fit the champion's schema or can't be judged, as with one class only.
    """
    loaded = [read_partition(path) for path in fresh]
    changes = _schema_changes(champion.schema, loaded, params)
    live = None if changes or not loaded else _live_score(champion, loaded, params)
    promised = manifest["metrics"]["holdout"]
    seen = Measurements(
        champion=champion.version,
        metric=params.promotion.metric,
        new_rows=sum(len(frame) for frame in loaded),
        added=len(diff.added),
        changed=diff.changed,
        removed=diff.removed,
        schema_changes=changes,
        params_changes=params.shaping_changes(manifest["params"]),
        unseen_share=0.0 if changes or not loaded else _unseen_share(champion.schema, loaded),
        promised=promised and promised["value"],
        live=live.value if live else None,
        updates=manifest["updates"],
        growth=_training_count(loaded, params) / manifest["rows_known"],
    )
    return seen, live


def _schema_changes(schema: Schema, frames: Sequence[pd.DataFrame], params: Params) -> tuple[str, ...]:
    changes: dict[str, None] = {}
    for frame in frames:
        found = differences(schema, frame, params.dataset)
        if not found:
            try:
                schema.encode(frame.head(1000))
            except BadData as error:
                found = [str(error)]
        changes.update(dict.fromkeys(found))
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
        return estimate(y, scores, groups, params.promotion, seed=params.seed)
    except BadData:
        return None
