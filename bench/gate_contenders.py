"""Who judges in bench/gate.py, and by which expectations: each contender imports, then judges a file."""

import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from incumbent.params import DatasetParams

Verdicts = Sequence[bool]

DATASET = DatasetParams(name="bench", target="late")
CARRIERS = list("ABCDEFGH")
# Of these, params.yaml implies the last one: the target's presence.
EXPECTATIONS: list[tuple[str, dict[str, Any]]] = [
    ("expect_table_row_count_to_be_between", {"min_value": 1000, "max_value": 100_000_000}),
    ("expect_column_values_to_not_be_null", {"column": "id"}),
    ("expect_column_values_to_be_unique", {"column": "id"}),
    ("expect_column_values_to_be_unique", {"column": "code"}),
    ("expect_column_values_to_match_regex", {"column": "code", "regex": "^[0-9a-f]{8}$"}),
    ("expect_column_value_lengths_to_equal", {"column": "code", "value": 8}),
    ("expect_column_values_to_be_in_set", {"column": "origin", "value_set": ["EWR", "JFK", "LGA"]}),
    ("expect_column_values_to_be_of_type", {"column": "origin", "type_": "str"}),
    ("expect_column_values_to_match_regex", {"column": "dest", "regex": "^D[0-9]+$"}),
    ("expect_column_values_to_not_be_in_set", {"column": "dest", "value_set": ["XXX", "D999"]}),
    ("expect_column_values_to_be_in_set", {"column": "carrier", "value_set": CARRIERS}),
    ("expect_column_unique_value_count_to_be_between", {"column": "dest", "min_value": 10, "max_value": 200}),
    ("expect_column_values_to_be_between", {"column": "distance", "min_value": 10, "max_value": 6000}),
    ("expect_column_values_to_be_of_type", {"column": "distance", "type_": "int64"}),
    ("expect_column_values_to_not_be_null", {"column": "temp", "mostly": 0.95}),
    ("expect_column_values_to_be_between", {"column": "temp", "min_value": -60, "max_value": 160}),
    ("expect_column_mean_to_be_between", {"column": "temp", "min_value": 0, "max_value": 100}),
    ("expect_column_values_to_be_between", {"column": "price", "min_value": 0}),
    ("expect_column_median_to_be_between", {"column": "price", "min_value": 50, "max_value": 500}),
    ("expect_column_stdev_to_be_between", {"column": "price", "min_value": 10, "max_value": 500}),
    ("expect_column_values_to_be_between", {"column": "stops", "min_value": 0, "max_value": 3}),
    ("expect_column_values_to_be_between", {"column": "weight", "min_value": 0}),
    ("expect_column_max_to_be_between", {"column": "weight", "max_value": 200}),
    ("expect_column_values_to_not_be_null", {"column": "late"}),
    ("expect_column_to_exist", {"column": "late"}),
]


def by_incumbent() -> Callable[[Path], Verdicts]:
    from incumbent.gate.check import gate_files
    from incumbent.params import GateParams

    own = _imported()

    def judge(path: Path) -> Verdicts:
        report = gate_files([(path.name, path)], [own()], DATASET, GateParams())
        implied, *rest = report.findings
        return [finding.success for finding in (*rest, implied)]

    return judge


def by_all_of_it() -> Callable[[Path], Verdicts]:
    from incumbent.gate.sift import sift, without_history
    from incumbent.gate.suites import load_suites
    from incumbent.params import Params

    own = _imported()
    __import__("lightgbm")
    declared = {"dataset": DATASET.model_dump(), "task": "binary", "registry": {"address": "s3://bench/none"}}
    params = Params.model_validate(declared)

    def judge(path: Path) -> Verdicts:
        suites = [own(), *load_suites(path.parent)]
        recent = {each.name: each for each in sorted(path.parent.glob("past-*"))[-3:]}
        done = sift(path.name, path, path.parent, suites, params, without_history, recent)
        implied, *rest = done.report.findings[: len(EXPECTATIONS)]
        return [finding.success for finding in (*rest, implied)]

    return judge


def _imported() -> Callable[[], dict[str, Any]]:
    """Import what both need; returns what makes a person's suite, anew as GX writes into it."""
    from incumbent.gate import gx

    gx.validate(pd.DataFrame({"x": [1]}), [], 1)
    __import__("duckdb")
    listed = [{"type": kind, "kwargs": kwargs} for kind, kwargs in EXPECTATIONS[:-1]]
    return lambda: {"name": "bench", "expectations": listed}


def by_great_expectations(learned: bool = False) -> Callable[[Path], Verdicts]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("rows")
    numbered = [
        {"type": kind, "kwargs": kwargs, "id": str(number)}
        for number, (kind, kwargs) in enumerate(EXPECTATIONS)
    ]

    def judge(path: Path) -> Verdicts:
        batches = asset.add_batch_definition_whole_dataframe(path.name)
        batch = batches.get_batch({"dataframe": pd.read_parquet(path)})
        asked = numbered + (_learned_expectations(path.parent) if learned else [])
        results = batch.validate(gx.ExpectationSuite("bench", expectations=asked)).results
        ordered = sorted(results, key=lambda each: int(each.expectation_config.id))
        return [each.success for each in ordered[: len(EXPECTATIONS)]]

    return judge


