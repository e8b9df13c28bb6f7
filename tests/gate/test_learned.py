"""What past partitions teach the gate: it lets pass what is like them, and tells what is not."""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.pandas import column, data_frames, range_indexes

from incumbent.gate import PROBATION, Finding, Verdict
from incumbent.gate.check import gate_files
from incumbent.gate.figures import figures
from incumbent.gate.gx import suite_of, validate
from incumbent.gate.learned import judge_profile, learned_from
from incumbent.gate.learned_suite import LEARNED, from_suite, to_suite
from incumbent.gate.probation import (
    BY_PERSON,
    Record,
    applied,
    for_a_person,
    held,
    how_to_release,
    released_too,
    settle,
)
from incumbent.gate.profile import Profile, profile, profile_and_sample
from incumbent.gate.report import GateReport
from incumbent.gate.sensors import read_sensors
from incumbent.gate.sift import sift, without_history
from incumbent.gate.version import gate_version
from incumbent.params import CleanParams, Params
from incumbent.storage.dataset.probation import entries
from tests.building import toy_params

PARAMS = toy_params(dataset={"name": "toy", "target": "y", "key": ["id"]})
FALSE_ALARMS = 0.05


class Past:
    """Partitions in a folder, the suite learned from them, and the gate on another one."""

    def __init__(self, folder: Path, frames: Sequence[pd.DataFrame], params: Params = PARAMS) -> None:
        self.folder, self.params = folder, params
        self.paths = [self.write(frame, f"p{number:02d}.parquet") for number, frame in enumerate(frames)]
        self.profiles = {path.name: self.profile(path) for path in self.paths}
        self.suite = to_suite("toy", learned_from(self.profiles, FALSE_ALARMS, 0), params.task)

    @property
    def recent(self) -> dict[str, Path]:
        return {path.name: path for path in self.paths[-3:]}

    def write(self, frame: pd.DataFrame, name: str = "new.parquet") -> Path:
        path = self.folder / name
        frame.to_parquet(path, index=False)
        return path

    def profile(self, path: Path) -> Profile:
        return profile(path, self.params.dataset, self.params.task, self.params.clean)

    def gate(self, frame: pd.DataFrame, *suites: dict[str, Any]) -> GateReport:
        path = self.write(frame)
        given = [self.suite, *suites]
        return gate_files([(path.name, path)], given, self.params.dataset, self.params.gate)

    def learned_findings(self, frame: pd.DataFrame, *suites: dict[str, Any]) -> list[Finding]:
        return list(self.gate(frame, *suites).failed)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return Past(tmp_path_factory.mktemp("past"), [month(number) for number in range(8)])


def month(seed: int, rows: int = 2000) -> pd.DataFrame:
    """Weather, a shop and its price; the target follows the first two, and rows differ but for chance."""
    rng = np.random.default_rng(seed)
    temp = rng.normal(15, 7, rows)
    shop = rng.choice(["Bern", "Graz", "Linz", "Wien"], rows, p=[0.4, 0.3, 0.2, 0.1])
    price = np.exp(rng.normal(3, 0.6, rows))
    score = 0.15 * (temp - 15) + (shop == "Graz") + rng.normal(0, 0.7, rows)
    return pd.DataFrame(
        {
            "id": rng.permutation(10**9)[:rows] if rows > 10**6 else rng.integers(0, 2**60, rows),
            "temp": temp,
            "felt": temp + rng.normal(0, 2, rows),
            "shop": shop,
            "price": price,
            "visits": rng.poisson(40, rows),
            "note": np.where(rng.random(rows) < 0.1, None, rng.choice(["a-1", "b-2", "c-3"], rows)),
            "y": (score > 0.5).astype(int),
        }
    )


def changed(name: str, change: Callable[[pd.Series], Any], seed: int = 99) -> pd.DataFrame:
    frame = month(seed)
    return frame.assign(**{name: change(frame[name])})


def shuffled(cells: pd.Series) -> np.ndarray:
    return np.random.default_rng(5).permutation(cells.to_numpy())


