"""Texts as `clean.trim` and `clean.case` have them: what models read, and what the gate judges."""

from collections.abc import Callable

import pandas as pd

from incumbent.params import CleanParams


def steps(clean: CleanParams) -> dict[str, Callable[[str], str]]:
    """What becomes of a text, step by step."""
    changes: dict[str, Callable[[str], str]] = {}
    if clean.trim:
        changes["trim"] = str.strip
    if clean.case:
        changes["case"] = str.upper if clean.case == "upper" else str.lower
    return changes


def tidied(frame: pd.DataFrame, clean: CleanParams) -> pd.DataFrame:
    """The frame with tidy texts; a text of spaces is a missing value."""
    if not steps(clean):
        return frame
    texts = frame.columns[frame.dtypes == "str"]
    return frame.assign(**{name: _tidied(frame[name], clean) for name in texts})


def _tidied(cells: pd.Series, clean: CleanParams) -> pd.Series:
    tidy = {text: text for text in cells.dropna().unique()}  # fewer than cells
    for change in steps(clean).values():
        tidy = {text: change(now) for text, now in tidy.items()}
    return cells.map({text: now or None for text, now in tidy.items()}).astype("str")
