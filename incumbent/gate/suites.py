"""Suites of expectations: the JSON files of a project, and what its params.yaml implies."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from incumbent.errors import BadParams
from incumbent.gate.gx import expectations_of, judges_rows, sets_aside, suspends
from incumbent.gate.learned_suite import SUFFIX, from_suite, not_learned
from incumbent.params import DatasetParams


def load_suites(folder: Path) -> list[dict[str, Any]]:
    """Every expectations/*.json, as GX serialises suites.

    Raises BadParams for a file that is not a valid suite: GX itself would log an unknown expectation and
    go on without it. And for `quarantine` where nothing can be set aside, and `probation` beside it.
    """
    return [_load_suite(path) for path in sorted(folder.glob("*.json"))]


def _load_suite(path: Path) -> dict[str, Any]:
    if path.name.endswith(SUFFIX):
        return _load_learned(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        wanted = [str(expectation["type"]) for expectation in document["expectations"]]
    except (ValueError, KeyError, TypeError) as error:
        raise BadParams(f"{path} is not a Great Expectations suite in JSON: {error!r}") from error
    try:
        expectations = expectations_of(document)
    except Exception as error:
        raise BadParams(f"{path}: {' '.join(str(error).split())}") from error
    unknown = sorted((Counter(wanted) - Counter(each.expectation_type for each in expectations)).elements())
    if unknown:
        raise BadParams(f"{path}: unknown or invalid expectations {unknown}")
    for expectation in filter(sets_aside, expectations):
        _require_rows(expectation, path)
    for expectation in filter(suspends, expectations):
        _require_probation(expectation, path)
    return {**document, "name": document.get("name", path.stem)}


def _load_learned(path: Path) -> dict[str, Any]:
    """Made by this program, and judged without Great Expectations."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        from_suite(document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadParams(not_learned(path, error)) from error
    return dict(document)


def _require_rows(expectation: Any, path: Path) -> None:
    named = f"{path}: {expectation.expectation_type} has meta.quarantine = {expectation.meta['quarantine']!r}"
    if expectation.meta["quarantine"] is not True:
        raise BadParams(f"{named}; it is true, or left out")
    if not judges_rows(expectation):
        raise BadParams(f"{named}, but does not judge row by row: no rows can be set aside; remove it")
    if expectation.mostly != 1:
        raise BadParams(
            f"{named} and mostly = {expectation.mostly}: every failing row is set aside; remove `mostly`, "
            "the limit is gate.max_quarantined in params.yaml"
        )


def _require_probation(expectation: Any, path: Path) -> None:
    named = f"{path}: {expectation.expectation_type} has meta.probation"
    if expectation.meta["probation"] is not True:
        raise BadParams(f"{named} = {expectation.meta['probation']!r}; it is true, or left out")
    if sets_aside(expectation):
        raise BadParams(f"{named} and meta.quarantine; keep one: rows are set aside, or the partition waits")


def declared_suite(dataset: DatasetParams) -> dict[str, Any]:
    """The target is there, the key has no empty cells and no value twice.

    Great Expectations passes over empty keys where it looks for a key that is there twice.
    """

    def critical(kind: str, **kwargs: object) -> dict[str, Any]:
        return {"type": kind, "kwargs": kwargs, "severity": "critical"}

    expectations = [
        critical("expect_column_to_exist", column=dataset.target),
        *(critical("expect_column_values_to_not_be_null", column=name) for name in dataset.key),
    ]
    if len(dataset.key) == 1:
        expectations.append(critical("expect_column_values_to_be_unique", column=dataset.key[0]))
    elif dataset.key:
        expectations.append(critical("expect_compound_columns_to_be_unique", column_list=dataset.key))
    return {"name": "params.yaml", "expectations": expectations}
