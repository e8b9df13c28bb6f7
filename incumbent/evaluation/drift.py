"""Data drift: new rows against the champion's sample of its training rows.

Each version keeps a uniform sample of bounded size, and an update merges the new rows into it. So history is
not read again, and the cost follows the new rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.spatial.distance import jensenshannon
from scipy.special import chdtri, rel_entr

from incumbent.errors import BadData
from incumbent.features.schema import Schema
from incumbent.tables.split import as_text

MAJOR = 0.25
"""By convention, a population stability index above 0.25 is a major shift, between 0.1 and 0.25 a moderate
one (credit scoring; N. Siddiqi, Credit Risk Scorecards, 2006)."""

MODERATE = 0.1

CHANCE = 0.001
"""Our choice: the false alarm rate of a column that did not move. Without any shift the index is about
chi-squared times (1/n + 1/m) (B. Yurdakul, Statistical Properties of the Population Stability Index, 2018):
on few rows, or over many categories, it exceeds 0.25 by chance."""

SAMPLE_ROWS = 10_000
"""Most rows of the sample to compare with. It is ordered by a hash of its rows (features.rows.sample), so its
head is a uniform sample, too; more rows would cost time and add little precision."""

TENTHS = np.arange(1, 10) / 10
MOST_CATEGORIES = 50


@dataclass(frozen=True)
class Shift:
    """The shift of one column from the champion's sample (before) to the new rows (now).

    psi: population stability index, over deciles of the sample's numbers or over categories; empty cells
    are a bin of their own. For numbers also ks, the largest difference of the distribution functions, and
    wasserstein, in standard deviations of the sample; for categories jensen_shannon, a distance from 0 to
    1. importance: the column's share in the champion's gain; 0.0 for the target. moved: whether psi exceeds
    0.25 and what chance explains.
    """

    column: str
    kind: Literal["number", "category"]
    importance: float
    psi: float
    ks: float | None
    wasserstein: float | None
    jensen_shannon: float | None
    missing_before: float
    missing_now: float
    moved: bool

    @property
    def words(self) -> str:
        """Size of the shift by the conventional limits: none, moderate or major."""
        return "major" if self.moved else "moderate" if self.psi > MODERATE else "none"


@dataclass(frozen=True)
class Drift:
    """`before`, `now`: numbers of rows compared; `features`: largest index first; `target`: the shift of the
    labels, None without labelled rows."""

    before: int
    now: int
    features: tuple[Shift, ...]
    target: Shift | None

    @property
    def moved(self) -> tuple[Shift, ...]:
        return tuple(shift for shift in self.features if shift.moved)

    @property
    def share(self) -> float:
        """Share of the champion's gain that comes from columns that moved, from 0 to 1."""
        return sum(shift.importance for shift in self.moved)

    def to_json(self) -> dict[str, Any]:
        features = [{**asdict(shift), "words": shift.words} for shift in self.features]
        target = self.target and {**asdict(self.target), "words": self.target.words}
        counts = {"before": self.before, "now": self.now, "share": self.share}
        return {**counts, "target": target, "features": features}


def drift(
    schema: Schema, sample: pd.DataFrame, fresh: Sequence[pd.DataFrame], importances: Mapping[str, float]
) -> Drift | None:
    """Shifts of features and target from the sample to the new rows, both prepared as for the model.

    importances: feature -> share of the model's gain. None when one side has no rows. Raises BadData for a
    column that the schema needs and the rows lack.
    """
    if sample.empty or not sum(map(len, fresh)):
        return None
    for frame in (sample, *fresh):
        if absent := [name for name in (*schema.inputs, schema.target) if name not in frame]:
            raise BadData(f"columns {absent} are missing; without them there is nothing to compare")
    sample = sample.head(SAMPLE_ROWS)
    before = schema.prepared(sample, complete=True)
    after = pd.concat([schema.prepared(frame) for frame in fresh], ignore_index=True)
    labels = pd.concat([frame[schema.target].dropna() for frame in fresh], ignore_index=True)
    kinds = {each.name: each.is_category for each in schema.features}
    shifts = [_shift(before[name], after[name], is_text, importances) for name, is_text in kinds.items()]
    target = None
    if len(labels):
        target = _shift(sample[schema.target], labels, schema.task != "regression", {})
    ordered = tuple(sorted(shifts, key=lambda shift: (-shift.psi, shift.column)))
    return Drift(len(sample), len(after), ordered, target)


