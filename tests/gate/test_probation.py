"""What looks wrong but may be news: suspended, released by the next that shows the same, never forgotten."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from incumbent.errors import BadParams
from incumbent.gate import PROBATION, Finding, GateReport, Verdict
from incumbent.gate.probation import (
    A_PERSON,
    Record,
    Release,
    Suspension,
    Suspicion,
    applied,
    held,
    how_to_release,
    judge_probation,
    let_pass,
    settle,
    shows_the_same,
)
from incumbent.gate.sift import sift, without_history
from incumbent.gate.suites import load_suites
from incumbent.gate.version import gate_version
from incumbent.params import Params
from tests.building import changed, toy_params

PARAMS = toy_params(dataset={"key": ["id"]})
MEAN = {
    "type": "expect_column_mean_to_be_between",
    "kwargs": {"column": "price", "min_value": 4, "max_value": 6},
    "severity": "warning",
    "meta": {"probation": True},
}
POSITIVE = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "price", "min_value": 0},
    "severity": "critical",
    "meta": {"quarantine": True},
}
ABOUT = "expect_column_mean_to_be_between of price"
NOW = "2026-06-01T00:00:00+00:00"


def month(folder: Path, name: str = "2026-05.parquet", times: float = 1.0) -> Path:
    rng = np.random.default_rng(0)
    path = folder / name
    frame = {"id": range(200), "price": times * rng.uniform(4, 6, 200), "y": rng.integers(0, 2, 200)}
    pd.DataFrame(frame).to_parquet(path, index=False)
    return path


def suites(*expectations: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": "own", "expectations": list(expectations)}]


def arrived(path: Path, params: Params = PARAMS, *more: dict[str, Any]) -> GateReport:
    return sift(path.name, path, path.parent, suites(MEAN, *more), params, without_history).report


@pytest.mark.parametrize(
    ("suspicious", "verdict", "severity"),
    [
        ("probation", Verdict.PROBATION, "probation"),
        ("warn", Verdict.WARN, "warning"),
        ("block", Verdict.BLOCK, "critical"),
    ],
)
def test_an_arrival_and_a_version_are_suspicious_alike_and_params_say_what_follows(
    tmp_path: Path, suspicious: str, verdict: Verdict, severity: str
) -> None:
    path, params = month(tmp_path, times=10), changed(PARAMS, gate={"suspicious": suspicious})
    reports = arrived(path, params), gate_version([(path.name, path)], suites(MEAN), params)
    for report in reports:
        assert report.verdict is verdict
        assert report.reasons[0].startswith(f"{severity}: 2026-05.parquet: expect_column_mean_to_be_between(")
        assert report.on_probation == ((path.name,) if suspicious == "probation" else ())


def test_rows_are_set_aside_from_a_partition_on_probation_and_the_verdict_is_the_graver(
    tmp_path: Path,
) -> None:
    frame = pd.read_parquet(month(tmp_path, times=10))
    frame.loc[3, "price"] = -1.0
    path = tmp_path / "2026-05.parquet"
    frame.to_parquet(path, index=False)
    sifted = sift(path.name, path, tmp_path, suites(MEAN, POSITIVE), PARAMS, without_history)
    assert sifted.aside
    assert sifted.report.verdict is Verdict.PROBATION
    assert [reason.partition(":")[0] for reason in sifted.report.reasons] == ["probation", "quarantine"]


def test_a_partition_that_is_blocked_is_not_on_probation_too(tmp_path: Path) -> None:
    path = month(tmp_path, times=10)
    pd.read_parquet(path).assign(id=1).to_parquet(path, index=False)
    report = arrived(path)
    assert report.verdict is Verdict.BLOCK
    assert report.on_probation == ()


def test_documents_without_a_suspicion_are_what_they_were_before_there_was_probation(tmp_path: Path) -> None:
    document = arrived(month(tmp_path)).to_json()
    assert "on_probation" not in document
    assert set(document["findings"][0]) == {
        "partition", "expectation", "severity", "success", "observed", "examples", "final"
    }  # fmt: skip
    suspicious = arrived(month(tmp_path, times=10)).to_json()
    assert suspicious["on_probation"] == ["2026-05.parquet"]
    assert GateReport.from_json(json.loads(json.dumps(suspicious))).on_probation == ("2026-05.parquet",)


@pytest.mark.parametrize(
    ("meta", "told"),
    [
        ({"probation": "yes"}, "meta.probation = 'yes'; it is true, or left out"),
        ({"probation": 1}, "meta.probation = 1; it is true, or left out"),
        ({"probation": True, "quarantine": True}, "meta.probation and meta.quarantine; keep one"),
    ],
)
def test_a_suite_that_can_not_be_meant_is_refused(tmp_path: Path, meta: dict[str, Any], told: str) -> None:
    expectation = {**POSITIVE, "meta": meta}
    (tmp_path / "own.json").write_text(json.dumps(suites(expectation)[0]))
    with pytest.raises(BadParams, match=r"own\.json: expect_column_values_to_be_between has ") as error:
        load_suites(tmp_path)
    assert told in str(error.value)


# --- the record


def report_on(name: str, value: float | None = 50.0, *abouts: str) -> GateReport:
    findings = (
        Finding(name, f"{about}, 4 to 6", PROBATION, False, f"observed {value}", about=about, value=value)
        for about in abouts or (ABOUT,)
    )
    return GateReport(200, tuple(findings))


def suspended(name: str, value: float | None = 50.0, *abouts: str) -> Suspension:
    _, changes = settle(report_on(name, value, *abouts), {}, {name: f"md5 of {name}"}, NOW)
    entry = changes[name]
    assert entry
    return entry


MAY, JUNE = "2026-05.parquet", "2026-06.parquet"
DATA = {MAY: f"md5 of {MAY}", JUNE: f"md5 of {JUNE}"}


def test_the_first_is_suspended_with_its_reasons_and_told_how_to_release() -> None:
    excused, changes = settle(report_on(MAY), {}, DATA, NOW)
    assert excused == {}
    assert changes == {
        MAY: Suspension(DATA[MAY], NOW, (Suspicion(ABOUT, f"{ABOUT}, 4 to 6", "observed 50.0", 50.0),))
    }
    assert how_to_release(report_on(MAY)) == (
        f"{MAY} is on probation: {ABOUT}, 4 to 6: observed 50.0; release it with "
        f"'incumbent quarantine release {MAY} --reason TEXT'",
    )


def test_two_that_show_the_same_are_news_and_both_are_free() -> None:
    record = {MAY: suspended(MAY)}
    excused, changes = settle(report_on(JUNE, 55.0), record, DATA, NOW)
    assert excused == {JUNE: f"{MAY} shows the same: two are news"}
    after = applied(record, changes)
    assert after[MAY].released == Release(f"{JUNE} shows the same", "two are news", NOW)
    assert after[JUNE].released == Release(f"{MAY} shows the same", "two are news", NOW)
    judged = judge_probation(report_on(JUNE, 55.0), record, DATA, NOW, [[JUNE]], DATA)
    assert judged.on_probation == ()
    assert judged.news == (
        f"{JUNE} shows the same as {MAY}: {ABOUT}, 4 to 6: observed 50.0",
        f"{MAY} shows the same as {JUNE}: {ABOUT}, 4 to 6: observed 55.0",
    )


def test_the_same_bytes_under_another_name_are_no_news() -> None:
    copied = {MAY: "md5", JUNE: "md5"}
    record = {MAY: replace(suspended(MAY), md5="md5")}
    excused, changes = settle(report_on(JUNE), record, copied, NOW)
    assert excused == {}
    assert set(changes) == {JUNE}


@pytest.mark.parametrize(
    ("value", "abouts", "same"),
    [
        pytest.param(50.0, (ABOUT,), True, id="the same"),
        pytest.param(60.0, (ABOUT, "another thing"), True, id="near, and more than that"),
        pytest.param(500.0, (ABOUT,), False, id="another value"),
        pytest.param(-50.0, (ABOUT,), False, id="the other direction"),
        pytest.param(None, (ABOUT,), False, id="no value"),
        pytest.param(50.0, ("another thing",), False, id="another finding"),
    ],
)
def test_the_same_is_all_that_the_first_showed_and_near_it(
    value: float | None, abouts: tuple[str, ...], same: bool
) -> None:
    assert shows_the_same(suspended(JUNE, value, *abouts), suspended(MAY)) is same


def test_a_part_of_what_the_first_showed_is_not_the_same() -> None:
    assert not shows_the_same(suspended(JUNE), suspended(MAY, 50.0, ABOUT, "another thing"))
    assert not shows_the_same(suspended(JUNE), replace(suspended(MAY), suspicions=()))


def test_partitions_of_one_arrival_do_not_vouch_for_each_other() -> None:
    report = GateReport.of([report_on(MAY), report_on(JUNE)])
    excused, changes = settle(report, {}, DATA, NOW)
    assert excused == {}
    assert set(changes) == {MAY, JUNE}


RELEASE = Release(f"{A_PERSON}ann", "prices rose", NOW)


def released(name: str) -> Record:
    return {name: replace(suspended(name), released=RELEASE)}


def test_what_a_person_released_teaches() -> None:
    excused, changes = settle(report_on(JUNE), released(MAY), DATA, NOW)
    assert excused == {JUNE: f"{MAY} showed the same: ann let it pass: prices rose"}
    assert changes == {}
    assert let_pass(released(MAY), DATA) == {MAY: "ann let it pass: prices rose"}
    assert judge_probation(report_on(JUNE), released(MAY), DATA, NOW, [[JUNE]], DATA).news == ()


def test_what_shows_more_than_was_released_is_suspicious_still() -> None:
    more = report_on(JUNE, 50.0, ABOUT, "another thing")
    excused, changes = settle(more, released(MAY), DATA, NOW)
    assert excused == {}
    assert set(changes) == {JUNE}
    july = {**released(MAY), "july": replace(suspended("july", 50.0, "another thing"), released=RELEASE)}
    assert settle(more, july, DATA, NOW)[1] == {}


def test_the_same_bytes_again_stay_where_they_are() -> None:
    record = {MAY: suspended(MAY)}
    assert settle(report_on(MAY), record, DATA, "later", [MAY]) == ({}, {})
    for more in ([], ["another thing"]):
        again = report_on(MAY, 50.0, ABOUT, *more)
        assert settle(again, released(MAY), DATA, "later", [MAY]) == (let_pass(released(MAY), DATA), {})


def test_other_bytes_are_judged_anew() -> None:
    record, corrected = {MAY: suspended(MAY)}, {**DATA, MAY: "other"}
    assert settle(GateReport(200, ()), record, corrected, NOW, [MAY]) == ({}, {MAY: None})
    _, changes = settle(report_on(MAY, 500.0), record, corrected, NOW, [MAY])
    entry = changes[MAY]
    assert entry is not None
    assert (entry.md5, entry.suspicions[0].value) == ("other", 500.0)
    assert held(record, corrected) == {}


def test_after_an_edit_of_the_suite_the_same_bytes_are_free() -> None:
    record = {MAY: suspended(MAY)}
    assert settle(GateReport(200, ()), record, DATA, NOW, [MAY]) == ({}, {MAY: None})
    assert settle(GateReport(200, ()), record, DATA, NOW, [JUNE]) == ({}, {})


def test_a_version_that_arrivals_put_on_probation_stays_there_whatever_it_shows_by_itself() -> None:
    report = judge_probation(GateReport(200, ()), {MAY: suspended(MAY)}, DATA, NOW, [])
    assert report.verdict is Verdict.PROBATION
    assert report.reasons == (f"probation: {MAY}: {ABOUT}, 4 to 6: observed 50.0",)


def test_what_came_without_ingest_is_news_only_if_it_came_one_after_the_other() -> None:
    both = GateReport.of([report_on(MAY), report_on(JUNE)])
    assert judge_probation(both, {}, DATA, NOW, [[MAY, JUNE]], DATA).on_probation == (MAY, JUNE)
    told = judge_probation(both, {}, DATA, NOW, [[MAY], [JUNE]], DATA)
    assert told.on_probation == ()
    assert told.news == (
        f"{JUNE} shows the same as {MAY}: {ABOUT}, 4 to 6: observed 50.0",
        f"{MAY} shows the same as {JUNE}: {ABOUT}, 4 to 6: observed 50.0",
    )
