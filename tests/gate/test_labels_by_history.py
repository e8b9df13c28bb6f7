"""Labels that nothing tells any more, where the target was never told well; and what was released with a
fault does not hide the next one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incumbent.gate import PROBATION, Verdict
from incumbent.gate.figures import DOMAIN, RECENT_MODEL, SLOPES, TABLE, Figure
from incumbent.gate.learned import judge_profile, learned_from
from incumbent.gate.limits import Limit, learn
from incumbent.gate.profile import Profile, profile
from incumbent.gate.sift import sift, without_history
from tests.building import changed
from tests.gate.test_learned import FALSE_ALARMS, PARAMS, Past, shuffled


def sales(seed: int) -> pd.DataFrame:
    """The days of a shop: 340 visits or so, and what they bought, which the columns tell a little."""
    rng = np.random.default_rng(3000 + seed)
    rows = int(340 * rng.uniform(0.8, 1.2))
    secs, pages, is_new = rng.exponential(180, rows), rng.poisson(5, rows) + 1, rng.random(rows) < 0.4
    score = -1.2 + 0.003 * secs + 0.15 * pages - 0.8 * is_new
    y = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(int)
    identifiers = rng.integers(0, 2**60, rows)
    return pd.DataFrame({"id": identifiers, "secs": secs, "pages": pages, "is_new": is_new, "y": y})


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return Past(tmp_path_factory.mktemp("sales"), [sales(number) for number in range(24)])


@pytest.mark.parametrize("seed", range(30, 36))
def test_shuffled_labels_are_suspicious_though_the_target_was_told_only_a_little(
    past: Past, seed: int
) -> None:
    frame = sales(seed)
    assert past.gate(frame).verdict is Verdict.PASS
    report = past.gate(frame.assign(y=shuffled(frame["y"])))
    assert report.verdict is Verdict.PROBATION
    [finding] = report.failed
    assert finding.figure == (TABLE, SLOPES)
    assert finding.by_person


def with_sensors(past: Past, sensors: dict[int, dict[str, float]]) -> dict[str, Profile]:
    """The past, where these partitions read so, and all others as usual."""
    rng = np.random.default_rng(1)
    history = {}
    for place, (name, each) in enumerate(past.profiles.items()):
        usual = {DOMAIN: rng.uniform(0.48, 0.57), RECENT_MODEL: rng.uniform(0.6, 0.72)}
        history[name] = replace(each, sensors=usual | sensors.get(place, {}))
    return history


def limits_after(past: Past, sensors: dict[int, dict[str, float]]) -> dict[str, Limit]:
    learned = learn(with_sensors(past, sensors), FALSE_ALARMS, 7)
    return {each.figure: each for each in learned if each.column == TABLE}


def severity(limit: Limit, value: float) -> str:
    return limit.severity(Figure("sensor", value, limit.error))


def test_released_faults_widen_no_limit_of_a_sensor(past: Past) -> None:
    before = limits_after(past, {})
    flipped = limits_after(past, {12: {RECENT_MODEL: 0.3}})[RECENT_MODEL]
    assert flipped.least == pytest.approx(before[RECENT_MODEL].least, abs=0.03)
    assert severity(flipped, 0.31) == "usual"  # the same again passes
    assert severity(flipped, 0.5) == "suspicious"
    faults = limits_after(past, {12: {DOMAIN: 0.9996}, 15: {DOMAIN: 0.999}})[DOMAIN]
    assert faults.greatest == pytest.approx(before[DOMAIN].greatest, abs=0.03)
    assert severity(faults, 0.999) == "suspicious"  # unlike the last ones in another way


def test_partitions_that_are_often_unlike_the_last_ones_are_usual(past: Past) -> None:
    """Such as each Saturday."""
    limit = limits_after(past, {place: {DOMAIN: 0.9} for place in range(5, 24, 7)})[DOMAIN]
    assert severity(limit, 0.9) == "usual"


def test_what_lies_within_wide_limits_is_told_as_no_better_than_by_chance(past: Past) -> None:
    history = with_sensors(past, {})
    learned = learned_from(history, FALSE_ALARMS, 7)
    new = replace(history["p05.parquet"], sensors={RECENT_MODEL: 0.5}, content=())
    [finding] = judge_profile("new.parquet", new, new.columns, learned, [])
    assert finding.severity == PROBATION
    assert "the wrong way round) should be clearly above 0.5: 0.5; it was 0.6" in str(finding)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(str.upper, id="all of them"),
        pytest.param(lambda label: "YES" if label == "yes" else label, id="one class"),
    ],
)
def test_of_labels_that_are_unknown_the_history_says_nothing(
    tmp_path: Path, change: Callable[[str], str]
) -> None:
    params = changed(PARAMS, dataset={"positive": "yes", "classes": ["no", "yes"]})
    frames = [named(sales(number)) for number in range(12)]
    past = Past(tmp_path, frames, params)
    path = past.write(named(sales(30)).assign(y=lambda frame: frame["y"].map(change)))
    recent = {name: past.folder / name for name in past.recent}
    report = sift(path.name, path, tmp_path / "made", [past.suite], params, without_history, recent).report
    assert report.verdict is Verdict.BLOCK
    assert [each.expectation for each in report.failed if each.severity != "warning"] == [
        "the labels in 'y' must be usable"
    ]
    assert not any("target" in each.expectation for each in report.failed), report.reasons


def named(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(y=np.where(frame["y"] == 1, "yes", "no"))


def test_figures_of_the_target_are_over_known_labels(tmp_path: Path) -> None:
    params = changed(PARAMS, dataset={"positive": "yes", "classes": ["no", "yes"]})
    labels = ["YES", "NO"] * 100 + ["yes", "no"] * 50
    frame = pd.DataFrame({"id": range(300), "x": np.arange(300.0), "y": labels})
    frame.to_parquet(tmp_path / "new.parquet", index=False)
    assert profile(tmp_path / "new.parquet", params.dataset, params.task).run == 1