def _shift(before: pd.Series, now: pd.Series, categorical: bool, importances: Mapping[str, float]) -> Shift:
    name = str(before.name)
    distances: dict[str, float | None] = {"ks": None, "wasserstein": None, "jensen_shannon": None}
    if categorical:
        counts = _by_category(as_text(before), as_text(now))
        distances["jensen_shannon"] = float(jensenshannon(*counts, base=2))
    else:
        numbers = [column.to_numpy(dtype=np.float64, na_value=np.nan) for column in (before, now)]
        counts = _by_tenth(*numbers)
        distances |= _distances(*(values[np.isfinite(values)] for values in numbers))
    psi, by_chance = _stability(*counts)
    return Shift(
        column=name,
        kind="category" if categorical else "number",
        importance=importances.get(name, 0.0),
        psi=psi,
        missing_before=float(before.isna().mean()),
        missing_now=float(now.isna().mean()),
        moved=psi > max(MAJOR, by_chance),
        **distances,
    )


def _by_category(before: pd.Series, now: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Counts of the most frequent categories of before, of all others together, and of the empty cells."""
    counts = before.value_counts()
    known = counts.index[:MOST_CATEGORIES]
    return _filed(before, counts, known), _filed(now, now.value_counts(), known)


def _filed(column: pd.Series, counts: pd.Series, known: pd.Index) -> np.ndarray:
    kept, filled = counts.reindex(known, fill_value=0).to_numpy(), int(counts.sum())
    return np.array([*kept, filled - kept.sum(), len(column) - filled])


def _by_tenth(before: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts by deciles of before, below and above its range, and of the empty cells."""
    values = before[~np.isnan(before)]
    edges = np.empty(0)
    if len(values):
        # An edge just below the smallest value gives smaller ones a bin of their own; without it, a column
        # that was constant before would show no shift towards smaller values.
        ends = [np.nextafter(values.min(), -np.inf), values.max()]
        edges = np.unique([*ends, *np.quantile(values, TENTHS, method="inverted_cdf")])
    first, second = (_binned(column, edges) for column in (before, now))
    return first, second


def _binned(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    bins = np.searchsorted(edges, values, side="left")
    bins[np.isnan(values)] = len(edges) + 1
    return np.bincount(bins, minlength=len(edges) + 2)


def _stability(before: np.ndarray, now: np.ndarray) -> tuple[float, float]:
    """The population stability index of two arrays of counts, and its limit if there were no shift (CHANCE).

    Half a row is added to each bin, as an empty one would make the index infinite.
    """
    used = (before + now) > 0
    p, q = ((counts[used] + 0.5) / (counts[used] + 0.5).sum() for counts in (before, now))
    index = float((rel_entr(p, q) + rel_entr(q, p)).sum())
    noise = chdtri(max(int(used.sum()) - 1, 1), CHANCE) * (1 / before.sum() + 1 / now.sum())
    return index, float(noise)


def _distances(before: np.ndarray, now: np.ndarray) -> dict[str, float | None]:
    """The largest difference of the two distribution functions, and the area between them.

    Same values as scipy.stats.ks_2samp and wasserstein_distance, from a single sort.
    """
    if not len(before) or not len(now):
        return {}
    steps = np.sort(np.concatenate([before, now]))
    first, second = (
        np.searchsorted(np.sort(each), steps, side="right") / len(each) for each in (before, now)
    )
    apart = np.abs(first - second)
    spread = float(before.std())
    return {
        "ks": float(apart.max()),
        "wasserstein": float((apart[:-1] * np.diff(steps)).sum()) / spread if spread > 0 else None,
    }