def some(share: float, rows: int) -> np.ndarray:
    return np.random.default_rng(6).random(rows) < share


FAULTS: Mapping[str, tuple[pd.DataFrame, str, Verdict]] = {
    "40 % empty": (changed("price", lambda s: s.mask(some(0.4, len(s)))), "'price'", Verdict.PROBATION),
    "all empty": (changed("price", lambda s: np.nan), "'price' must hold values", Verdict.BLOCK),
    "100 times": (changed("price", lambda s: 100 * s), "the unit of 'price'", Verdict.BLOCK),
    "pounds": (changed("price", lambda s: 2.2046 * s), "pounds instead of kilograms", Verdict.BLOCK),
    "Fahrenheit": (changed("temp", lambda s: 1.8 * s + 32), "Fahrenheit instead of Celsius", Verdict.BLOCK),
    "other sign": (changed("price", lambda s: -s), "the other sign", Verdict.BLOCK),
    "zeros": (changed("visits", lambda s: s.mask(some(0.3, len(s)), 0)), "'visits'", Verdict.PROBATION),
    "constant": (changed("temp", lambda s: 15.0), "'temp' must vary", Verdict.BLOCK),
    "shuffled": (changed("temp", shuffled), "with 'felt'", Verdict.PROBATION),
    "upper case": (changed("shop", lambda s: s.str.upper()), "'shop'", Verdict.PROBATION),
    "typos": (changed("shop", lambda s: s.mask(some(0.2, len(s)), "??")), "'shop'", Verdict.PROBATION),
    "labels flipped": (changed("y", lambda s: 1 - s), "the columns tell the target", Verdict.PROBATION),
    "labels shuffled": (changed("y", shuffled), "the columns tell the target", Verdict.PROBATION),
    "labels constant in a stretch": (
        changed("y", lambda s: s.mask(np.arange(len(s)) < 300, 1)), "stretch of rows", Verdict.PROBATION
    ),
    "few rows": (month(99, rows=90), "the number of rows", Verdict.PROBATION),
    "half the rows": (month(99, rows=1000), "the number of rows", Verdict.WARN),
    "no such column": (month(99).drop(columns="price"), "'price' must be there", Verdict.BLOCK),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_by_the_column_and_what_it_was_before(past: Past, fault: str) -> None:
    frame, words, verdict = FAULTS[fault]
    report = past.gate(frame)
    assert report.verdict is verdict, report.reasons
    assert any(words in reason for reason in report.reasons), report.reasons


@pytest.mark.parametrize("fault", ["labels flipped", "labels shuffled", "40 % empty", "typos"])
def test_of_labels_that_nothing_tells_a_second_partition_makes_no_news(past: Past, fault: str) -> None:
    frame, _, _ = FAULTS[fault]
    record: Record = {}
    for name in ("may", "june"):
        path = past.write(frame.head(1990 if name == "may" else 2000), f"{name}.parquet")
        digests = {**{each: entry.md5 for each, entry in record.items()}, path.name: name}
        report = gate_files([(path.name, path)], [past.suite], PARAMS.dataset, PARAMS.gate)
        _, changes = settle(report, record, digests, "2026-06-01T00:00:00+00:00")
        record = applied(record, changes)
    waiting = held(record, digests)
    assert {*waiting} == ({"may.parquet", "june.parquet"} if "labels" in fault else set())
    told = ["a second one like it does not release it" in each for each in how_to_release(report)]
    assert told == ["labels" in fault]
    assert for_a_person(report) == (("june.parquet",) if "labels" in fault else ())
    assert released_too(changes, ["june.parquet"]) == (() if "labels" in fault else ("may.parquet",))
    assert [each["entry"] for each in entries(record) if BY_PERSON in each.get("note", "")] == [*waiting]


def test_a_constant_target_is_told_once(past: Past) -> None:
    frame = month(99).assign(y=1)
    path = past.write(frame)
    arrived = sift(path.name, path, past.folder, [past.suite], PARAMS, without_history, past.recent)
    pushed = gate_version([(path.name, path)], [past.suite], PARAMS)
    for report in (arrived.report, pushed):
        [finding] = report.failed
        assert finding.expectation == "column 'y' must vary"
    alone = gate_version([(path.name, path)], [], PARAMS)
    assert [each.expectation for each in alone.failed] == ["the target should vary"]


def test_texts_are_judged_as_they_will_be_cleaned(past: Past) -> None:
    """Blanks behind and capitals are told, unless cleaning takes them away."""
    frame = month(99).assign(shop=lambda f: f["shop"].str.upper() + "  ")
    path = past.write(frame)
    clean = PARAMS.model_copy(update={"clean": CleanParams(trim=True, case="lower")})
    learned = Past(past.folder, [month(number) for number in range(8)], clean)
    for params, verdict, suite in (
        (PARAMS, Verdict.PROBATION, past.suite),
        (clean, Verdict.PASS, learned.suite),
    ):
        recent = past.recent
        report = sift(path.name, path, past.folder, [suite], params, without_history, recent).report
        assert report.verdict is verdict, report.reasons
        assert gate_version([(path.name, path)], [suite], params).verdict is verdict


def test_two_columns_swapped_are_both_named(past: Past) -> None:
    frame = month(99)
    reasons = past.gate(frame.assign(temp=frame["price"], price=frame["temp"])).reasons
    assert all(any(f"'{name}'" in reason for reason in reasons) for name in ("temp", "price"))


def test_most_of_a_file_twice_under_new_keys_blocks_and_half_of_it_is_suspicious(past: Past) -> None:
    frame = month(99)
    whole = pd.concat([frame, frame.assign(id=frame["id"] + 1)])
    report = past.gate(whole)
    assert report.verdict is Verdict.BLOCK
    repeated = "50% of 4,000 rows repeat the content of an earlier row, the key aside"
    assert any(repeated in reason for reason in report.reasons), report.reasons
    half = pd.concat([frame, frame.head(1000).assign(id=frame["id"].head(1000) + 1)])
    assert past.gate(half).verdict is Verdict.PROBATION


def test_an_earlier_partition_under_new_keys_blocks(past: Past) -> None:
    again = month(5)
    report = past.gate(again.assign(id=again["id"] + 1))
    assert any("of its different rows are in p05.parquet, too" in reason for reason in report.reasons), (
        report.reasons
    )
    assert report.verdict is Verdict.BLOCK


def test_a_fault_is_one_finding_however_many_figures_it_moves(past: Past) -> None:
    findings = past.learned_findings(changed("shop", lambda s: s.str.upper()))
    assert len(findings) == 1
    assert "also" in findings[0].observed


@pytest.mark.parametrize("rows", [1200, 2000, 3300])
def test_a_partition_like_the_past_passes_with_fewer_or_more_rows(past: Past, rows: int) -> None:
    assert past.gate(month(99, rows)).verdict is Verdict.PASS


FRAMES = data_frames(
    [
        column("number", elements=st.one_of(st.none(), st.floats(-1e300, 1e300)), dtype=object),
        column("whole", dtype=np.int64),
        column("code", elements=st.integers(0, 3), dtype=np.int64),
        column(
            "text", elements=st.one_of(st.none(), st.sampled_from(["a", "B", "ü 'x'", "9"])), dtype=object
        ),
        column("flag", dtype=bool),
        column("y", elements=st.one_of(st.none(), st.integers(0, 1)), dtype=object),
    ],
    index=range_indexes(min_size=1, max_size=60),
)


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.lists(FRAMES, min_size=1, max_size=4), st.sampled_from(["binary", "regression"]))
def test_a_suite_passes_each_partition_that_it_was_learned_from(
    frames: list[pd.DataFrame], task: str
) -> None:
    metric = {"binary": "roc_auc", "regression": "rmse"}[task]
    params = toy_params(dataset={"name": "toy", "target": "y"}, task=task, promotion={"metric": metric})
    with tempfile.TemporaryDirectory() as folder:
        typed = [
            frame.assign(number=frame["number"].astype(float), y=frame["y"].astype(float)) for frame in frames
        ]
        past = Past(Path(folder), typed, params)
        suite = to_suite("toy", from_suite(past.suite), params.task)  # through the document, and its rounding
        report = gate_files([(path.name, path) for path in past.paths], [suite], params.dataset, params.gate)
        found = [reason for reason in report.reasons if "expect_" not in reason]
        assert not found


