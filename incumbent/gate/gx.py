"""Great Expectations itself: the one module that imports it.

Source: https://docs.greatexpectations.io (GX Core 1.x).
"""

import logging
import os
import uuid
import warnings
from functools import cache
from typing import Any

import pandas as pd


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

    logging.getLogger("great_expectations").setLevel(logging.WARNING)  # it tells of its temporary folders
    return great_expectations


@cache
def _asset() -> Any:
    """Where frames are put; it keeps none."""
    gx = _great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context.data_sources.add_pandas("new").add_dataframe_asset("rows")


def validate(frame: pd.DataFrame, suite: dict[str, Any], examples: int) -> list[dict[str, Any]]:
    """One result for each expectation, as GX serialises it; its positions are those of the frame's rows."""
    batches = uuid.uuid4().hex  # GX refuses a name that it knows; two suites may share theirs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = _asset().add_batch_definition_whole_dataframe(batches).get_batch({"dataframe": frame})
        outcome = batch.validate(
            suite_of(suite),
            result_format={"result_format": "SUMMARY", "partial_unexpected_count": examples},
        )
    return [result.to_json_dict() for result in outcome.results]
