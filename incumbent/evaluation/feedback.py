"""Late labels against logged predictions: is the champion still as good as it was? Those that have no label
yet tell an estimate."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from incumbent.compare import Interval, as_decisions, critical_value, estimate
from incumbent.errors import BadData
from incumbent.evaluation.estimated import Estimated, estimate_before_labels, loss_of
from incumbent.evaluation.simulated_labels import Unlabelled
from incumbent.evaluation.watch import equal_groups
from incumbent.features.schema import Schema
from incumbent.models.model import Model
from incumbent.models.reference import Reference
from incumbent.params import Params
from incumbent.tables.late_labels import as_in
from incumbent.tables.split import group_hashes

GROUP, EXPECTED_ERROR = "group", "expected_error"


@dataclass(frozen=True)
class Health:
    """A version's metric on predictions whose labels arrived later.

    logged: number of predictions examined; labelled: those with a label. live: the metric on these; promised:
    that when the version was made. loss: how much worse than promised, in units of the metric,
    with bounds that hold over all looks at these predictions; decayed: whether both are worse. live and loss
    are None when they can't be estimated; `reason` says why. estimated: the metric of the predictions that
    have no label yet, None for the `estimate_reason`.
    """

    version: str
    metric: str
    logged: int
    labelled: int
    live: Interval | None
    promised: Interval | None
    loss: Interval | None
    decayed: bool
    reason: str
    estimated: Estimated | None = None
    estimate_reason: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def to_log(
    scored: pd.DataFrame, frame: pd.DataFrame, params: Params, expected_error: np.ndarray | None = None
) -> pd.DataFrame:
    """Predictions with the key to find their label by later, and the hash of the rows' group.

    scored: (n, ...) as Model.score; frame: the rows, with all columns of dataset.key; expected_error: (n,) as
    Model.expected_error.
    """
    key = params.dataset.key
    grouped = params.split.by if set(params.split.by) <= set(frame.columns) else key
    logged = pd.concat([frame[key].reset_index(drop=True), scored], axis=1)
    expected = {} if expected_error is None else {EXPECTED_ERROR: expected_error}
    return logged.assign(**{GROUP: group_hashes(frame, grouped)}, **expected)


def examine(
    model: Model,
    logged: pd.DataFrame,
    labels: Sequence[pd.DataFrame],
    metrics: Mapping[str, Any],
    params: Params,
    confidence: float,
    reference: Reference | None = None,
) -> Health:
    """Join the model's predictions with the labels by key, and compare their metric with what it was then.

    logged: rows of `to_log`; the first prediction of a key counts. labels: tables with key and target; a
    later table overrides an earlier one. metrics: the manifest's. confidence: of each bound of the loss, over
    all looks at predictions that only become more. reference: the version's, to estimate the metric of the
    others by. Raises BadData when the keys' types can't be compared.
    """
    key = params.dataset.key
    first = logged.assign(**{name: _in_utc(logged[name]) for name in key if name in logged})
    first = first.drop_duplicates(key, keep="first")
    joined = _joined(first, labels, model.schema.target, key)
    promised = metrics["holdout"] if metrics["metric"] == params.promotion.metric else None
    promise = promised and Interval(*(promised[end] for end in ("value", "low", "high")))
    health = _health(model, first, joined, labels, promise, params, confidence)
    unlabelled = _unlabelled(first, joined, key, model, reference)
    estimated, reason = estimate_before_labels(model, unlabelled, reference, promise, params)
    return replace(health, estimated=estimated, estimate_reason=reason)


def _health(
    model: Model,
    first: pd.DataFrame,
    joined: pd.DataFrame,
    labels: Sequence[pd.DataFrame],
    promised: Interval | None,
    params: Params,
    confidence: float,
) -> Health:
    """By the labelled predictions; first: all, joined: with labels."""
    version, schema = model.version, model.schema
    joined = schema.of_known_class(joined)
    counts = (len(first), len(joined))
    if len(joined) < params.monitor.min_rows:
        least = f"monitor.min_rows = {params.monitor.min_rows:,}"
        few = f"{len(joined):,} labelled predictions are fewer than {least}"
        hint = _no_common_key(first, labels, params.dataset.key) if joined.empty else ""
        return _unknown(version, params, counts, few + hint)
    try:
        judged = as_decisions(_scores(joined, schema), model.output.threshold, params.promotion)
        live = estimate(
            schema.labels(joined), judged, joined[GROUP].to_numpy(), params.promotion, seed=params.seed
        )
    except BadData as error:
        return _unknown(version, params, counts, str(error))
    if promised is None:
        reason = f"{version} promised no {params.promotion.metric} when it was made"
        return _unknown(version, params, counts, reason, live)
    groups = joined[GROUP].value_counts().to_numpy()
    if equal_groups(groups) < 2:
        reason = "nearly all labelled predictions are of one group of split.by: too few to tell how they vary"
        return _unknown(version, params, counts, reason, live)
    half = _half_width(live, groups, params, confidence)
    return _judged(version, params, counts, live, promised, half, confidence)


def _unlabelled(
    first: pd.DataFrame, joined: pd.DataFrame, key: list[str], model: Model, reference: Reference | None
) -> Unlabelled:
    """The predictions that have no label; in a regression those that were logged with an expected error."""
    rows = first
    if not joined.empty:
        known = pd.MultiIndex.from_frame(joined[key])
        rows = first[~pd.MultiIndex.from_frame(first[key]).isin(known)]
    expected = None
    if reference is not None and reference.expected_error is not None:
        rows = rows.reindex(columns=[*rows.columns.drop(EXPECTED_ERROR, errors="ignore"), EXPECTED_ERROR])
        rows = rows.dropna(subset=[EXPECTED_ERROR])
        expected = rows[EXPECTED_ERROR].to_numpy(dtype=np.float64)
    if rows.empty:
        return Unlabelled(np.zeros(0), np.zeros(0), expected)
    return Unlabelled(_scores(rows, model.schema), rows[GROUP].to_numpy(), expected)


def _half_width(live: Interval, groups: np.ndarray, params: Params, confidence: float) -> float:
    """From the metric to each of its bounds over all looks; groups: (g,) their rows.

    The first look is at monitor.min_rows; from there the variance of the sum grows with the rows.
    """
    student = stdtrit(len(groups) - 1, 0.5 + params.promotion.confidence / 2)
    growth = groups.sum() / params.monitor.min_rows
    critical = critical_value(growth, equal_groups(groups) - 1, confidence)
    return float(critical / student * live.half_width)


def _judged(
    version: str,
    params: Params,
    counts: tuple[int, int],
    live: Interval,
    promised: Interval,
    half_width: float,
    confidence: float,
) -> Health:
    """half_width: of the live metric over all looks."""
    metric = params.promotion.metric
    loss = loss_of(metric, live, promised, half_width)
    decayed = loss.low > 0
    figures = (
        f"{metric} {live} on {counts[1]:,} labelled predictions, promised {promised}; loss {loss}, each "
        f"bound with {100 * confidence:.4g}% confidence over all looks"
    )
    verdict = "significantly worse than promised" if decayed else "not shown to be worse than promised"
    return Health(
        version, metric, *counts, live, promised, loss, decayed, f"{version} is {verdict}: {figures}"
    )


def _unknown(
    version: str, params: Params, counts: tuple[int, int], reason: str, live: Interval | None = None
) -> Health:
    return Health(version, params.promotion.metric, *counts, live, None, None, decayed=False, reason=reason)


def _in_utc(column: pd.Series) -> pd.Series:
    """Convert times to UTC where only some have a zone, as after scoring files of several formats."""
    if column.dtype == object and column.map(lambda cell: isinstance(cell, datetime)).all():
        return pd.to_datetime(column, utc=True)
    return column


def _joined(
    logged: pd.DataFrame, labels: Sequence[pd.DataFrame], target: str, key: list[str]
) -> pd.DataFrame:
    if not labels or logged.empty:
        return logged.head(0).assign(**{target: []})
    try:
        alike = [
            frame[[*key, target]].assign(**{name: as_in(logged[name], frame[name]) for name in key})
            for frame in labels
        ]
        known = pd.concat(alike).dropna(subset=[target]).drop_duplicates(key, keep="last")
        return logged.merge(known, on=key)
    except (ValueError, TypeError) as error:
        raise BadData(f"the keys of predictions and labels can't be compared: {error}") from error


def _no_common_key(logged: pd.DataFrame, labels: Sequence[pd.DataFrame], key: list[str]) -> str:
    """A hint for predictions and labels that have no key in common, with an example of each."""
    if logged.empty or not labels:
        return ""
    one, other = (
        ", ".join(f"{name} = {frame[name].iloc[0]}" for name in key) for frame in (logged, labels[-1])
    )
    return (
        f"; no label has the key of a prediction: there are predictions such as {one}, labels such as {other}"
    )


def _scores(joined: pd.DataFrame, schema: Schema) -> np.ndarray:
    if schema.task != "multiclass":
        return joined["score"].to_numpy(dtype=np.float64)
    return joined[[f"score_{name}" for name in schema.classes]].to_numpy(dtype=np.float64)
