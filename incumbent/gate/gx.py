"""Great Expectations itself: the one module that imports it.

Source: https://docs.greatexpectations.io (GX Core 1.x).
"""

import json
import logging
import os
import uuid
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import pandas as pd

from incumbent.gate.plain import Plain, plain

Detail = Literal["SUMMARY", "COMPLETE"]


def suite_of(document: dict[str, Any]) -> Any:
    """A suite as GX's own object. Raises what GX raises for one that it does not understand."""
    gx = _great_expectations()
    logger = logging.getLogger("great_expectations.core.expectation_suite")
    logger.disabled = True  # it prints tracebacks for what becomes one sentence here
    try:
        return gx.ExpectationSuite(
            name=document.get("name", "suite"),
            expectations=document["expectations"],
            meta=document.get("meta"),
        )
    finally:
        logger.disabled = False


def _great_expectations() -> Any:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # on by default; reads it when imported
    import great_expectations

    logging.getLogger("great_expectations").setLevel(logging.WARNING)  # it logs its temporary folders
    return great_expectations


@cache
def _asset() -> Any:
    """The asset that validates frames; it keeps none of them."""
    gx = _great_expectations()
    from great_expectations.execution_engine import pandas_execution_engine

    # Bytes up to which it hashes each frame, for a fingerprint that no result shows: most of the time, else.
    pandas_execution_engine.HASH_THRESHOLD = 0
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context.data_sources.add_pandas("new").add_dataframe_asset("rows")


def expectations_of(suite: dict[str, Any]) -> list[Any]:
    """A suite's expectations in their order: all plain, or all GX's own objects.

    Raises what GX raises for a suite that it does not understand.
    """
    known = plain(suite)
    return list(suite_of(suite).expectations) if known is None else known


def kwargs_of(expectation: Any) -> dict[str, Any]:
    """The arguments as a suite has them, without defaults."""
    return dict(_document(expectation)["kwargs"])


def _document(expectation: Any) -> dict[str, Any]:
    if isinstance(expectation, Plain):
        return expectation.document
    return dict(expectation.configuration.to_json_dict())


def question(expectation: Any) -> tuple[str, dict[str, Any]]:
    """An expectation's type and its arguments, with GX's defaults."""
    if isinstance(expectation, Plain):
        return expectation.expectation_type, expectation.arguments
    arguments = {name: getattr(expectation, name) for name in expectation.__fields__}
    return expectation.expectation_type, arguments


def sets_aside(expectation: Any) -> bool:
    """Do its failing rows go to quarantine, and the rest passes?"""
    return bool((expectation.meta or {}).get("quarantine"))


def suspends(expectation: Any) -> bool:
    """Does a failure put the partition on probation?"""
    return bool((expectation.meta or {}).get("probation"))


def judges_rows(expectation: Any) -> bool:
    """Does GX report, on pandas, which rows fail? Not for types, though they count among these."""
    _great_expectations()
    from great_expectations.expectations import expectation as kinds

    rows = (kinds.ColumnMapExpectation, kinds.ColumnPairMapExpectation, kinds.MulticolumnMapExpectation)
    of_type = ("expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list")
    return isinstance(expectation, rows) and expectation.expectation_type not in of_type


def judge(expectation: Any, metrics: dict[str, Any], examples: int) -> dict[str, Any] | None:
    """GX's verdict on metrics that somebody else computed as GX does on pandas; None if it makes none."""
    if isinstance(expectation, Plain):
        if passed := expectation.passed(metrics):
            return passed
        [expectation] = suite_of({"expectations": [expectation.document]}).expectations
    # Not metrics_validate, which GX has for this: of a type it reads the frame first (docs/decisions/0008).
    try:
        verdict = expectation._validate(
            metrics=metrics, runtime_configuration=_format("SUMMARY", examples), execution_engine=_engine()
        )
        return dict(expectation._build_evr(verdict).to_json_dict())
    except Exception:  # noqa: BLE001 - an expectation may raise anything; validate tells what
        return None


@cache
def _engine() -> Any:
    """Without data: some expectations ask only of which kind it is."""
    _great_expectations()
    from great_expectations.execution_engine import PandasExecutionEngine

    return PandasExecutionEngine()


def _format(detail: Detail, examples: int) -> dict[str, Any]:
    return {"result_format": {"result_format": detail, "partial_unexpected_count": examples}}


def validate(
    frame: pd.DataFrame, expectations: Sequence[Any], examples: int, detail: Detail = "SUMMARY"
) -> list[dict[str, Any]]:
    """One result for each expectation, as GX serialises it; its positions are those of the frame's rows.

    COMPLETE tells all rows that fail, SUMMARY only some.
    """
    batches = uuid.uuid4().hex  # GX refuses a name that it knows
    numbered = [
        {**_document(expectation), "id": str(number)}  # GX orders results its own way
        for number, expectation in enumerate(expectations)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = _asset().add_batch_definition_whole_dataframe(batches).get_batch({"dataframe": frame})
        outcome = batch.validate(suite_of({"expectations": numbered}), **_format(detail, examples))
    results = [result.to_json_dict() for result in outcome.results]
    return sorted(results, key=lambda result: int(result["expectation_config"]["id"]))


def data_docs(title: str, results: Sequence[dict[str, Any]]) -> str:
    """GX's own page of results that it serialised, as HTML; its styles come from the web."""
    _great_expectations()
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
        expectationValidationResultSchema,
    )
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    loaded = [
        ExpectationValidationResult(**expectationValidationResultSchema.load(_shown(each)))
        for each in results
    ]
    good = sum(bool(each.success) for each in loaded)
    outcome = ExpectationSuiteValidationResult(
        success=good == len(loaded),
        results=loaded,
        suite_name=title,
        statistics={
            "evaluated_expectations": len(loaded),
            "successful_expectations": good,
            "unsuccessful_expectations": len(loaded) - good,
            "success_percent": 100 * good / len(loaded) if loaded else None,
        },
        meta={"active_batch_definition": {}, "great_expectations_version": _great_expectations().__version__},
    )
    return str(DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(outcome)))


def _shown(result: dict[str, Any]) -> dict[str, Any]:
    """As a page shows it: some of the failing rows, not all; without our id, which GX would refuse."""
    details = result["result"] or {}
    some = {name: details[name] for name in details if not name.startswith("unexpected_index")}
    some.pop("unexpected_list", None)
    plain: dict[str, Any] = json.loads(json.dumps({**result, "result": some}, default=str))
    plain["expectation_config"].pop("id", None)
    return plain