def test_great_expectations_gives_the_learned_expectations_the_same_verdicts(past: Past) -> None:
    """With as many rows as usual: of fewer, only the gate knows that chance moves them farther."""
    plain = [{**each, "meta": {}} for each in past.suite["expectations"]]
    expectations = list(suite_of({"expectations": plain}).expectations)
    kinds = {each.expectation_type for each in expectations}
    assert len(kinds) == 4
    failing: set[str] = set()
    for frame in (
        month(98),
        changed("price", lambda s: 100 * s),
        changed("temp", lambda s: s + 40),
        changed("note", lambda s: s.mask(some(0.5, len(s)))),
        month(97).head(300),
    ):
        compared = expectations if len(frame) == 2000 else expectations[:1]  # the number of rows
        results = [bool(each["success"]) for each in validate(frame, compared, 1)]
        assert results == _usual(past, frame)[: len(compared)]
        failing |= {each.expectation_type for each, good in zip(compared, results, strict=True) if not good}
    assert failing == kinds


def _usual(past: Past, frame: pd.DataFrame) -> list[bool]:
    """For each learned expectation, whether the gate finds all its figures within the limits."""
    learned = from_suite(past.suite)
    measured = figures(past.profile(past.write(frame)), learned.reference)
    limits = iter(learned.limits)
    usual = []
    for expectation in past.suite["expectations"]:
        its = [next(limits) for _ in expectation["meta"][LEARNED]]
        usual.append(all(each.severity(measured[each.column, each.figure]) == "usual" for each in its))
    return usual


