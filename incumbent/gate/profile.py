"""What a partition holds, in figures: the history by which later arrivals are judged.

Rows, empty cells and repeated content are counted over the whole file, in one DuckDB pass; the rest is of up
to SAMPLE rows, spread evenly. The same bytes give the same figures.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import AfterValidator, ValidationInfo
from scipy.stats import rankdata

from incumbent.gate.documents import Correlation, Count, Finite, Share, Size, parsed
from incumbent.gate.samples import counts_and_sample
from incumbent.params import CleanParams, DatasetParams, Task
from incumbent.tables.columns import Kind, columns_of
from incumbent.tables.labels import are_known
from incumbent.tables.tidy import tidied

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
MOST_CATEGORIES = 100
MOST_CODES = 20
REPEATEDLY = 4
"""Numbers with so few different values, each so often, are categories, too: their quantiles would jump."""

MOST_CORRELATED = 30
MANY_ALIKE = 0.25
AS_THEY_ARE = CleanParams()
BINS = 10


def _ascending(quantiles: tuple[float, ...]) -> tuple[float, ...]:
    if quantiles and (len(quantiles) != len(QUANTILES) or list(quantiles) != sorted(quantiles)):
        raise ValueError(f"input should be {len(QUANTILES)} numbers in ascending order, or none")
    return quantiles


def _numbers_of_a_number(
    categories: Mapping[str, float] | None, info: ValidationInfo
) -> Mapping[str, float] | None:
    if info.data.get("kind") == "number":
        for value in categories or ():
            float(value)  # raises ValueError, which says what is none
    return categories


Quantiles = Annotated[tuple[Finite, ...], AfterValidator(_ascending)]


@dataclass(frozen=True)
class ColumnProfile:
    """One column. `empty` is a share of all rows; other shares are of the filled cells of the sample.

    shares: of cells that are the `commonest` value, or of a kind: `negative`, `upper`, …. quantiles: at
    QUANTILES, of numbers with more than MOST_CODES values; without the commonest value where that alone has
    more than a quarter. categories: share by value, where there are at most MOST_CATEGORIES. targets: [mean
    of the target, rows] by value or, for numbers, by tenth. correlations: of ranks, with other numbers.
    """

    kind: Kind | None
    filled: Count
    empty: Share
    distinct: Count = 0
    commonest: str | None = None
    shares: Mapping[str, Share] = field(default_factory=dict)
    mean: Finite | None = None
    deviation: Size | None = None
    quantiles: Quantiles = ()
    length: Size | None = None
    categories: Annotated[Mapping[str, Share] | None, AfterValidator(_numbers_of_a_number)] = None
    targets: Mapping[str, tuple[Finite, Count]] = field(default_factory=dict)
    correlations: Mapping[str, Correlation] = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """One partition. sampled: rows of the sample; repeated: the share of rows that repeat the content of an
    earlier row, the key aside; content: the SKETCH smallest hashes of the rows' content; run: the longest
    stretch of rows with one target, in the sample's order; sensors, and the `telling` columns: see
    sensors.py."""

    rows: Count
    sampled: Count
    repeated: Share
    content: tuple[Count, ...]
    run: Count
    target: str
    columns: Mapping[str, ColumnProfile]
    sensors: Mapping[str, Share] = field(default_factory=dict)
    telling: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        columns = {name: vars(each) for name, each in self.columns.items()}
        return dict(rounded({**vars(self), "columns": columns}))

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Profile":
        """What to_json gives. Raises ValueError for anything else."""
        return parsed(Profile, document)


def profile(path: Path, dataset: DatasetParams, task: Task, clean: CleanParams = AS_THEY_ARE) -> Profile:
    """The profile of a Parquet partition, without times and dropped columns, and of its key only with parts
    that repeat; its texts as `clean` has them.

    Raises BadData for a file that can't be read.
    """
    return profile_and_sample(path, dataset, task, clean)[0]


def profile_and_sample(
    path: Path, dataset: DatasetParams, task: Task, clean: CleanParams = AS_THEY_ARE
) -> tuple[Profile, pd.DataFrame]:
    """The same, and the rows that it is of, up to SAMPLE; these have the times, too, and no key."""
    # One column that is the key has another value in each row, as a part of it may.
    aside = {*dataset.drop} if len(dataset.key) > 1 else {*dataset.key, *dataset.drop}
    present = {name: kind for name, kind in columns_of(path).items() if name not in aside}
    kinds = {name: kind for name, kind in present.items() if kind != "time"}
    counts, sample = counts_and_sample(path, kinds, list(present), dataset.key)
    sample = tidied(sample, clean)
    parts = {name: _as_names(sample[name], kinds[name]) for name in dataset.key if name in kinds}
    kinds = {
        name: None if name in parts and kind == "number" else kind
        for name, kind in kinds.items()
        if name not in parts or _repeats(parts[name])
    }
    y = _numbered(sample[dataset.target], dataset, task) if dataset.target in sample else None
    labelled = y is not None and bool(np.isfinite(y).any())
    ranks: dict[str, np.ndarray] = {}
    columns = {}
    for name, kind in kinds.items():
        cells = parts.get(name, sample[name])
        column = _column(cells, kind, counts.filled[name], counts.rows)
        if labelled and name != dataset.target and column.filled:
            assert y is not None
            column = _with_targets(column, cells, y)
        if kind == "number" and name != dataset.target:
            ranks[name] = _standard_ranks(cells)
        columns[name] = column
    columns |= {name: _with_correlations(columns[name], name, ranks) for name in ranks}
    run = _longest_run(y) if labelled and y is not None else 0
    made = Profile(counts.rows, len(sample), counts.repeated, counts.smallest, run, dataset.target, columns)
    return made, sample.drop(columns=dataset.key, errors="ignore")


def _as_names(part: pd.Series, kind: Kind | None) -> pd.Series:
    """A part of a key says which, and not how many, also where it is a number."""
    there = part.dropna()
    return pd.Series(_names(there, kind), there.index, dtype=object).reindex(part.index)


def _repeats(cells: pd.Series) -> bool:
    """Are there few different values, each often enough to be more than a part of an id?"""
    there = cells.dropna()
    return 0 < there.nunique() <= min(MOST_CATEGORIES, len(there) // REPEATEDLY)


def _column(cells: pd.Series, kind: Kind | None, filled: int, rows: int) -> ColumnProfile:
    there = cells.dropna()
    if there.empty:
        return ColumnProfile(kind, 0, 1 - filled / rows if rows else 0.0)
    values = there.value_counts()
    shares = values.to_numpy() / len(there)
    most = min(MOST_CODES, len(there) // REPEATEDLY) if kind == "number" else MOST_CATEGORIES
    few = len(values) <= most
    named = values.index if few or kind != "number" else values.index[:1]
    names = _names(named, kind)
    column = ColumnProfile(
        kind,
        filled,
        1 - filled / rows,
        distinct=len(values),
        commonest=names[0],
        shares={"commonest": float(shares[0])},
        categories={name: float(share) for name, share in zip(names, shares, strict=True)} if few else None,
    )
    if kind == "number":
        return _with_numbers(column, there.to_numpy(dtype=np.float64), few)
    return _with_texts(column, names, shares) if kind == "text" else column


def _names(values: Iterable[Any], kind: Kind | None) -> list[str]:
    """As text, alike for whole numbers of a column with and without empty cells."""
    return [f"{float(value):.12g}" if kind == "number" else str(value) for value in values]


def _with_numbers(column: ColumnProfile, numbers: np.ndarray, few: bool) -> ColumnProfile:
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return column
    kinds = {"negative": numbers < 0, "zero": numbers == 0, "whole": numbers == np.round(numbers)}
    shares = {**column.shares, **{name: float(mask.mean()) for name, mask in kinds.items()}}
    with np.errstate(over="ignore"):
        moments = float(numbers.mean()), float(numbers.std())
    if np.isfinite(moments).all():  # a sum of numbers near the greatest float is none
        column = replace(column, mean=moments[0], deviation=moments[1])
    column = replace(column, shares=shares)
    if few:
        return column
    if column.shares["commonest"] > MANY_ALIKE:
        numbers = numbers[numbers != float(str(column.commonest))]
    quantiles = np.quantile(numbers, QUANTILES, method="inverted_cdf") if len(numbers) else ()
    return replace(column, quantiles=tuple(float(value) for value in quantiles))


def _with_texts(column: ColumnProfile, texts: Sequence[str], shares: np.ndarray) -> ColumnProfile:
    kinds = {
        "upper": [text != text.lower() and text == text.upper() for text in texts],
        "lower": [text != text.upper() and text == text.lower() for text in texts],
        "digits": [any(letter.isdigit() for letter in text) for text in texts],
    }
    more = {name: float(shares[np.array(mask)].sum()) for name, mask in kinds.items()}
    length = float(np.dot(shares, [len(text) for text in texts]))
    return replace(column, shares={**column.shares, **more}, length=length)


def _numbered(target: pd.Series, dataset: DatasetParams, task: Task) -> np.ndarray:
    """The target as a number, (n,), NaN where it is empty or unknown: the event, a rank up to 1, or a
    class' place."""
    numbers: np.ndarray
    if task == "binary":
        numbers = (target == dataset.positive).to_numpy(dtype=np.float64)
    elif task == "regression" and pd.api.types.is_numeric_dtype(target.dtype):
        numbers = target.rank(pct=True).to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        places = {str(name): place for place, name in enumerate(sorted(map(str, dataset.classes)))}
        numbers = target.astype("object").map(lambda name: places.get(str(name))).to_numpy(dtype=np.float64)
    return np.where(are_known(target, dataset, task), numbers, np.nan)


