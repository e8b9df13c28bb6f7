"""The rows that a search works on, and the search itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from incumbent.features.choosing_rows import choosing_rows, with_scaled_gap
from incumbent.features.rows import Rows, require_variety, sampled_rows, survey
from incumbent.features.sample import Sample
from incumbent.features.schema import Schema
from incumbent.learners import open_learner
from incumbent.params import Params
from incumbent.search.window import EVERYTHING, Window
from incumbent.training.engine import LOCAL, Engine
from incumbent.training.on_ray import deal

if TYPE_CHECKING:
    from incumbent.search.studies import StudyRef
    from incumbent.search.tune import StudyResult


def search(
    paths: Sequence[Path],
    params: Params,
    window: Window = EVERYTHING,
    ref: StudyRef | None = None,
    engine: Engine = LOCAL,
) -> StudyResult:
    """Tune on the training rows of the partitions, in their order, and of many on a sample (search.rows);
    `ref` is the address of the study.

    With Ray the sample is the one that is kept for updates.
    """
    from incumbent.search.tune import tune

    if engine.name == "ray":
        sample = Sample(params)
        schema, counts = survey(window.of(paths), params, sample)
        deal(counts, engine.workers)  # raise before the search what would fail in training
        rows = replay_sample(sample.rows, schema, params)
    else:
        schema, rows = choosing_rows(window.of(paths), params)
        params = with_scaled_gap(params, window.of(paths), rows)
    return tune(window.weighed(rows), open_learner(params, schema), schema, params, ref)


def search_share(paths: Sequence[Path], params: Params, window: Window, ref: StudyRef, worker: int) -> None:
    """One worker's share of the same search; the study at `ref` must exist."""
    from incumbent.search.tune import join

    schema, rows = choosing_rows(window.of(paths), params)
    params = with_scaled_gap(params, window.of(paths), rows)
    join(window.weighed(rows), open_learner(params, schema), schema, params, ref, worker)


def replay_sample(sample: pd.DataFrame, schema: Schema, params: Params) -> Rows:
    """The sample that is kept for updates, as rows. Raises BadData as require_variety."""
    rows = sampled_rows(sample, schema, params, grouped=True)
    require_variety(rows, params)
    return rows