def test_the_rate_of_false_alarms_is_the_stated_one(tmp_path: Path) -> None:
    """Of 200 partitions, each after six like it: at most one in 20 warns, and one in 200 is suspicious."""
    past = Past(tmp_path, [month(0, 300)])
    made = [past.profile(past.write(month(seed, 300))) for seed in range(200)]
    severities: list[set[str]] = []
    for place, new in enumerate(made):
        history = {str(step): made[(place + 29 * step) % 200] for step in range(1, 7)}
        learned = learned_from(history, FALSE_ALARMS, 0)
        measured = figures(new, learned.reference)
        severities.append({each.severity(measured[each.column, each.figure]) for each in learned.limits})
    assert sum("suspicious" in each for each in severities) <= 4
    assert sum(each != {"usual"} for each in severities) <= 10 + 2 * np.sqrt(200 * 0.05 * 0.95)


def test_what_grows_every_month_does_not_warn_every_month(tmp_path: Path) -> None:
    def grown(number: int) -> pd.DataFrame:
        return month(number).assign(price=lambda frame: frame["price"] * 1.08**number)

    for number in range(6, 14, 3):
        past = Past(tmp_path, [grown(each) for each in range(number)])
        assert past.gate(grown(number)).verdict is Verdict.PASS, number


def test_half_a_file_is_suspicious_once_many_told_how_small_they_get(tmp_path: Path) -> None:
    def day(seed: int) -> pd.DataFrame:
        return month(
            seed, int((450 if seed % 7 > 4 else 300) * np.random.default_rng(seed).uniform(0.9, 1.1))
        )

    past = Past(tmp_path, [day(seed) for seed in range(24)])
    least = min(each.rows for each in past.profiles.values())
    [finding] = past.learned_findings(month(99, int(0.55 * least)))
    assert finding.severity == PROBATION
    assert f"the number of rows should be at least {0.6 * least:.4g}: {int(0.55 * least)};" in str(finding)
    assert past.gate(month(99, int(0.8 * least))).verdict is Verdict.PASS


