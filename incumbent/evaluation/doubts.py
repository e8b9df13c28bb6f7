"""Detect a score that is too good to be true, and name the columns that may leak the target."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from incumbent.compare import score
from incumbent.errors import BadData
from incumbent.params import Params, Task
from incumbent.tables.leaks import Leak, leaks

TOO_GOOD = 0.98
"""An AUC or R² above it suggests a column that leaks the target: few real outcomes are so predictable."""

JUDGED_BY: dict[Task, str] = {"binary": "roc_auc", "multiclass": "roc_auc_macro", "regression": "r2"}
NAMED = 3

FORCE = "--force --reason"
"""Of the command that makes a challenger champion although it was held."""


def too_good(
    y: np.ndarray,
    predicted: np.ndarray,
    importances: Mapping[str, float],
    sample: pd.DataFrame,
    params: Params,
) -> str | None:
    """A warning about the model's score, with the suspect columns and the command to drop them; None for an
    ordinary score.

    y, predicted: of the judging rows, as Schema.labels and Model.predict give them; importances: share of
    each feature in the model's gain, largest first; sample: some of its training rows.
    """
    metric = JUDGED_BY[params.task]
    try:
        value = score(y, predicted, params.promotion.model_copy(update={"metric": metric}))
    except BadData:
        return None  # no score, as with a holdout of one class
    if value <= TOO_GOOD:
        return None
    alone = [*_leaks_in(sample, params)][:NAMED]
    columns, target = shlex.join(leak.column for leak in alone) or "COLUMN", params.dataset.target
    return (
        f"{metric} {value:.4f} on {len(y):,} judging rows is too good to be true (above {TOO_GOOD}): "
        f"{'; '.join(_suspects(alone, importances))}. Is that known before {target} is? If not: "
        f"incumbent drop-column {columns} --reason TEXT"
    )


def _leaks_in(sample: pd.DataFrame, params: Params) -> Iterator[Leak]:
    """But for times of which no feature is made: the model did not see them."""
    features = params.features
    for leak in leaks(sample, params.dataset, params.task) if len(sample) else ():
        is_time = pd.api.types.is_datetime64_any_dtype(sample[leak.column].dtype)
        if not is_time or features.function or leak.column in features.sources:
            yield leak


def _suspects(alone: Sequence[Leak], importances: Mapping[str, float]) -> Iterator[str]:
    """Columns that predict the target by themselves; if there are none, those of the largest gain."""
    for leak in alone:
        share = importances.get(leak.column)
        yield f"'{leak.column}'{f' has {share:.0%} of the gain' if share else ''}, {leak.measured}"
    if not alone:
        yield from (f"'{name}' has {share:.0%} of the gain" for name, share in [*importances.items()][:NAMED])


def explain_withheld(
    withheld: Sequence[str], champion: str, challenger: str, *, promoted: bool
) -> Iterator[str]:
    """Sentences about a comparison in which the champion did not get the columns that were dropped."""
    if not withheld:
        return
    names = ", ".join(f"'{name}'" for name in withheld)
    yield f"{champion} was judged without {names}, which it reads and dataset.drop names"
    if not promoted:
        yield f"to leave {champion} all the same: incumbent models promote {challenger} {FORCE} TEXT"
