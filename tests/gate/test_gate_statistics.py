"""The gate by statistics says what Great Expectations says of the same rows in pandas, fault by fault."""

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from incumbent.errors import BadData
from incumbent.gate import Finding, check
from incumbent.gate.check import gate_files, judge_by_statistics
from incumbent.gate.draft import draft_suite
from incumbent.gate.gx import expectations_of, question
from incumbent.gate.plans import PLANS
from incumbent.gate.regexes import is_portable
from incumbent.gate.statistics import measure_expectations
from incumbent.gate.suites import declared_suite, load_suites
from incumbent.gate.table import Table
from incumbent.params import DatasetParams, GateParams, Params
from incumbent.tables.parquet import read_partition
from tests.building import ROOT, fewer_examples

Suite = dict[str, Any]
Break = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]

DATASET = DatasetParams(name="toy", target="flag")
PARTITION = "2026-01.parquet"
QUOTED = "Größe \"x\" 'y'"


def expect(kind: str, severity: str = "critical", **kwargs: object) -> Suite:
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": severity}


def suite(*expectations: Suite) -> Suite:
    return {"name": "own", "expectations": list(expectations)}


def fast(path: Path, suites: Sequence[Suite], dataset: DatasetParams = DATASET) -> tuple[Finding, ...]:
    return gate_files([(PARTITION, path)], suites, dataset, GateParams()).findings