def test_a_season_is_no_alarm_once_it_was_there(tmp_path: Path) -> None:
    def seasonal(number: int) -> pd.DataFrame:
        return month(number).assign(temp=lambda frame: frame["temp"] + 12 * np.sin(number * np.pi / 6))

    past = Past(tmp_path, [seasonal(each) for each in range(24)])
    suite = to_suite("toy", learned_from(past.profiles, FALSE_ALARMS, 12), "binary")
    path = past.write(seasonal(24))
    report = gate_files([(path.name, path)], [suite], PARAMS.dataset, PARAMS.gate)
    assert report.verdict is Verdict.PASS, report.reasons


def test_one_partition_teaches_wide_limits_and_says_so(tmp_path: Path) -> None:
    past = Past(tmp_path, [month(0)])
    assert past.gate(month(1)).verdict is Verdict.PASS
    [finding] = past.learned_findings(changed("visits", lambda s: s.mask(some(0.6, len(s)), 0)))
    assert "in 1 partition" in finding.observed


def test_limits_tighten_with_each_accepted_partition(tmp_path: Path) -> None:
    def width(count: int) -> float:
        limits = from_suite(Past(tmp_path, [month(number) for number in range(count)]).suite).limits
        [median] = [each for each in limits if (each.column, each.figure) == ("temp", "quantile 0.5")]
        return median.high - median.low

    assert width(1) > width(3) > width(12)


def test_a_persons_expectation_takes_the_place_of_the_learned_limit(past: Past) -> None:
    frame = changed("price", lambda s: s.mask(some(0.4, len(s))))
    own = {
        "name": "own",
        "expectations": [
            {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "price", "mostly": 0.5}}
        ],
    }
    assert past.gate(frame).verdict is Verdict.PROBATION
    assert past.gate(frame, own).verdict is Verdict.PASS


def test_an_accepted_fault_does_not_alarm_again(tmp_path: Path) -> None:
    odd = changed("visits", lambda s: s.mask(some(0.3, len(s)), 0))
    frames = [month(number) for number in range(8)]
    assert Past(tmp_path, frames).gate(odd).verdict is Verdict.PROBATION
    again = changed("visits", lambda s: s.mask(some(0.3, len(s)), 0), seed=100)
    assert Past(tmp_path, [*frames, odd]).gate(again).verdict is Verdict.PASS


def test_a_profile_is_the_same_from_its_document_and_again(past: Past) -> None:
    for path, known in zip(past.paths, past.profiles.values(), strict=True):
        assert Profile.from_json(known.to_json()).to_json() == known.to_json()
        assert past.profile(path) == known


# ---- the sensors


def sifted(past: Past, frame: pd.DataFrame) -> Sequence[Finding]:
    """With sensors, as an arrival is judged; the past's partitions were sensed, too."""
    profiles = {}
    for place, path in enumerate(past.paths):
        _, sample = profile_and_sample(path, PARAMS.dataset, "binary")
        readings = read_sensors(sample, past.paths[max(0, place - 3) : place], PARAMS.dataset, "binary")
        profiles[path.name] = replace(
            past.profiles[path.name], sensors=readings.values, telling=readings.telling
        )
    suite = to_suite("toy", learned_from(profiles, FALSE_ALARMS, 0), "binary")
    path = past.write(frame)
    report = sift(path.name, path, past.folder, [suite], PARAMS, without_history, past.recent).report
    return report.failed


def test_labels_shifted_by_a_row_are_told_by_a_model_of_the_recent_rows(past: Past) -> None:
    findings = sifted(past, changed("y", lambda s: np.roll(s, 1)))
    assert any(each.severity == PROBATION for each in findings)
    assert any(
        "the last partitions ranks the target" in str(each) or "tell the target" in str(each)
        for each in findings
    )


