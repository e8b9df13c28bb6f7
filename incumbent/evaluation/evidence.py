"""Collect the evidence for a decision from rows that no model learned from."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from incumbent.compare import Comparison, as_decisions, calibration, compare_slices, fairness, try_compare
from incumbent.compare.result import Incomparable
from incumbent.evaluation.decide import Evidence
from incumbent.evaluation.judging_rows import JudgingRows
from incumbent.models.model import Model
from incumbent.params import PromotionParams
from incumbent.tables.parquet import first_rows

TIMED_ROWS, TIMES = 10_000, 3


def compare_on(rows: JudgingRows, promotion: PromotionParams, seed: int) -> Comparison | Incomparable:
    """The paired comparison of champion and challenger; seed: that of the bootstrap.

    A metric of decisions uses each model's own threshold, as in production.
    """
    champion, challenger, others = _as_judged(rows, promotion)
    return try_compare(rows.y, champion, challenger, rows.group, promotion, others=others, seed=seed)


def collect_evidence(rows: JudgingRows, promotion: PromotionParams, seed: int) -> Evidence:
    """All evidence for a decision except size and speed of the model. seed: that of the bootstrap."""
    comparison = compare_on(rows, promotion, seed)
    if not isinstance(comparison, Comparison):
        return Evidence(comparison)
    champion, challenger, _ = _as_judged(rows, promotion)
    column, own = promotion.fairness.column, rows.thresholds[1]
    threshold = promotion.threshold if own is None else own
    return Evidence(
        comparison,
        compare_slices(rows.y, champion, challenger, rows.group, rows.columns, promotion, seed=seed),
        None if rows.y.dtype == np.float64 else calibration(rows.y, rows.challenger),
        fairness(rows.y, rows.challenger, rows.columns[column], threshold) if column else None,
    )


def microseconds_per_row(model: Model, path: Path) -> float:
    """Time per row of the fastest of three predictions of up to 10,000 of the file's rows, with encoding."""
    frame = first_rows(path, TIMED_ROWS)
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        model.predict(frame, absent_as_missing=True)
        seconds.append(time.perf_counter() - start)
    return min(seconds) / len(frame) * 1e6


def _as_judged(
    rows: JudgingRows, promotion: PromotionParams
) -> tuple[np.ndarray, np.ndarray, Sequence[np.ndarray]]:
    theirs, own = rows.thresholds
    return (
        as_decisions(rows.champion, theirs, promotion),
        as_decisions(rows.challenger, own, promotion),
        [as_decisions(other, own, promotion) for other in rows.others],
    )