def plain(path: Path, suites: Sequence[Suite], dataset: DatasetParams = DATASET) -> tuple[Finding, ...]:
    """Great Expectations on the whole frame: statistics settle nothing, and no column is left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "judge_by_statistics", lambda _path, expectations: [None] * len(expectations))
        patch.setattr(check, "read_partition", lambda path, _names: read_partition(path))
        return fast(path, suites, dataset)


def told(findings: Sequence[Finding]) -> list[Finding]:
    """GX lists what it could not compute by a hash of its own, which differs from run to run."""
    cut = re.compile(r"(metric_(?:domain|value)_kwargs_id=)'[0-9a-f]*'|batch_id[^,)]*")
    return [replace(finding, observed=cut.sub(r"\1", finding.observed)) for finding in findings]


def by_statistics(path: Path, asked: Suite) -> list[bool]:
    """Which of the expectations were judged without a frame."""
    return [result is not None for result in judge_by_statistics(path, expectations_of(asked))]


def table(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """Every type that a partition may have, and names that are hard to quote."""
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 50, rows)
    seconds = pd.to_timedelta(rng.integers(0, 86_400 * 30, rows), unit="s")
    return pd.DataFrame(
        {
            "id": rng.permutation(rows),
            "code": [f"{number:06x}" for number in rng.permutation(rows)],
            "group": rng.choice(["red", "green", "blue"], rows),
            "a": rng.choice(["x", "y"], rows),
            "few": rng.integers(0, 3, rows),
            "amount": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(100, 20, rows)),
            "small": rng.integers(-5, 6, rows).astype("int8"),
            "weight": rng.normal(70, 5, rows).astype("float32"),
            "flag": rng.random(rows) < 0.3,
            "at": (pd.Timestamp("2026-01-01") + seconds).astype("datetime64[us]"),
            "zoned": (pd.Timestamp("2026-01-01", tz="UTC") + seconds).astype("datetime64[us, UTC]"),
            "low": low,
            "high": low + rng.integers(1, 9, rows),
            "empty": pd.Series([None] * rows, dtype=object),
            "a.b": rng.random(rows),
            QUOTED: rng.integers(1, 7, rows),
        }
    )


def write(frame: pd.DataFrame, path: Path) -> None:
    """As Parquet, with every other empty float as NaN: pandas alone would write none."""
    rows = pa.Table.from_pandas(frame, preserve_index=False)
    for place, name in enumerate(frame.columns):
        if frame[name].dtype == np.float64:
            empty = frame[name].isna().to_numpy() & (np.arange(len(frame)) % 2 == 0)
            rows = rows.set_column(place, name, pa.array(frame[name].to_numpy(), mask=empty))
    pq.write_table(rows, path)


def some(column: str, value: object, share: float = 0.05) -> Break:
    """Some cells get another value."""

    def apply(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        chosen = rng.random(len(frame)) < share
        assert chosen.any()
        cells = frame[column]
        if value is not None and isinstance(cells.dtype, np.dtype) and cells.dtype.kind in "iu":
            cells = cells.astype(np.result_type(cells.dtype, type(value)))
        return frame.assign(**{column: cells.mask(chosen, value)})

    return apply


def whole(column: str, change: Callable[[pd.Series], object]) -> Break:
    return lambda frame, _rng: frame.assign(**{column: change(frame[column])})


def repeat(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return pd.concat([frame, frame.sample(5, random_state=rng)], ignore_index=True)


def broken(kind: str, fault: Break, **kwargs: object) -> tuple[Suite, Break]:
    return expect(kind, **kwargs), fault


FAULTS = [
    broken("column_values_to_not_be_null", some("code", None), column="code"),
    broken("column_values_to_not_be_null", some("amount", np.nan, 0.4), column="amount", mostly=0.8),
    broken("column_values_to_not_be_null", some("at", None), column="at"),
    broken("column_values_to_not_be_null", some("flag", None), column="flag", mostly=0.99),
    broken("column_values_to_not_be_null", some("zoned", None), column="zoned"),
    broken("column_values_to_not_be_null", some("at", None, 0.2), column="at", mostly=0.9),
    broken("column_values_to_be_null", some("empty", "x"), column="empty"),
    broken(
        "column_values_to_be_in_set", some("group", "Red"), column="group", value_set=["red", "green", "blue"]
    ),
    broken("column_values_to_be_in_set", some("few", 3), column="few", value_set=[0, 1, 2]),
    broken(
        "column_values_to_be_in_set",
        whole("flag", lambda s: s.astype(int) + 1),
        column="flag",
        value_set=[True, False],
        mostly=0.9,
    ),
    broken(
        "column_values_to_not_be_in_set", some("group", "it's"), column="group", value_set=["grey", "it's"]
    ),
    broken("column_values_to_not_be_in_set", some("small", 99), column="small", value_set=[99]),
    broken("column_distinct_values_to_be_in_set", some("a", "X"), column="a", value_set=["x", "y"]),
    broken(
        "column_values_to_be_between", some("amount", np.inf), column="amount", min_value=0, max_value=200
    ),
    broken("column_values_to_be_between", some("amount", -0.5), column="amount", min_value=0),
    broken("column_values_to_be_between", some("low", -1), column="low", min_value=-1, strict_min=True),
    broken(
        "column_values_to_be_between",
        some("low", 50),
        column="low",
        max_value=50,
        strict_max=True,
        mostly=0.99,
    ),
    broken(
        "column_values_to_be_between", some("weight", 100.5), column="weight", min_value=40, max_value=100
    ),
    broken("column_values_to_be_between", some("small", 6), column="small", min_value=-5, max_value=5),
    broken("column_values_to_be_between", some(QUOTED, 7), column=QUOTED, min_value=1, max_value=6),
    broken(
        "column_values_to_be_between",
        some("at", pd.Timestamp("2026-01-31 00:00:01")),
        column="at",
        min_value="2026-01-01T00:00:00",
        max_value="2026-01-31T00:00:00",
    ),
    broken("column_values_to_be_between", some("a.b", -1.0), column="a.b", min_value=0, max_value=1),
    broken("column_min_to_be_between", some("amount", -np.inf), column="amount", min_value=0),
    broken(
        "column_min_to_be_between",
        some("at", pd.Timestamp("2025-12-31")),
        column="at",
        min_value="2026-01-01T00:00:00",
    ),
    broken("column_max_to_be_between", some("weight", 101), column="weight", max_value=100),
    broken("column_max_to_be_between", some("low", 50), column="low", max_value=50, strict_max=True),
    broken(
        "column_mean_to_be_between", some("amount", 1000000.0), column="amount", min_value=90, max_value=110
    ),
    broken("column_mean_to_be_between", some("flag", True, 0.5), column="flag", min_value=0.2, max_value=0.4),
    broken("column_median_to_be_between", some("low", 49, 0.8), column="low", min_value=15, max_value=35),
    broken("column_sum_to_be_between", some("a.b", 50.0), column="a.b", min_value=150, max_value=250),
    broken("column_stdev_to_be_between", some("weight", 200.0), column="weight", min_value=4, max_value=6),
    broken("column_values_to_be_unique", repeat, column="id"),
    broken("column_values_to_be_unique", some("code", "000000"), column="code"),
    broken(
        "column_values_to_be_unique",
        lambda frame, _: frame.assign(
            **{"a.b": frame["a.b"].where(frame.index > 1, [0.0, -0.0] * (len(frame) // 2))}
        ),
        column="a.b",
    ),
    broken("compound_columns_to_be_unique", repeat, column_list=["id", "zoned", "at"]),
    broken(
        "compound_columns_to_be_unique",
        lambda frame, _: frame.assign(
            amount=frame["amount"].mask(frame["id"] < 9), code=frame["code"].mask(frame["id"] < 9, "x")
        ),
        column_list=["amount", "code"],
    ),
    broken(
        "compound_columns_to_be_unique",
        some("amount", 5.0),
        column_list=["amount", "group"],
        ignore_row_if="any_value_is_missing",
    ),
    broken("column_value_lengths_to_equal", some("code", "äöüäö"), column="code", value=6),
    broken(
        "column_value_lengths_to_be_between",
        some("group", "👩\u200d👩\u200d👧é1"),
        column="group",
        min_value=3,
        max_value=5,
    ),
    broken(
        "column_value_lengths_to_be_between",
        some("group", "violet"),
        column="group",
        max_value=6,
        strict_max=True,
    ),
    broken("column_values_to_match_regex", some("code", "00000G"), column="code", regex="^[0-9a-f]{6}$"),
    broken("column_values_to_match_regex", some("group", "xred"), column="group", regex="^(red|green|blue)$"),
    broken("column_values_to_not_match_regex", some("code", "1234567"), column="code", regex="\\d{7}"),
    broken("column_values_to_not_match_regex", some("code", "z\n"), column="code", regex="z$"),
    broken("column_values_to_not_match_regex", some("code", "x٣"), column="code", regex="x\\d"),
    broken(
        "column_values_to_be_of_type", whole("group", lambda s: range(len(s))), column="group", type_="str"
    ),
    broken("column_values_to_be_of_type", some("id", None), column="id", type_="int64"),
    broken(
        "column_values_to_be_of_type", whole("flag", lambda s: s.astype(int)), column="flag", type_="bool"
    ),
    broken(
        "column_values_to_be_of_type", whole("at", lambda s: s.astype(str)), column="at", type_="datetime64"
    ),
    broken(
        "column_values_to_be_in_type_list",
        whole("small", lambda s: s / 2),
        column="small",
        type_list=["int8", "int16"],
    ),
    broken("column_to_exist", lambda frame, _: frame.drop(columns="few"), column="few"),
    broken("column_values_to_be_unique", lambda frame, _: frame.drop(columns="id"), column="id"),
    broken(
        "column_unique_value_count_to_be_between",
        some("group", "grey"),
        column="group",
        min_value=3,
        max_value=3,
    ),
    broken(
        "column_proportion_of_unique_values_to_be_between", some("code", "000000"), column="code", min_value=1
    ),
    broken(
        "column_pair_values_a_to_be_greater_than_b",
        whole("high", lambda s: s - 3),
        column_A="high",
        column_B="low",
    ),
    broken(
        "column_pair_values_a_to_be_greater_than_b",
        some("a.b", 500.0),
        column_A="amount",
        column_B="a.b",
        ignore_row_if="either_value_is_missing",
    ),
    broken("table_row_count_to_equal", repeat, value=400),
    broken("table_row_count_to_be_between", lambda frame, _: frame.head(299), min_value=300),
    broken("table_column_count_to_equal", lambda frame, _: frame.assign(more=1), value=16),
    broken("table_column_count_to_be_between", lambda frame, _: frame.assign(more=1), max_value=16),
    broken(
        "table_columns_to_match_set",
        lambda frame, _: frame.rename(columns={"few": "B"}),
        column_set=list(table(4)),
        exact_match=True,
    ),
    broken(
        "table_columns_to_match_ordered_list",
        lambda frame, _: frame[list(frame)[::-1]],
        column_list=list(table(4)),
    ),
]


@pytest.mark.parametrize(
    ("expectation", "fault"),
    [pytest.param(*each, id=f"{number}-{each[0]['type']}") for number, each in enumerate(FAULTS)],
)
def test_each_fault_is_told_as_great_expectations_tells_it(
    tmp_path: Path, expectation: Suite, fault: Break
) -> None:
    asked, path = suite(expectation), tmp_path / "good.parquet"
    write(table(), path)
    assert by_statistics(path, asked) == [True]
    found = fast(path, [asked])
    assert found[-1].success
    assert told(found) == told(plain(path, [asked]))

    path = tmp_path / "broken.parquet"
    write(fault(table(seed=1), np.random.default_rng(1)), path)
    found = fast(path, [asked])
    assert not found[-1].success
    assert told(found) == told(plain(path, [asked]))


def test_a_fault_of_every_kind_that_statistics_can_judge_is_among_them() -> None:
    assert {expectation["type"] for expectation, _ in FAULTS} == set(PLANS)
    assert len(FAULTS) >= 25


def test_all_faults_at_once_are_told_as_great_expectations_tells_them(tmp_path: Path) -> None:
    frame, rng = table(seed=5), np.random.default_rng(5)
    for column, value in [
        ("code", None),
        ("group", "gré"),
        ("amount", -np.inf),
        ("few", 9),
        ("weight", 200.0),
    ]:
        frame = some(column, value)(frame, rng)
    frame = repeat(frame.assign(high=frame["low"], at=frame["at"].dt.floor("D")).drop(columns="small"), rng)
    path = tmp_path / "broken.parquet"
    write(frame, path)
    asked = suite(*(expectation for expectation, _ in FAULTS))
    found = told(fast(path, [asked]))
    assert found == told(plain(path, [asked]))
    assert sum(not finding.success for finding in found) >= 25


def test_the_flights_suite_and_a_draft_are_judged_without_a_frame(
    months: Sequence[Path], flights_params: Params
) -> None:
    for asked in (*load_suites(ROOT / "expectations"), draft_suite(months, flights_params)):
        kinds = [expectation["type"] for expectation in asked["expectations"]]
        taken = by_statistics(months[0], asked)
        assert [kind for kind, yes in zip(kinds, taken, strict=True) if not yes] == []
    assert all(by_statistics(months[0], declared_suite(flights_params.dataset)))


FLIGHT_FAULTS: list[tuple[str, Break]] = [
    ("a carrier lost", some("carrier", None, 0.01)),
    ("an airport never seen", some("origin", "PHL", 0.001)),
    ("codes of another length", some("dest", "KLAX", 0.001)),
    ("a number as text", whole("distance", lambda s: s.astype(str))),
    ("a distance too long", some("distance", 9000, 0.001)),
    ("a number with empty cells", some("flight", None, 0.001)),
    ("a time after midnight", some("sched_dep_time", 2500, 0.001)),
    ("a silent station", some("temp", np.nan, 0.2)),
    ("heat", some("temp", 451.0, 0.01)),
    ("late flights", some("late", True, 0.5)),
    ("rows twice", repeat),
    ("a column more", lambda frame, _: frame.assign(delay=1)),
    ("a column less", lambda frame, _: frame.drop(columns="flight")),
    ("few rows", lambda frame, _: frame.head(9_999)),
]


@pytest.mark.parametrize("fault", [pytest.param(fault, id=name) for name, fault in FLIGHT_FAULTS])
def test_a_broken_month_is_told_as_great_expectations_tells_it(
    january: pd.DataFrame, flights_params: Params, tmp_path: Path, fault: Break
) -> None:
    path, suites = tmp_path / "broken.parquet", load_suites(ROOT / "expectations")
    fault(january, np.random.default_rng(3)).to_parquet(path)
    found = told(fast(path, suites, flights_params.dataset))
    assert found == told(plain(path, suites, flights_params.dataset))
    assert not all(finding.success for finding in found)


LEFT = [
    pytest.param(expect("column_values_to_match_regex", column="text", regex=r"\S"), id="white space"),
    pytest.param(expect("column_values_to_match_regex", column="text", regex="^(?!x)"), id="look-ahead"),
    pytest.param(expect("column_values_to_match_regex", column="unicode", regex="."), id="no ASCII"),
    pytest.param(expect("column_values_to_be_in_set", column="float", value_set=["1", 2]), id="mixed set"),
    pytest.param(
        expect("column_values_to_be_in_set", column="float32", value_set=[0.5, float(np.float32(0.1))]),
        id="narrow floats",
    ),
    pytest.param(expect("column_values_to_not_be_null", column="zoned", mostly=0.5), id="NaT is listed"),
    pytest.param(expect("column_values_to_be_between", column="text", min_value=0), id="text and number"),
    pytest.param(expect("column_values_to_be_between", column="ns", min_value="2020-01-01"), id="a date"),
    pytest.param(expect("column_values_to_be_between", column="decimal", min_value=0), id="decimals"),
    pytest.param(expect("column_max_to_be_between", column="uint64", max_value=2.0**64), id="wide"),
    pytest.param(expect("column_values_to_be_unique", column="big"), id="equal as floats"),
    pytest.param(
        expect("compound_columns_to_be_unique", column_list=["big", "text"]), id="equal as floats, pairs"
    ),
    pytest.param(expect("column_values_to_be_of_type", column="maybe", type_="bool"), id="cells of Python"),
    pytest.param(expect("column_mean_to_be_between", column="maybe", min_value=0), id="mean of objects"),
    pytest.param(expect("column_values_to_be_in_set", column="category", value_set=["x"]), id="category"),
    pytest.param(expect("column_min_to_be_between", column="zoned", max_value="2020-01-01T00:00"), id="zone"),
    pytest.param(expect("column_values_to_be_dateutil_parseable", column="text"), id="unknown to us"),
    pytest.param(
        expect("column_values_to_be_between", column="float", min_value=0, row_condition='text=="x"',
               condition_parser="pandas"),
        id="a condition",
    ),
    pytest.param(expect("column_mean_to_be_between", column="nowhere", min_value=0), id="no such column"),
]  # fmt: skip


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pandas takes otherwise than a database does."""
    path = tmp_path_factory.mktemp("odd") / "odd.parquet"
    cells = {
        "flag": [True, False, True],
        "text": ["x", "x y", "\x0b"],
        "unicode": ["äé", "٣", "x"],
        "float": [1.0, float("nan"), 2.0],
        "float32": pa.array([0.5, 0.1, 0.5], pa.float32()),
        "decimal": pa.array([1, 2, 3], pa.decimal128(5, 2)),
        "uint64": pa.array([2**64 - 1, 0, 1], pa.uint64()),
        "big": pa.array([2**53, 2**53 + 1, None], pa.int64()),
        "maybe": [True, None, False],
        "ns": pa.array([1, 2, 3], pa.timestamp("ns")),
        "zoned": pa.array([1, None, 3], pa.timestamp("us", "UTC")),
        "category": pa.array(["x", "y", "x"]).dictionary_encode(),
    }
    pq.write_table(pa.table(cells), path)
    return path