def test_a_change_that_no_column_shows_is_told_by_the_columns_that_tell(past: Past) -> None:
    """temp and felt go opposite ways; each by itself is as before, and so are their ranks with all others."""
    frame = month(99)
    reversed_ = frame["felt"].rank(method="first", ascending=False).astype(int) - 1
    frame["felt"] = np.sort(frame["felt"])[reversed_]
    assert any("'felt'" in str(each) or "felt" in each.observed for each in sifted(past, frame))


def test_a_column_that_went_elsewhere_is_no_fault_of_the_labels(past: Past) -> None:
    """A model of the recent rows then ranks by chance, and still the target goes with the column."""
    findings = sifted(past, changed("temp", lambda s: 10 * s + 300))
    assert any("recent model" in str(each) or "ranks the target" in str(each) for each in findings), findings
    assert not any(each.by_person for each in findings)
    flipped = sifted(past, changed("y", lambda s: 1 - s))
    assert any(each.by_person for each in flipped)


def test_nothing_is_told_of_a_partition_like_the_recent_ones(past: Past) -> None:
    assert not sifted(past, month(99))


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_labels_that_are_still_to_come_are_no_fault(past: Past, share: float) -> None:
    frame = changed("y", lambda s: s.mask(some(share, len(s))))
    assert past.gate(frame).verdict is Verdict.PASS


def test_a_content_is_the_same_in_whole_numbers_and_in_others(past: Past) -> None:
    """As a column of whole numbers that has empty cells in one file and none in another."""
    again = month(5).astype({"visits": "float64"})
    report = past.gate(again.assign(id=again["id"] + 1))
    assert any("p05.parquet" in reason for reason in report.reasons)


@pytest.mark.parametrize("name", ["file_row_number", "place", "h", "picked", "c0", "C0", "the \"x\" 'y'"])
def test_a_column_may_be_called_as_what_is_counted_is(tmp_path: Path, name: str) -> None:
    month(0).assign(**{name: 0.5}).to_parquet(tmp_path / "p.parquet", index=False)
    made, sample = profile_and_sample(tmp_path / "p.parquet", PARAMS.dataset, "binary")
    assert made.columns[name].commonest == "0.5"
    assert (sample[name] == 0.5).all()


def test_of_a_very_small_partition_only_the_number_of_rows_is_told(past: Past) -> None:
    findings = past.learned_findings(month(99).head(25))
    assert [each.figure for each in findings] == [("*", "rows")], findings


def test_of_many_new_values_the_commonest_are_named_and_the_others_counted(past: Past) -> None:
    towns = pd.Series(["Aarau", "Basel", "Chur", "Davos", "Egg"])
    frame = month(99)
    frame["shop"] = frame["shop"].mask(some(0.5, len(frame)), towns[np.arange(len(frame)) % 5].to_numpy())
    [finding] = [each for each in past.learned_findings(frame) if "; new: " in each.observed]
    assert re.search(r"; new: '\w+', '\w+', '\w+' and 2 more", finding.observed), finding.observed


def test_a_figure_of_the_column_itself_is_named_and_not_the_column(past: Past) -> None:
    """Nearly all rows are of one shop, and no shop tells the target any more."""
    measured = past.profile(past.write(month(99)))
    shop = measured.columns["shop"]
    flat = {name: (0.5, rows) for name, (_, rows) in shop.targets.items()}
    odd = replace(shop, categories={"Linz": 1.0}, targets=flat)
    changed = replace(measured, columns={**measured.columns, "shop": odd})
    [finding] = judge_profile("new", changed, month(99), from_suite(past.suite), [])
    assert finding.observed.endswith("; also unusual: target by this column"), finding.observed


def test_new_values_are_named_and_make_two_findings_differ(past: Past) -> None:
    one, other = (
        past.learned_findings(changed("shop", lambda s, value=value: s.mask(some(0.3, len(s)), value)))[0]
        for value in ("island", "#REF!")
    )
    assert "new: 'island'" in one.observed
    assert one.about != other.about
