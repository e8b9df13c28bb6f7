"""The gate on real flights: a good month passes, each way of breaking it is named with its figures."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest

from incumbent.demo.flights import break_month
from incumbent.errors import BadParams
from incumbent.gate import GateReport, Verdict
from incumbent.gate.check import EXAMPLES, gate_files
from incumbent.gate.suites import load_suites
from incumbent.params import DatasetParams, GateParams, Params
from tests.building import ROOT

Suites = Sequence[dict[str, Any]]
Break = Callable[[pd.DataFrame], pd.DataFrame]


def gate(
    partitions: Sequence[tuple[str, pd.DataFrame]], suites: Suites, dataset: DatasetParams
) -> GateReport:
    """What the gate says of frames, as Parquet files."""
    with TemporaryDirectory() as folder:
        files = [(name, Path(folder) / f"{number}.parquet") for number, (name, _) in enumerate(partitions)]
        for (_, frame), (_, path) in zip(partitions, files, strict=True):
            frame.to_parquet(path)
        return gate_files(files, suites, dataset, GateParams())


@pytest.fixture(scope="module")
def suites() -> Suites:
    """The repository's own."""
    return load_suites(ROOT / "expectations")


def test_a_good_month_passes(january: pd.DataFrame, suites: Suites, flights_params: Params) -> None:
    report = gate([("2013-01.parquet", january)], suites, flights_params.dataset)
    assert (report.verdict, report.reasons, report.rows) == (Verdict.PASS, (), len(january))
    # All that the suite lists, and the target's presence; of the key it says the same itself.
    assert len(report.findings) == len(suites[0]["expectations"]) + 1
    assert all(finding.partition == "2013-01.parquet" for finding in report.findings)


def test_the_demos_broken_month_is_blocked_for_its_lost_cells(
    months: Sequence[Path], tmp_path: Path, suites: Suites, flights_params: Params
) -> None:
    break_month(months[0], tmp_path / "broken.parquet")
    broken = pd.read_parquet(tmp_path / "broken.parquet")
    report = gate([("2013-01.parquet", broken)], suites, flights_params.dataset)
    lost = int(broken["distance"].isna().sum())
    assert report.verdict is Verdict.BLOCK
    assert report.reasons == (
        "critical: 2013-01.parquet: expect_column_values_to_not_be_null(column='distance'): "
        f"{lost:,} of {len(broken):,} rows (40.0 %)",
    )
    (failed,) = [finding for finding in report.findings if not finding.success]
    assert len(failed.examples) == EXAMPLES
    assert all(row["distance"] == "nan" and row["carrier"] for row in failed.examples)


def every(nth: int, column: str, value: object) -> Break:
    """Each nth row gets another value."""

    def apply(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(**{column: frame[column].mask(frame.index % nth == 0, value)})

    return apply


@pytest.mark.parametrize(
    ("broken", "told", "examples"),
    [
        pytest.param(
            every(4, "carrier", None),
            ["not_be_null(column='carrier')", "6,600 of 26,398 rows (25.0 %)"],
            True,
            id="empty cells in a text column",
        ),
        pytest.param(
            lambda frame: frame.assign(distance=frame["distance"].astype(str)),
            ["be_in_type_list(column='distance', type_list=['int64', 'int32', 'float64'])", "observed 'str'"],
            False,
            id="a number written as text",
        ),
        pytest.param(
            lambda frame: frame.assign(carrier=7),
            ["be_of_type(column='carrier', type_='str')", "observed 'int64'"],
            False,
            id="text written as a number",
        ),
        pytest.param(
            lambda frame: pd.concat([frame, frame.head(7)], ignore_index=True),
            [
                "compound_columns_to_be_unique(column_list=['time_hour', 'carrier', 'flight'])",
                "14 of 26,405 rows (0.1 %)",
            ],
            True,
            id="rows delivered twice",
        ),
        pytest.param(
            lambda frame: frame.drop(columns="late"),
            ["expect_column_to_exist(column='late')", "no column ['late']; the file has ['carrier',"],
            False,
            id="no target",
        ),
        pytest.param(
            lambda frame: frame.drop(columns="distance"),
            ["not_be_null(column='distance')", "no column ['distance']; the file has ['carrier',"],
            False,
            id="a column is missing",
        ),
        pytest.param(
            lambda frame: frame.drop(columns="flight"),
            ["compound_columns_to_be_unique", "no column ['flight']"],
            False,
            id="a column of the key is missing",
        ),
        pytest.param(
            lambda frame: frame.assign(delay=1),
            ["table_columns_to_match_set", "observed ['carrier', 'date', 'delay', 'dest',"],
            False,
            id="a column more",
        ),
        pytest.param(
            every(50, "origin", "PHL"),
            [
                "be_in_set(column='origin', value_set=['EWR', 'JFK', 'LGA'])",
                "528 of 26,398 rows (2.0 %), such as ['PHL', 'PHL', 'PHL']",
            ],
            True,
            id="an airport never seen",
        ),
        pytest.param(
            every(50, "dest", "KLAX"),
            ["value_lengths_to_equal(column='dest', value=3.0)", "528 of 26,398", "'KLAX'"],
            True,
            id="codes of another length",
        ),
        pytest.param(
            every(500, "sched_dep_time", 2500),
            ["column_max_to_be_between(column='sched_dep_time'", "observed 2500"],
            False,
            id="a time after midnight",
        ),
        pytest.param(
            lambda frame: frame.head(9_999),
            ["row_count_to_be_between(min_value=10000, max_value=60000)", "observed 9999"],
            False,
            id="too few rows",
        ),
    ],
)
def test_a_broken_month_is_blocked_with_its_column_and_figures(
    january: pd.DataFrame,
    suites: Suites,
    flights_params: Params,
    broken: Break,
    told: list[str],
    examples: bool,
) -> None:
    report = gate([("2013-01.parquet", broken(january))], suites, flights_params.dataset)
    assert report.verdict is Verdict.BLOCK
    (reason,) = [reason for reason in report.reasons if all(part in reason for part in told)]
    assert reason.startswith("critical: 2013-01.parquet: ")
    (failed,) = [finding for finding in report.findings if not finding.success and str(finding) in reason]
    assert (0 < len(failed.examples) <= EXAMPLES) == examples


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        pytest.param(
            every(10, "temp", None),
            "not_be_null(column='temp', mostly=0.95): 2,687 of 26,398 rows (10.2 %)",
            id="a silent weather station",
        ),
        pytest.param(
            every(500, "temp", 451.0),
            "be_between(column='temp', min_value=-20.0, max_value=120.0)",
            id="heat",
        ),
        pytest.param(every(2, "late", True), "mean_to_be_between(column='late'", id="many late flights"),
    ],
)
def test_only_warnings_let_a_month_pass_and_are_told(
    january: pd.DataFrame, suites: Suites, flights_params: Params, broken: Break, told: str
) -> None:
    report = gate([("2013-01.parquet", broken(january))], suites, flights_params.dataset)
    assert report.verdict is Verdict.WARN
    (reason,) = report.reasons
    assert reason.startswith("warning: 2013-01.parquet: ")
    assert told in reason