@pytest.mark.parametrize("asked", LEFT)
def test_what_pandas_may_see_otherwise_is_left_to_great_expectations(odd: Path, asked: Suite) -> None:
    assert by_statistics(odd, suite(asked)) == [False]
    assert told(fast(odd, [suite(asked)])) == told(plain(odd, [suite(asked)]))


def test_the_cells_count_and_not_what_the_footer_says_of_them(tmp_path: Path) -> None:
    honest, lying = tmp_path / "honest.parquet", tmp_path / "lying.parquet"
    most = 0x5A5A5A5A5A
    frame = pd.DataFrame({"x": [1, 2, most], "flag": [True, False, True]})
    frame.to_parquet(honest, compression="gzip")
    data, told_most = honest.read_bytes(), most.to_bytes(8, "little")
    assert data.count(told_most) >= 1  # in the statistics only: the cells are compressed
    lying.write_bytes(data.replace(told_most, (3).to_bytes(8, "little")))
    asked = suite(
        expect("column_max_to_be_between", column="x", max_value=10),
        expect("column_values_to_be_between", column="x", max_value=10),
    )
    for path in (honest, lying):
        assert [finding.success for finding in fast(path, [asked])[-2:]] == [False, False]


def test_a_path_that_reads_like_a_pattern_is_read_as_a_path(tmp_path: Path) -> None:
    write(table(), tmp_path / "x1.parquet")
    broken = tmp_path / "x*.parquet"
    some("code", None)(table(), np.random.default_rng(0)).to_parquet(broken)
    asked = suite(expect("column_values_to_not_be_null", column="code"))
    found = fast(broken, [asked])
    assert not found[-1].success
    assert found == plain(broken, [asked])


