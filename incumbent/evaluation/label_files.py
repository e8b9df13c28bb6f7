"""Labels in files of their own: check that they fit the target and that each key has one label."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from incumbent.errors import BadData
from incumbent.features.schema import Schema
from incumbent.tables.split import as_text, text_of

EXAMPLES = 3


def usable_labels(
    frame: pd.DataFrame, source: object, key: Sequence[str], schema: Schema, classes: Iterable[object]
) -> pd.DataFrame:
    """Key and target of the labelled rows, with the target's values as the model has them.

    source: name of the file, for messages; classes: known values of a binary target, possibly not all.
    Numbers and truth values may be text. Raises BadData for a missing column, an empty key, a file without
    labels, and labels that are no value of the target.
    """
    columns = [*key, schema.target]
    if absent := [name for name in columns if name not in frame]:
        raise BadData(f"{source} lacks {absent}; labels are the columns {columns}")
    for name in key:
        if empty := int(frame[name].isna().sum()):
            raise BadData(
                f"{source}: the key '{name}' is empty in {empty:,} rows; a label is found by its key"
            )
    blank = as_text(frame[schema.target]).str.strip().fillna("") == ""
    labelled = frame.loc[~blank, columns].reset_index(drop=True)
    if labelled.empty:
        raise BadData(f"{source} has no label: '{schema.target}' is empty in all {len(frame):,} rows")
    return labelled.assign(**{schema.target: _as_target(labelled[schema.target], source, schema, classes)})


def require_one_label_a_key(tables: Sequence[pd.DataFrame], key: Sequence[str], target: str) -> None:
    """Raises BadData, with their number and some of them, for keys with different labels in the tables."""
    rows = pd.concat([_texts(table, key, target) for table in tables], ignore_index=True).drop_duplicates()
    several = rows[rows.duplicated(list(key), keep=False)].groupby(list(key), sort=False)[target]
    if several.ngroups == 0:
        return
    shown = [
        f"{_named(key, values)} ({' and '.join(sorted(labels))})"
        for values, labels in list(several)[:EXAMPLES]
    ]
    raise BadData(
        f"{several.ngroups:,} keys have different labels, such as {', '.join(shown)}; nothing was kept: give "
        "each key one label; a label given later corrects an earlier one"
    )


def count_corrections(
    new: Sequence[pd.DataFrame], before: Sequence[pd.DataFrame], key: Sequence[str], target: str
) -> int:
    """Number of keys whose new label differs from their last one."""
    if not before:
        return 0
    known = pd.concat([_texts(table, key, target) for table in before]).dropna()
    given = pd.concat([_texts(table, key, target) for table in new]).drop_duplicates()
    both = given.merge(known.drop_duplicates(list(key), keep="last"), on=list(key), suffixes=("", " before"))
    return int((both[target] != both[f"{target} before"]).sum())


def _texts(table: pd.DataFrame, key: Sequence[str], target: str) -> pd.DataFrame:
    """Cells as text, as files may write a key as 3 or as 3.0, and a time with its zone or in UTC."""
    return pd.DataFrame({name: as_text(_in_utc(table[name])) for name in (*key, target)})


def _in_utc(column: pd.Series) -> pd.Series:
    if not isinstance(column.dtype, pd.DatetimeTZDtype):
        return column
    return column.dt.tz_convert("UTC").dt.tz_localize(None)


def _named(key: Sequence[str], values: object) -> str:
    cells = values if isinstance(values, tuple) else (values,)
    return ", ".join(f"{name} = {cell}" for name, cell in zip(key, cells, strict=True))


def _as_target(labels: pd.Series, source: object, schema: Schema, classes: Iterable[object]) -> pd.Series:
    texts = as_text(labels).str.strip()
    if schema.task == "regression":
        numbers = pd.to_numeric(texts, errors="coerce")
        _refuse(texts[~np.isfinite(numbers)], source, schema.target, "the target is a number")
        return numbers
    if schema.task == "multiclass":
        unknown = texts[~texts.isin(schema.classes)]
        if schema.classes and len(unknown) == len(texts):
            _refuse(unknown, source, schema.target, f"the model knows {', '.join(schema.classes)}")
        return texts
    both = list(dict.fromkeys([*classes, schema.positive]))
    if len(both) < 2:
        return labels
    spellings = _spellings(both)
    known = " and ".join(map(text_of, both))
    _refuse(texts[~texts.isin(spellings)], source, schema.target, f"the model knows {known}")
    return texts.map(spellings)


def _refuse(wrong: pd.Series, source: object, target: str, known: str) -> None:
    if len(wrong):
        examples = ", ".join(repr(value) for value in wrong.unique()[:EXAMPLES])
        raise BadData(
            f"{source}: '{target}' holds {examples} in {len(wrong):,} rows, but {known}; correct them"
        )


def _spellings(classes: Sequence[object]) -> dict[str, object]:
    """Accepted spelling -> class: the class's own text; for 0, 1 and truth values also each other's."""
    spellings = {text_of(value): value for value in classes}
    if any(isinstance(value, str) for value in classes):
        return spellings
    for value in classes:
        number = float(value)  # type: ignore[arg-type]  # a number or a truth value
        words = [text_of(number), str(number)]
        if number in (0, 1):
            name = str(bool(number))
            words += [name, name.lower(), name.upper()]
        spellings |= dict.fromkeys(words, value)
    return spellings