TOY = DatasetParams(name="toy", target="y")
SMALL = pd.DataFrame({"k": range(20), "x": [0.5] * 20, "y": [0, 1] * 10})


def suite(*expectations: dict[str, Any]) -> dict[str, Any]:
    return {"name": "own", "expectations": list(expectations)}


def expect(kind: str, severity: str = "critical", **kwargs: object) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs, "severity": severity}


FILLED = expect("expect_column_values_to_not_be_null", column="x")


def test_of_two_partitions_only_the_broken_one_is_named() -> None:
    broken = SMALL.assign(x=SMALL["x"].mask(SMALL["k"] < 5))
    report = gate([("good.parquet", SMALL), ("bad.parquet", broken)], [suite(FILLED)], TOY)
    assert (report.verdict, report.rows) == (Verdict.BLOCK, 40)
    assert report.reasons == (
        "critical: bad.parquet: expect_column_values_to_not_be_null(column='x'): 5 of 20 rows (25.0 %)",
    )
    (failed,) = [finding for finding in report.findings if not finding.success]
    assert failed.examples[0] == {"k": "0", "x": "nan", "y": "0"}


def test_what_blocks_is_told_before_what_warns() -> None:
    kinds = [
        {**FILLED, "severity": "warning"},
        {**FILLED, "severity": "info"},
        expect("expect_column_max_to_be_between", column="k", max_value=5),
    ]
    report = gate([("p", SMALL.assign(x=None))], [suite(*kinds)], TOY)
    assert report.verdict is Verdict.BLOCK
    first, *others = [reason.split(":")[0] for reason in report.reasons]
    assert (first, sorted(others)) == ("critical", ["info", "warning"])


def test_every_suite_of_the_folder_is_applied(tmp_path: Path) -> None:
    bounds = expect("expect_column_max_to_be_between", column="k", max_value=5)
    for name, expectation in (("a", FILLED), ("b", bounds)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"expectations": [expectation]}))
    loaded = load_suites(tmp_path)
    assert [each["name"] for each in loaded] == ["a", "b"]
    report = gate([("p", SMALL)], loaded, TOY)
    assert report.reasons == (
        "critical: p: expect_column_max_to_be_between(column='k', max_value=5.0): observed 19",
    )


def test_without_suites_the_parameters_are_still_checked(tmp_path: Path) -> None:
    assert load_suites(tmp_path) == []
    assert gate([("p", SMALL)], [], TOY).verdict is Verdict.PASS
    assert gate([("p", SMALL.drop(columns="y"))], [], TOY).verdict is Verdict.BLOCK
    keyed = TOY.model_copy(update={"key": ["x"]})
    reason, contradiction = gate([("p", SMALL)], [], keyed).reasons
    assert "different" in contradiction
    assert "expect_column_values_to_be_unique(column='x'): 20 of 20 rows (100.0 %)" in reason