def _learned_expectations(folder: Path) -> list[dict[str, Any]]:
    """Those of the learned suite that Great Expectations has a type for."""
    suite = json.loads((folder / "learned.json").read_text())
    return [
        {"type": each["type"], "kwargs": each["kwargs"], "id": str(number)}
        for number, each in enumerate(suite["expectations"], len(EXPECTATIONS))
    ]


def by_pandera() -> Callable[[Path], Verdicts]:
    import pandera.errors
    import pandera.pandas as pa
    from pandera import Check, Column

    def named(number: int, check: Callable[[pd.Series], Any]) -> Check:
        return Check(check, name=str(number))

    schema = pa.DataFrameSchema(
        {
            "id": Column("int64", unique=True),
            "code": Column(str, [Check.str_matches("^[0-9a-f]{8}$"), Check.str_length(8, 8)], unique=True),
            "origin": Column(str, Check.isin(["EWR", "JFK", "LGA"])),
            "dest": Column(
                str,
                [
                    Check.str_matches("^D[0-9]+$"),
                    Check.notin(["XXX", "D999"]),
                    named(11, lambda s: 10 <= s.nunique() <= 200),
                ],
            ),
            "carrier": Column(str, Check.isin(CARRIERS)),
            "distance": Column("int64", Check.in_range(10, 6000)),
            "temp": Column(
                "float64",
                [
                    Check(lambda s: s.notna().mean() >= 0.95, name="14", ignore_na=False),
                    Check.in_range(-60, 160),
                    named(16, lambda s: 0 <= s.mean() <= 100),
                ],
                nullable=True,
            ),
            "price": Column(
                "float64",
                [
                    Check.ge(0),
                    named(18, lambda s: 50 <= s.median() <= 500),
                    named(19, lambda s: 10 <= s.std() <= 500),
                ],
            ),
            "stops": Column("int32", Check.in_range(0, 3)),
            "weight": Column("float32", [Check.ge(0), named(22, lambda s: s.max() <= 200)]),
            "late": Column("bool"),
        },
        checks=Check(lambda frame: 1000 <= len(frame) <= 100_000_000, name="0"),
    )
    # Its names for what it was asked: column and check, in our order.
    places = {
        ("id", "not_nullable"): 1,
        ("id", "field_uniqueness"): 2,
        ("code", "field_uniqueness"): 3,
        ("code", "str_matches"): 4,
        ("code", "str_length"): 5,
        ("origin", "isin"): 6,
        ("origin", "dtype"): 7,
        ("dest", "str_matches"): 8,
        ("dest", "notin"): 9,
        ("carrier", "isin"): 10,
        ("distance", "in_range"): 12,
        ("distance", "dtype"): 13,
        ("temp", "in_range"): 15,
        ("price", "greater_than_or_equal_to"): 17,
        ("stops", "in_range"): 20,
        ("weight", "greater_than_or_equal_to"): 21,
        ("late", "not_nullable"): 23,
        ("late", "column_in_dataframe"): 24,
    }

    def judge(path: Path) -> Verdicts:
        failed = set()
        try:
            schema.validate(pd.read_parquet(path), lazy=True)
        except pandera.errors.SchemaErrors as errors:
            cases = errors.failure_cases[["column", "check"]].drop_duplicates()
            for column, check in cases.itertuples(index=False):
                name = str(check).split("(")[0]
                failed.add(int(name) if name.isdigit() else places[(column, name)])
        return [number not in failed for number in range(len(EXPECTATIONS))]

    return judge


def by_duckdb() -> Callable[[Path], Verdicts]:
    import duckdb

    sql = """
        SELECT count(*) BETWEEN 1000 AND 100000000, count(id) = count(*), count(DISTINCT id) = count(id),
            count(DISTINCT code) = count(code),
            bool_and(regexp_matches(code, '^[0-9a-f]{8}$')), bool_and(length(code) = 8),
            bool_and(origin IN ('EWR', 'JFK', 'LGA')), any_value(typeof(origin)) = 'VARCHAR',
            bool_and(regexp_matches(dest, '^D[0-9]+$')), bool_and(dest NOT IN ('XXX', 'D999')),
            bool_and(carrier IN ('A', 'B', 'C', 'D', 'E', 'F', 'G', 'H')),
            count(DISTINCT dest) BETWEEN 10 AND 200,
            bool_and(distance BETWEEN 10 AND 6000), any_value(typeof(distance)) = 'BIGINT',
            count(temp) FILTER (NOT isnan(temp)) >= 0.95 * count(*),
            bool_and(temp BETWEEN -60 AND 160) FILTER (NOT isnan(temp)),
            avg(temp) FILTER (NOT isnan(temp)) BETWEEN 0 AND 100,
            bool_and(price >= 0), median(price) BETWEEN 50 AND 500, stddev(price) BETWEEN 10 AND 500,
            bool_and(stops BETWEEN 0 AND 3), bool_and(weight >= 0), max(weight) <= 200,
            count(late) = count(*), any_value(typeof(late)) IS NOT NULL
        FROM read_parquet(?)
    """

    def judge(path: Path) -> Verdicts:
        with duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False}) as database:
            return list(database.execute(sql, [str(path)]).fetchall()[0])

    return judge


CONTENDERS: dict[str, Callable[[], Callable[[Path], Verdicts]]] = {
    "incumbent": by_incumbent,
    "all of it": by_all_of_it,
    "great expectations": by_great_expectations,
    "its part of all": partial(by_great_expectations, learned=True),
    "pandera": by_pandera,
    "duckdb alone": by_duckdb,
}