def test_a_partition_without_rows_or_with_damage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    table().head(0).to_parquet(path)
    with pytest.raises(BadData, match="no rows"):
        fast(path, [])
    write(table(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadData, match="not a readable Parquet"):
        fast(path, [suite(expect("column_values_to_be_unique", column="id"))])


# ---- any table, any expectation

FLOATS = st.one_of(
    st.sampled_from([0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1.0, 2.5, 1e300, None]),
    st.integers(-3, 3).map(float),
)
INTEGERS = st.one_of(st.integers(-3, 3), st.sampled_from([2**53, 2**53 + 1, -(2**63), None]))
TEXTS = st.one_of(st.sampled_from(["", "a", "b", "ab", "a\n", "é", "A1", "٣", None]), st.text(max_size=3))
TIMES = st.one_of(st.none(), st.datetimes(datetime(2020, 1, 1), datetime(2020, 1, 3)))
CELLS: dict[str, tuple[st.SearchStrategy[Any], pa.DataType]] = {
    "float": (FLOATS, pa.float64()),
    "float32": (st.one_of(st.none(), st.floats(width=32)), pa.float32()),
    "integer": (INTEGERS, pa.int64()),
    "full": (st.integers(-3, 3), pa.int64()),
    "short": (st.integers(-3, 3), pa.int16()),
    "text": (TEXTS, pa.string()),
    "boolean": (st.one_of(st.none(), st.booleans()), pa.bool_()),
    "flag": (st.booleans(), pa.bool_()),
    "zoned": (TIMES, pa.timestamp("us", "Europe/Berlin")),
    "time": (TIMES, pa.timestamp("us")),
    "nothing": (st.none(), pa.null()),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(1, 8))
    cells = {
        name: pa.array(draw(st.lists(values, min_size=rows, max_size=rows)), kind, from_pandas=False)
        for name, (values, kind) in CELLS.items()
    }
    return pa.table(cells)


BOUNDS = st.one_of(
    st.sampled_from([0, 1, -2.5, 2.0**53, 1e300, 0.1]),
    st.sampled_from(["2020-01-01T00:00:00", "2020-01-02T12:00:00", "2020-01-02"]),
)
COLUMNS = st.sampled_from(list(CELLS))
MOSTLY = st.sampled_from([1.0, 0.7, 0.5])
SETS = st.lists(
    st.one_of(st.integers(-3, 3), st.sampled_from([0.0, 2.5, 2**53, "a", "b", "ab", "", "é", True, False])),
    min_size=1, max_size=12, unique_by=repr,
)  # fmt: skip
REGEXES = st.sampled_from(["a", "^a$", r"^\w*$", "[^a]", ".", r"\d", "a|b", "b?$", r"\s", "^$"])


@st.composite
def expectations(draw: st.DrawFn) -> Suite:
    kind = draw(st.sampled_from(sorted(PLANS))).removeprefix("expect_")
    kwargs: dict[str, Any] = {}
    if not kind.startswith(("table", "compound", "column_pair")):
        kwargs["column"] = draw(COLUMNS)
    if kind.startswith(("column_values", "column_value_lengths")):
        kwargs["mostly"] = draw(MOSTLY)
    if kind.startswith("compound"):
        kwargs["column_list"] = draw(st.lists(COLUMNS, min_size=2, max_size=3, unique=True))
        missing = ["all_values_are_missing", "any_value_is_missing", "never"]
        kwargs["ignore_row_if"] = draw(st.sampled_from(missing))
    if kind.startswith("column_pair"):
        kwargs |= {"column_A": draw(COLUMNS), "column_B": draw(COLUMNS), "or_equal": draw(st.booleans())}
        kwargs["ignore_row_if"] = draw(
            st.sampled_from(["both_values_are_missing", "either_value_is_missing", "neither"])
        )
    if "in_set" in kind:
        kwargs["value_set"] = draw(SETS)
    if "regex" in kind:
        kwargs["regex"] = draw(REGEXES)
    if kind.endswith("of_type"):
        kwargs["type_"] = draw(st.sampled_from(["str", "int64", "float64", "bool", "object"]))
    if kind.endswith("type_list"):
        kwargs["type_list"] = draw(st.sampled_from([["str", "bool"], ["int64", "int16", "float64"]]))
    if kind.endswith("to_equal"):
        kwargs["value"] = draw(st.integers(0, 10))
    if kind.endswith("match_set"):
        kwargs["column_set"] = draw(st.sampled_from([list(CELLS), ["x"]]))
    if kind.endswith("ordered_list"):
        kwargs["column_list"] = draw(st.sampled_from([list(CELLS), list(CELLS)[::-1]]))
    if kind.endswith("between"):
        whole_numbers = "count" in kind or "lengths" in kind
        shares = st.sampled_from([0.0, 0.5, 1.0])
        bounds = st.integers(0, 3) if whole_numbers else shares if "proportion" in kind else BOUNDS
        kwargs |= draw(
            st.fixed_dictionaries(
                {}, optional={"min_value": bounds, "max_value": bounds, "strict_min": st.booleans()}
            )
        )
        kwargs.setdefault("max_value", draw(bounds))
    return expect(kind, **kwargs)


def understood(wanted: Sequence[Suite]) -> list[Suite]:
    """Those whose bounds Great Expectations does not refuse."""
    valid = []
    for each in wanted:
        with suppress(Exception):
            expectations_of(suite(each))
            valid.append(each)
    return valid


@given(tables(), st.lists(expectations(), min_size=8, max_size=25))
@settings(fewer_examples, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_of_any_small_table_statistics_say_what_great_expectations_says(
    rows: pa.Table, wanted: list[Suite]
) -> None:
    valid = understood(wanted)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        pq.write_table(rows, path)
        assert told(fast(path, [suite(*valid)])) == told(plain(path, [suite(*valid)]))


@given(tables(), st.lists(expectations(), min_size=8, max_size=25))
@settings(fewer_examples)
def test_a_value_judged_once_for_all_its_cells_gives_the_same_metrics(
    rows: pa.Table, wanted: list[Suite]
) -> None:
    rows = pa.concat_tables([rows] * 200)
    asked = [question(each) for each in expectations_of(suite(*understood(wanted)))]
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("incumbent.gate.table.MANY_ROWS", len(rows))
        once, each = Path(folder) / "once.parquet", Path(folder) / "each.parquet"
        pq.write_table(rows, once)
        pq.write_table(rows, each, use_dictionary=False)
        assert Table(once).columns["text"].few
        assert not Table(each).columns["text"].few
        assert repr(measure_expectations(once, asked)) == repr(measure_expectations(each, asked))


@pytest.mark.parametrize("repeated", [False, True], ids=["all different", "one repeated"])
@pytest.mark.parametrize("columns", [["id"], ["time"], ["name"], ["group", "id"]], ids=",".join)
def test_a_key_in_order_is_judged_as_one_in_no_order(
    tmp_path: Path, columns: list[str], repeated: bool
) -> None:
    rows = pd.DataFrame({"id": np.arange(300), "group": np.repeat(["a", "b"], 150)})
    rows["time"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rows["id"], unit="h")
    rows["name"] = rows["id"].map("{:05d}".format)
    if repeated:
        rows = rows.iloc[[*range(200), *range(199, 300)]]
    asked = expect("column_values_to_be_unique", column=columns[0])
    if len(columns) > 1:
        asked = expect("compound_columns_to_be_unique", column_list=columns)
    for order in (rows, rows[::-1], rows.sample(frac=1, random_state=0)):
        order.to_parquet(tmp_path / "rows.parquet", index=False)
        assert by_statistics(tmp_path / "rows.parquet", suite(asked)) == [not repeated]


PIECES = st.sampled_from(
    ["a", "b", "1", "_", ".", "^", "$", "|", "(", ")", "(?:", "*", "+", "?", "{2}", "{1,}", "{0,2}", "[ab]",
     "[^ab]", "[a-c1]", r"[\d_]", r"[^\w]", r"\d", r"\D", r"\w", r"\W", r"\.", r"\\", r"\-", "-", "(?i)",
     r"\s", r"\b", "(?=a)", r"\1", "[", "]", "é"]
)  # fmt: skip
LINES = st.text(st.sampled_from("ab1_.- A\\|\t\x00\x0b\r"), max_size=6)


@given(st.lists(PIECES, max_size=6).map("".join), st.lists(LINES, min_size=1, max_size=8))
@settings(max_examples=settings().max_examples * 5)
def test_a_portable_regex_is_found_by_duckdb_where_python_finds_it(regex: str, lines: list[str]) -> None:
    if not is_portable(regex):
        return
    quoted = regex.replace("'", "''")
    with duckdb.connect() as database:
        query = f"SELECT regexp_matches(line, '{quoted}') FROM (SELECT unnest(?) AS line)"
        try:
            found = [yes for (yes,) in database.execute(query, [lines]).fetchall()]
        except duckdb.Error:  # which leaves the partition to pandas
            return
    assert found == [bool(re.search(regex, line)) for line in lines]


@pytest.mark.parametrize(
    ("regex", "portable"),
    [
        ("^[A-Z]{3}$", True), (r"^\d{4}-\d\d$", True), ("^(a|b)+c?$", True), (r"[^@]+@[^@]+\.[a-z]+", True),
        (r"\s", False), (r"\bx", False), ("(?i)x", False), ("(?=x)", False), (r"(a)\1", False),
        ("a++", False), ("é", False), ("(", False), ("(?P<n>a)", False), (r"\x41", False), (r"\Aa", False),
    ],
)  # fmt: skip
def test_a_regex_is_portable_if_both_dialects_read_it_alike(regex: str, portable: bool) -> None:
    assert is_portable(regex) is portable


def test_great_expectations_takes_no_fingerprint_of_the_cells_that_it_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is most of the time that it needs for cells that fail."""
    from great_expectations.execution_engine import pandas_execution_engine

    monkeypatch.delattr(pandas_execution_engine, "hash_pandas_dataframe")
    write(table(), tmp_path / "rows.parquet")
    asked = suite(expect("column_values_to_be_in_set", column="group", value_set=["red", "green"]))
    assert "such as ['blue'" in fast(tmp_path / "rows.parquet", [asked])[-1].observed


def test_findings_come_in_the_order_of_the_suites(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write(table(), path)
    kinds = ["column_values_to_be_unique", "column_max_to_be_between", "column_values_to_not_be_null"]
    asked = [
        expect(kinds[0], column="group"), expect(kinds[1], column="id", max_value=1e9),
        expect(kinds[2], column="amount"),
    ]  # fmt: skip
    found = [finding.expectation.split("(")[0] for finding in fast(path, [suite(*asked)])[1:]]
    assert found == [f"expect_{kind}" for kind in kinds]
    assert json.dumps(gate_files([(PARTITION, path)], [suite(*asked)], DATASET, GateParams()).to_json())