def test_an_expectation_that_can_not_be_computed_blocks_with_its_cause() -> None:
    text = SMALL.assign(x="a")
    report = gate(
        [("p", text)], [suite(expect("expect_column_mean_to_be_between", column="x", min_value=0))], TOY
    )
    assert report.verdict is Verdict.BLOCK
    assert "could not be checked: " in report.reasons[0]
    assert "column='x'" in report.reasons[0]


@pytest.mark.parametrize(
    "expectation",
    [
        pytest.param(expect("expect_column_values_to_be_between", column="x", min_value=0), id="a range"),
        pytest.param(expect("expect_column_values_to_be_in_set", column="x", value_set=[0.5]), id="a set"),
        pytest.param(expect("expect_column_values_to_be_unique", column="x"), id="uniqueness"),
    ],
)
def test_a_column_without_any_value_is_checked_like_any_other(expectation: dict[str, Any]) -> None:
    report = gate([("p", SMALL.assign(x=float("nan")))], [suite(expectation, FILLED)], TOY)
    assert report.verdict is Verdict.BLOCK
    assert report.reasons == (
        "critical: p: expect_column_values_to_not_be_null(column='x'): 20 of 20 rows (100.0 %)",
    )


def test_a_frame_with_its_own_index_is_blocked_with_the_right_examples() -> None:
    broken = SMALL.assign(x=SMALL["x"].mask(SMALL["k"] > 14)).iloc[10:]
    report = gate([("p", broken)], [suite(FILLED)], TOY)
    examples = [row["k"] for finding in report.findings for row in finding.examples]
    assert examples == ["15", "16", "17", "18", "19"]


def test_two_suites_may_have_the_same_name() -> None:
    assert gate([("p", SMALL)], [suite(FILLED), suite(FILLED)], TOY).verdict is Verdict.PASS


def test_a_report_can_be_written_as_json() -> None:
    report = gate([("p", SMALL.assign(x=float("nan")))], [suite(FILLED)], TOY)
    document = json.loads(json.dumps(report.to_json()))
    assert (document["verdict"], document["rows"]) == ("block", 20)
    assert [finding["success"] for finding in document["findings"]].count(False) == 1
    none = {"unlabelled": 0, "waiting": [], "left_out": [], "findings": [], "reasons": []}
    assert GateReport(0, ()).to_json() == {"verdict": "pass", "rows": 0, **none}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", "not a Great Expectations suite in JSON", id="an empty file"),
        pytest.param("expectations: []", "not a Great Expectations suite in JSON", id="YAML"),
        pytest.param("[]", "not a Great Expectations suite in JSON", id="a list"),
        pytest.param('{"name": "own"}', "not a Great Expectations suite in JSON", id="no expectations"),
        pytest.param('{"expectations": null}', "not a Great Expectations suite in JSON", id="null"),
        pytest.param('{"expectations": ["x"]}', "not a Great Expectations suite in JSON", id="words"),
        pytest.param(
            json.dumps(suite(FILLED, expect("expect_the_best"))),
            "unknown or invalid expectations ['expect_the_best']",
            id="an unknown expectation",
        ),
        pytest.param(
            json.dumps(suite(FILLED, {"type": 5, "kwargs": {}})),
            "unknown or invalid expectations ['5']",
            id="a number as the expectation",
        ),
        pytest.param(
            json.dumps(suite({**FILLED, "type": ["x"]})),
            "unknown or invalid expectations",
            id="a list as the expectation",
        ),
        pytest.param(
            json.dumps(suite(FILLED, {**FILLED, "severity": "critcal"})),
            "unknown or invalid expectations ['expect_column_values_to_not_be_null']",
            id="one of two of a kind with a misspelt severity",
        ),
        pytest.param(
            json.dumps(suite(FILLED, expect("expect_column_values_to_not_be_null"))),
            "column field required",
            id="no column",
        ),
        pytest.param(
            json.dumps(suite(expect("expect_column_values_to_not_be_null", column="x", mosty=0.9))),
            "mosty extra fields not permitted",
            id="a misspelt argument",
        ),
        pytest.param(
            json.dumps(suite(expect("expect_column_values_to_not_be_null", column="x", mostly=9))),
            "mostly ensure this value is less than or equal to 1.0",
            id="an argument out of range",
        ),
        pytest.param(
            json.dumps(suite(expect("expect_column_values_to_be_between", column="x"))),
            "min_value and max_value cannot both be None",
            id="a range without limits",
        ),
        pytest.param(json.dumps(suite({**FILLED, "note": "x"})), "'note'", id="a field of one's own"),
        pytest.param(
            json.dumps({"name": 5, "expectations": [FILLED]}), "non-empty string", id="a number as name"
        ),
    ],
)
def test_a_bad_suite_is_refused_with_its_file(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "own.json"
    path.write_text(text)
    with pytest.raises(BadParams) as caught:
        load_suites(tmp_path)
    assert str(caught.value).startswith(str(path))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
