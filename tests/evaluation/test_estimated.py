"""The metric before labels come: how often its interval holds what labels show, and what it can't see."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax

from incumbent.challenger import make_full, make_update
from incumbent.compare import Interval, score
from incumbent.errors import BadData
from incumbent.evaluation.feedback import Health, examine, to_log
from incumbent.evaluation.simulated_labels import Unlabelled, estimate_unlabelled
from incumbent.models.model import Model, open_model
from incumbent.models.reference import ERRORS, FILE, MOST, Reference
from incumbent.params import Params, PromotionParams
from incumbent.search.tune import StudyResult
from tests.building import parent, toy_params

Rows = tuple[np.ndarray, np.ndarray]
REPETITIONS = 20


def binary(rng: np.random.Generator, rows: int, shift: float = 0.0) -> Rows:
    """Labels, and the probabilities that they were drawn from."""
    scores = expit(rng.normal(shift, 1.2, rows) - 0.5)
    return (rng.random(rows) < scores).astype(float), scores


def of_three_classes(rng: np.random.Generator, rows: int, shift: float = 0.0) -> Rows:
    scores = softmax(rng.normal(size=(rows, 3)) * (1.5 + shift), axis=1)
    return (rng.random((rows, 1)) > scores.cumsum(axis=1)).sum(axis=1).astype(float), scores


def reference(y: np.ndarray, scores: np.ndarray, group: np.ndarray | None = None) -> Reference:
    return Reference(y, scores.astype(np.float32), np.arange(float(len(y))) if group is None else group)


def alone(scores: np.ndarray) -> Unlabelled:
    return Unlabelled(scores, np.arange(float(len(scores))))


def estimated(rows: Unlabelled, known: Reference, metric: str = "roc_auc") -> Interval:
    return estimate_unlabelled(rows, known, None, PromotionParams(metric=metric, resamples=100), seed=0)


def holds(interval: Interval, y: np.ndarray, scores: np.ndarray, metric: str) -> bool:
    return interval.low <= score(y, scores, PromotionParams(metric=metric)) <= interval.high


@pytest.mark.parametrize(
    ("draw", "metric"),
    [
        (binary, "roc_auc"),
        (binary, "log_loss"),
        (binary, "f1"),
        (of_three_classes, "log_loss"),
    ],
)
def test_the_interval_holds_what_labels_show_as_often_as_it_says(
    draw: Callable[..., Rows], metric: str
) -> None:
    """Of rows that differ from those of the reference, with calibrated probabilities."""
    rng, held = np.random.default_rng(1), 0
    for _ in range(REPETITIONS):
        known, (y, scores) = reference(*draw(rng, 1000)), draw(rng, 400, 0.3)
        held += holds(estimated(alone(scores), known, metric), y, scores, metric)
    assert held / REPETITIONS >= 0.85


def test_rows_of_a_day_err_together_and_the_interval_knows() -> None:
    """Without the days it would be far too narrow."""

    def days(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        day = np.repeat(np.arange(count), 50)
        odds = rng.normal(1.5, 0.5, len(day))
        y = rng.random(len(day)) < expit(odds + rng.normal(size=count)[day])
        return y.astype(float), expit(odds), day.astype(float)

    rng, held, held_without = np.random.default_rng(2), 0, 0
    for _ in range(REPETITIONS):
        (y, scores, day), (known_y, known_scores, known_day) = days(10), days(40)
        by_day = estimated(Unlabelled(scores, day), reference(known_y, known_scores, known_day), "accuracy")
        by_row = estimated(alone(scores), reference(known_y, known_scores), "accuracy")
        held += holds(by_day, y, scores, "accuracy")
        held_without += holds(by_row, y, scores, "accuracy")
    assert held / REPETITIONS >= 0.85 > 0.7 > held_without / REPETITIONS


def test_an_estimate_follows_other_rows_and_is_the_same_each_time() -> None:
    rng = np.random.default_rng(3)
    known, (y, scores) = reference(*binary(rng, 4000)), binary(rng, 2000)
    hard = np.abs(scores - 0.5) < 0.2
    before = estimated(alone(scores), known)
    after = estimated(alone(scores[hard]), known)
    assert after.high < before.low
    assert holds(after, y[hard], scores[hard], "roc_auc")
    assert after == estimated(alone(scores[hard]), known)


def test_an_estimate_is_blind_to_a_change_of_what_follows_from_the_rows() -> None:
    rng = np.random.default_rng(4)
    known, (y, scores) = reference(*binary(rng, 2000)), binary(rng, 1000)
    interval = estimated(alone(scores), known)
    assert holds(interval, y, scores, "roc_auc")
    assert interval.low > 0.7 > score(1 - y, scores, PromotionParams())


def test_scores_that_were_never_calibrated_are() -> None:
    rng = np.random.default_rng(5)
    (known_y, known), (y, scores) = binary(rng, 4000), binary(rng, 2000)
    squeezed = estimated(alone(scores**4), reference(known_y, known**4), "brier")
    assert holds(squeezed, y, scores**4, "brier")


def test_a_constant_score_tells_nothing_of_the_order() -> None:
    y, scores = binary(np.random.default_rng(6), 1000)
    constant = estimated(alone(np.full(500, 0.3)), reference(y, np.full_like(scores, 0.3)))
    assert (constant.low, constant.value, constant.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [([0.0] * 400, "one class only"), ([0.0] * 399 + [1.0], "hardly a row of a class is expected")],
)
def test_a_reference_without_events_tells_no_metric(labels: list[float], reason: str) -> None:
    scores = np.random.default_rng(7).random(400)
    with pytest.raises(BadData, match=reason):
        estimated(alone(scores), reference(np.array(labels), scores))


STUDY = StudyResult({"num_leaves": 7, "learning_rate": 0.1}, 40, ())


@dataclass(frozen=True)
class Version:
    """A model of a small table with its folder; `table` makes rows, of other features by its `shift`."""

    model: Model
    folder: Path
    params: Params
    table: Callable[..., pd.DataFrame]

    def log(self, frame: pd.DataFrame) -> pd.DataFrame:
        return to_log(self.model.score(frame), frame, self.params, self.model.expected_error(frame))

    def examine(self, logged: pd.DataFrame, labels: list[pd.DataFrame], *, old: bool = False) -> Health:
        known = None if old else Reference.load(self.folder / FILE)
        assert old or known is not None
        promised = {"value": 0.0, "low": 0.0, "high": 0.0}
        if known is not None:
            value = score(known.y, known.predictions, self.params.promotion)
            promised = {"value": value, "low": value - 0.01, "high": value + 0.01}
        metrics = {"metric": self.params.promotion.metric, "holdout": promised}
        return examine(self.model, logged, labels, metrics, self.params, 0.95, known)


def events(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 2)) * (1 - shift)
    y = rng.random(rows) < expit(2 * x[:, 0] + x[:, 1])
    k = np.arange(rows) + 10**6 * seed
    return pd.DataFrame({"k": k, "a": x[:, 0], "b": x[:, 1], "y": y.astype(int)})


def of_kinds(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    frame = events(rows, seed, shift)
    third = np.random.default_rng(seed + 1).random(rows) < expit(-frame["b"] * 2)
    return frame.assign(y=frame["y"].map({0: "böse", 1: "gut"}).mask(third, "egal"))


def amounts(rows: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    """The greater b, the greater the noise."""
    frame, rng = events(rows, seed), np.random.default_rng(seed + 1)
    b = frame["b"] + shift
    return frame.assign(b=b, y=3 * frame["a"] + np.exp(0.7 * b) * rng.normal(size=rows))


def trained(folder: Path, table: Callable[..., pd.DataFrame], metric: str, **sections: object) -> Version:
    dataset = {"key": ["k"], "drop": ["k"]}
    params = toy_params(dataset=dataset, split={"holdout": 0.0}, promotion={"metric": metric}, **sections)
    table(3000, 21).to_parquet(folder / "a.parquet", index=False)
    made = make_full([folder / "a.parquet"], params, STUDY, folder)
    manifest = {
        "version": "v1",
        "learner": "lightgbm",
        "schema": made.lineage.document,
        "files": {name: {} for name in made.files},
    }
    return Version(open_model(folder, manifest), folder, params, table)


@pytest.fixture(
    scope="module",
    params=[
        (events, "roc_auc", {}),
        (of_kinds, "log_loss", {"task": "multiclass"}),
        (amounts, "rmse", {"task": "regression"}),
    ],
    ids=["binary", "multiclass", "regression"],
)
def version(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Version:
    table, metric, sections = request.param
    return trained(tmp_path_factory.mktemp("v1"), table, metric, **sections)


def test_harder_rows_are_estimated_to_be_worse_before_a_label_came(version: Version) -> None:
    alike, hard = version.table(2000, 6), version.table(2000, 7, 0.5)
    for frame, worse in ((alike, False), (hard, True)):
        health = version.examine(version.log(frame), [])
        assert (health.labelled, health.live, health.decayed) == (0, None, False)
        estimated = health.estimated
        assert estimated is not None
        assert (estimated.rows, estimated.worse) == (2000, worse)
        real = score(
            version.model.schema.labels(frame), version.model.predict(frame), version.params.promotion
        )
        assert estimated.low < real < estimated.high
        interval, verdict = r"[\d.]+ \[[\d.]+, [\d.]+\]", " to be worse than promised" * worse
        assert re.fullmatch(
            rf"v1 is estimated{verdict}: {estimated.metric} {interval} on 2,000 predictions that have no "
            rf"label yet, promised {interval}; blind to a change of how the target follows from the columns",
            health.estimate_reason,
        )


def test_only_predictions_without_a_label_are_estimated(version: Version) -> None:
    frame = version.table(1000, 7)
    logged = version.log(frame)
    health = version.examine(logged, [frame[["k", "y"]].head(600)])
    assert (health.labelled, health.logged) == (600, 1000)
    assert health.live is not None
    assert health.estimated is not None
    assert health.estimated.rows == 400
    assert health.estimated == version.examine(logged.tail(400), []).estimated
    labelled = version.examine(logged, [frame[["k", "y"]]])
    assert labelled.estimated is None
    assert "0 predictions without a label are fewer than monitor.min_rows = 200" in labelled.estimate_reason


def test_a_version_of_an_earlier_release_says_why_it_has_no_estimate(version: Version) -> None:
    health = version.examine(version.log(version.table(500, 8)), [], old=True)
    assert health.estimated is None
    assert "v1 keeps no reference rows" in health.estimate_reason
    assert "later trainings keep some" in health.estimate_reason


def test_an_empty_log_has_no_estimate(version: Version) -> None:
    health = version.examine(pd.DataFrame(columns=["k", "score", "group"]), [])
    assert health.estimated is None
    assert "0 predictions without a label" in health.estimate_reason


def test_numbers_that_were_logged_by_an_earlier_release_are_not_estimated(tmp_path: Path) -> None:
    version = trained(tmp_path, amounts, "mae", task="regression")
    old, new = (version.log(amounts(300, seed)) for seed in (1, 2))
    both = pd.concat([old.drop(columns="expected_error"), new], ignore_index=True)
    estimated = version.examine(both, []).estimated
    assert estimated is not None
    assert estimated.rows == 300
    assert version.examine(old.drop(columns="expected_error"), []).estimated is None


@pytest.mark.parametrize(
    "version", [(events, "roc_auc", {}), (amounts, "r2", {"task": "regression"})], indirect=True
)
def test_an_update_keeps_reference_rows_of_its_own_after_those_of_its_parent(
    version: Version, tmp_path: Path
) -> None:
    version.table(500, 9).to_parquet(tmp_path / "b.parquet", index=False)
    made = make_full([version.folder / "a.parquet"], version.params, STUDY, version.folder)
    before = Reference.load(version.folder / FILE)
    updated = make_update(
        parent(made, version.params, version.folder), [tmp_path / "b.parquet"], version.params, tmp_path
    )
    after = Reference.load(tmp_path / FILE)
    assert before is not None
    assert after is not None
    assert len(after.y) == len(before.y) + 500
    np.testing.assert_array_equal(after.y[:3000], before.y)
    assert sorted(after.y[3000:]) == sorted(version.table(500, 9)["y"])
    assert (ERRORS in updated.files) == (version.params.task == "regression")
    if ERRORS in updated.files:
        assert (tmp_path / ERRORS).read_bytes() == (version.folder / ERRORS).read_bytes()


@pytest.mark.parametrize(
    "version", [(events, "roc_auc", {}), (amounts, "rmse", {"task": "regression"})], indirect=True
)
def test_an_update_of_a_version_of_an_earlier_release_keeps_its_own_rows(
    version: Version, tmp_path: Path
) -> None:
    version.table(500, 10).to_parquet(tmp_path / "b.parquet", index=False)
    made = make_full([version.folder / "a.parquet"], version.params, STUDY, version.folder)
    old = shutil.copytree(version.folder, tmp_path / "old", ignore=lambda *_: [FILE, ERRORS])
    make_update(parent(made, version.params, old), [tmp_path / "b.parquet"], version.params, tmp_path)
    kept = Reference.load(tmp_path / FILE)
    assert kept is not None
    assert len(kept.y) == 500
    assert (kept.expected_error is not None) == (version.params.task == "regression")


def test_a_version_keeps_the_latest_rows_and_not_too_many(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    earlier, new = (reference(*binary(rng, rows)) for rows in (MOST, 500))
    kept = new.after(earlier)
    assert len(kept.y) == MOST
    np.testing.assert_array_equal(kept.y[-500:], new.y)
    kept.save(tmp_path / FILE)
    again = Reference.load(tmp_path / FILE)
    assert again is not None
    np.testing.assert_array_equal(again.predictions, kept.predictions)
    assert Reference.load(tmp_path / "none.parquet") is None