def _with_targets(column: ColumnProfile, cells: pd.Series, y: np.ndarray) -> ColumnProfile:
    """With the target's mean by value, or by tenth of the ranks."""
    known = cells.notna().to_numpy() & np.isfinite(y)
    there = cells[known]
    if column.categories is not None:
        places, values = pd.factorize(there)
        names = _names(values, column.kind)
    elif column.kind == "number" and len(there):
        shares = rankdata(there.to_numpy(dtype=np.float64)) / len(there)
        places, names = np.ceil(shares * BINS).astype(int) - 1, [str(tenth) for tenth in range(1, BINS + 1)]
    else:
        return column
    rows = np.bincount(places, minlength=len(names))
    sums = np.bincount(places, weights=y[known], minlength=len(names))
    means = {name: (float(total / n), int(n)) for name, total, n in zip(names, sums, rows, strict=True) if n}
    return replace(column, targets=means)


def _standard_ranks(cells: pd.Series) -> np.ndarray:
    """Ranks with mean 0 and deviation 1, (n,); empty cells count as the mean."""
    numbers = cells.to_numpy(dtype=np.float64, na_value=np.nan)
    known = np.isfinite(numbers)
    ranks = np.zeros(len(numbers), dtype=np.float64)
    if known.sum() > 1:
        placed = rankdata(numbers[known])
        ranks[known] = placed - placed.mean()
        ranks /= ranks[known].std() or 1.0
    return ranks


def _with_correlations(column: ColumnProfile, name: str, ranks: Mapping[str, np.ndarray]) -> ColumnProfile:
    """With each column after it, of the first MOST_CORRELATED."""
    names = list(ranks)[:MOST_CORRELATED]
    if name not in names or not len(ranks[name]):
        return column
    others = names[names.index(name) + 1 :]
    return replace(
        column, correlations={other: float(np.mean(ranks[name] * ranks[other])) for other in others}
    )


def _longest_run(y: np.ndarray) -> int:
    known = y[np.isfinite(y)]
    starts = np.flatnonzero(np.diff(known)) + 1
    return int(np.diff([0, *starts, len(known)]).max())


def rounded(value: Any) -> Any:
    """Floats with seven digits: enough to judge by, and a file that stays small."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return [rounded(each) for each in value]
    return float(f"{value:.7g}") if isinstance(value, float) else value
