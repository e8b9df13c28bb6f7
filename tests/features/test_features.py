"""Columns made of others: right in training, the same in scoring, and blind to what they must not see."""

import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import TargetEncoder

from incumbent.challenger import Challenger, make_full, make_update, open_challenger
from incumbent.errors import BadData, BadParams
from incumbent.evaluation.drift import drift
from incumbent.evaluation.measure import measure
from incumbent.evaluation.plan import Full, choose
from incumbent.features.frames import Side, frames
from incumbent.features.learn_schema import learn_schema
from incumbent.features.rows import read_rows, sampled_rows, training_rows
from incumbent.features.schema import Schema
from incumbent.features.target_encoding import Means, part_of
from incumbent.learners import Batch
from incumbent.models.golden import GOLDEN, check_golden
from incumbent.models.model import Model
from incumbent.params import Params, own_code
from incumbent.search.tune import StudyResult
from incumbent.tables.partitions import Diff
from incumbent.tables.split import group_hashes
from incumbent.training.folds import folds
from incumbent.training.training_sets import encoded, make_folds
from tests.building import ROOT, changed, fewer_examples, parent, toy_params

STUDY = StudyResult({"num_leaves": 7, "min_child_samples": 10}, rounds=15, trials=())


def trips(size: int = 3000, seed: int = 0) -> pd.DataFrame:
    """Planes on days; `late` depends on the plane's delay before and on the place."""
    rng = np.random.default_rng(seed)
    times = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 40 * 24 * 60, size)), "min")
    place = rng.choice([f"p{n}" for n in range(30)], size)
    strange = pd.Series(place).str[1:].astype(int).to_numpy() % 3 == 0
    frame = pd.DataFrame(
        {
            "at": times,
            "day": times.strftime("%Y-%m-%d"),
            "plane": rng.choice(list("abcdefgh"), size),
            "place": place,
            "miles": rng.integers(50, 900, size).astype(float),
            "minutes": rng.integers(0, 300, size).astype(float),
            "code": [f"c{n}" for n in rng.integers(0, size // 2, size)],
        }
    )
    return frame.assign(y=(rng.random(size) < 0.15 + 0.5 * strange).astype(int))


def params(features: dict[str, Any], **sections: Any) -> Params:
    return toy_params(
        **{
            "dataset": {"name": "toy", "target": "y", "positive": 1, "time": "at", "drop": ["day", "code"]},
            "split": {"by": ["day"]},
            "learner": {"rounds": 15},
            "search": {"trials": 1, "folds": 3},
            "features": features,
            **sections,
        }
    )


EVERYTHING = {
    "dates": {"at": ["hour", "weekday"]},
    "ratios": {"pace": ["miles", "minutes"]},
    "frequency": ["plane", "code"],
    "target": ["place", "code"],
    "lags": {"columns": ["minutes", "place"], "by": ["plane", "day"]},
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    folder = tmp_path_factory.mktemp("trips")
    for number in (0, 1):
        trips(seed=number).to_parquet(folder / f"{number}.parquet", index=False)
    return sorted(folder.iterdir())


def made(paths: Sequence[Path], chosen: Params, folder: Path) -> tuple[Challenger, Model]:
    folder.mkdir()
    challenger = make_full(paths, chosen, STUDY, folder)
    return challenger, open_challenger(challenger, chosen, folder, folder.name)


def learn(frame: pd.DataFrame, features: dict[str, Any], **sections: Any) -> Schema:
    chosen = params(features, **sections)
    return learn_schema([frame], chosen.dataset, chosen.task, chosen.clean, chosen.features)


def test_parts_of_times_ratios_and_shares() -> None:
    frame = pd.DataFrame(
        {
            "at": pd.to_datetime(["2026-11-26 01:04", "2026-11-29 23:00", None]),
            "a": [6.0, 1.0, np.nan],
            "b": [3.0, 0.0, 1.0],
            "word": ["x", "x", None],
            "y": [0, 1, 0],
        }
    )
    schema = learn(
        frame,
        {
            "dates": {"at": ["hour", "weekday", "month"]},
            "ratios": {"a_per_b": ["a", "b"]},
            "frequency": ["word"],
        },
        dataset={"name": "toy", "target": "y", "positive": 1, "time": "at"},
    )
    names = [feature.name for feature in schema.features]
    assert names == ["a", "a_per_b", "at_hour", "at_month", "at_weekday", "b", "word", "word_frequency"]
    encoded = pd.DataFrame(schema.encode(frame), columns=names)
    nan = np.nan
    for name, expected in {
        "at_hour": [1, 23, nan],
        "at_month": [11, 11, nan],
        "at_weekday": [3, 6, nan],
        "a_per_b": [2, nan, nan],
        "word_frequency": [2 / 3, 2 / 3, nan],
    }.items():
        np.testing.assert_allclose(encoded[name], expected, rtol=1e-6)
    later = frame.assign(word=["new", "x", "x"])
    assert schema.encode(later)[:, 7] == pytest.approx([0, 2 / 3, 2 / 3])
    assert schema.inputs == ["a", "at", "b", "word"]


def test_a_filled_cell_has_the_share_of_its_value() -> None:
    frame = trips(100).assign(plane=["x"] * 50 + ["y"] * 30 + [None] * 20)
    schema = learn(frame, {"frequency": ["plane"]}, clean={"missing": {"plane": "x"}})
    place = [feature.name for feature in schema.features].index("plane_frequency")
    assert schema.encode(frame)[[0, 60, 90], place] == pytest.approx([0.7, 0.3, 0.7])


@fewer_examples
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(0, 2)), min_size=1, max_size=30),
    st.randoms(),
)
def test_a_lag_is_the_value_of_the_entitys_row_before(cells: list[tuple[int, int, int]], random: Any) -> None:
    frame = pd.DataFrame(cells, columns=["plane", "minute", "day"]).drop_duplicates(
        ["plane", "minute", "day"]
    )
    frame["at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(frame["minute"], "min")
    frame["value"] = np.arange(len(frame), dtype=float)
    frame["y"] = np.arange(len(frame)) % 2
    order = list(range(len(frame)))
    random.shuffle(order)
    frame = frame.iloc[order].reset_index(drop=True)
    schema = learn(frame, {"lags": {"columns": ["value"], "by": ["plane", "day"]}})
    place = [feature.name for feature in schema.features].index("value_previous")
    found = schema.encode(frame)[:, place]
    for row, seen in zip(frame.itertuples(), found, strict=True):
        before = frame[(frame["plane"] == row.plane) & (frame["day"] == row.day) & (frame["at"] < row.at)]
        expected = before.sort_values("at")["value"].iloc[-1] if len(before) else np.nan
        np.testing.assert_equal(seen, np.float32(expected))


def test_a_lag_of_held_out_days_is_the_same_alone_and_in_the_whole_file(paths: Sequence[Path]) -> None:
    chosen = params(EVERYTHING)
    schema, _ = training_rows(paths, chosen)
    held, _ = next(frames(paths[:1], chosen, Side.HOLDOUT))
    whole = pd.read_parquet(paths[0])
    alone = schema.encode(held)
    together = schema.encode(whole)[held.index]
    assert 0 < len(held) < len(whole)
    np.testing.assert_array_equal(alone, together)


def test_a_side_without_rows_has_all_columns(paths: Sequence[Path], project: Path) -> None:
    schema, _ = training_rows(paths, params({**EVERYTHING, "function": "own_features:build"}))
    nothing = pd.read_parquet(paths[0]).head(0)
    assert schema.encode(nothing).shape == (0, len(schema.features))


# Target encoding


def test_means_are_scikit_learns_and_never_a_rows_own_part() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 20, 800).astype(np.float32)
    codes[::50] = np.nan
    y, group = rng.integers(0, 2, 800).astype(np.int8), rng.random(800)
    for smoothing in (None, 0.0, 5.0):
        means = Means(tuple(f"c{n:02d}" for n in range(20))).learned(codes, y, group, smoothing)
        smooth = "auto" if smoothing is None else smoothing
        theirs = TargetEncoder(target_type="binary", smooth=smooth).fit(codes[:, None], y)
        np.testing.assert_allclose(means.encode_new(codes), theirs.transform(codes[:, None])[:, 0])
        part = part_of(group)
        for each in range(5):
            inside = part == each
            theirs.fit(codes[~inside, None], y[~inside])
            expected = theirs.transform(codes[inside, None])[:, 0]
            np.testing.assert_allclose(means.encode_learned(codes, group)[inside], expected)
        assert means.encode_new(np.array([-1.0]))[0] == pytest.approx(y.mean())
    assert Means.from_json(json.loads(json.dumps(means.to_json()))) == means


@fewer_examples
@given(st.integers(0, 10**6), st.integers(0, 79))
def test_a_rows_own_label_does_not_change_its_mean(seed: int, row: int) -> None:
    rng = np.random.default_rng(seed)
    codes, y, group = rng.integers(0, 5, 80).astype(float), rng.integers(0, 2, 80), rng.random(80)
    other = y.copy()
    other[row] = 1 - y[row]
    words = tuple("abcde")
    seen = [
        Means(words).learned(codes, each, group, None).encode_learned(codes, group)[row]
        for each in (y, other)
    ]
    assert seen[0] == seen[1]


def test_nothing_of_a_folds_held_out_rows_reaches_what_it_fits_on(paths: Sequence[Path]) -> None:
    chosen = params(EVERYTHING, imbalance={"method": "over"})
    schema, rows = training_rows(paths, chosen)
    [split, *_] = folds(rows, chosen.search, chosen.seed)

    class Recording:
        def bin(self, X: np.ndarray, y: np.ndarray) -> Batch:
            return Batch(X, y)

    learner: Any = Recording()
    lied = rows.y.copy()
    lied[split[1]] = 1 - lied[split[1]]
    seen = []
    for y in (rows.y, lied):
        told = type(rows)(rows.X, y, rows.group)
        [found] = make_folds(told, [split], learner, schema, chosen, None)
        lot = found.training
        seen.append((lot.binned.X, lot.binned.y[lot.rows], lot.weights, found.source[found.at]))
    for first, second in zip(*seen, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_code_without_meaning_stays_without_meaning(paths: Sequence[Path], tmp_path: Path) -> None:
    """Two rows a code on average: encoded by all rows, its mean would tell each row its own label."""
    only = {"features": {"target": ["code"], "smoothing": 0.0}}
    tree = params({}, dataset={"drop": ["day", "code", "place", "plane", "miles", "minutes"]})
    chosen = changed(tree, **only)
    schema, rows = training_rows(paths, chosen)
    naive, honest = (encoded(rows, schema, learned=learned).X[:, 0] for learned in (False, True))
    assert roc_auc_score(rows.y, naive) > 0.75
    assert roc_auc_score(rows.y, honest) == pytest.approx(0.5, abs=0.05)
    challenger, model = made(paths, chosen, tmp_path / "v1")
    assert challenger.cv is not None
    assert challenger.cv.mean == pytest.approx(0.5, abs=0.06)
    strangers = trips(seed=7)
    assert roc_auc_score(strangers["y"], model.predict(strangers)) == pytest.approx(0.5, abs=0.06)


def test_a_row_of_the_sample_is_encoded_as_when_it_was_trained_on(
    paths: Sequence[Path], tmp_path: Path
) -> None:
    chosen = params(EVERYTHING)
    made(paths, chosen, tmp_path / "v1")
    schema, rows = training_rows(paths, chosen)
    trained = {row.tobytes() for row in encoded(rows, schema, learned=True).X}
    kept = sampled_rows(pd.read_parquet(tmp_path / "v1" / "replay.parquet"), schema, chosen)
    replayed = encoded(kept, schema, learned=True).X
    assert len(replayed) > 1000
    assert all(row.tobytes() in trained for row in replayed)


def test_many_classes_have_a_mean_each(tmp_path: Path) -> None:
    frame = trips()
    frame["y"] = np.select([frame["y"] == 1, frame["minutes"] > 150], ["late", "slow"], "fine")
    frame.to_parquet(tmp_path / "t.parquet", index=False)
    chosen = params({"target": ["place"]}, task="multiclass", promotion={"metric": "log_loss"})
    challenger, model = made([tmp_path / "t.parquet"], chosen, tmp_path / "v1")
    names = [feature.name for feature in challenger.schema.features][-3:]
    assert names == ["place_target_fine", "place_target_late", "place_target_slow"]
    encoded = model.schema.encode(frame)[:, -3:]
    assert encoded.sum(axis=1) == pytest.approx(1, abs=0.05)


# All the way


@pytest.mark.parametrize("method", [None, "smote"])
def test_a_model_with_features_goes_all_the_way(
    paths: Sequence[Path], method: str | None, tmp_path: Path
) -> None:
    never_empty = {name: EVERYTHING[name] for name in ("dates", "frequency", "target")}
    features = never_empty if method == "smote" else EVERYTHING
    chosen = params(features, imbalance={"method": method, "calibrate": "sigmoid"})
    first, model = made(paths[:1], chosen, tmp_path / "v1")
    again, _ = made(paths[:1], chosen, tmp_path / "again")
    for name in first.files:
        assert (tmp_path / "v1" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert first == again
    assert first.onnx.reason is None
    assert Schema.from_json(json.loads(json.dumps(first.schema.to_json()))) == first.schema
    check_golden(model, pd.read_parquet(tmp_path / "v1" / GOLDEN))
    strangers = trips(seed=8)
    assert roc_auc_score(strangers["y"], model.predict(strangers)) > 0.65
    (tmp_path / "v2").mkdir()
    second = make_update(parent(first, chosen, tmp_path / "v1"), paths[1:], chosen, tmp_path / "v2")
    updated = open_challenger(second, chosen, tmp_path / "v2", "v2")
    assert second.schema == first.schema
    assert roc_auc_score(strangers["y"], updated.predict(strangers)) > 0.65
    kept = pd.read_parquet(tmp_path / "v1" / "replay.parquet")
    moved = drift(model.schema, kept, [pd.read_parquet(paths[1])], first.importances)
    assert moved is not None
    assert {shift.column for shift in moved.features} == set(first.importances)
    assert max(shift.psi for shift in moved.features if "code" not in shift.column) < 0.2


def test_the_holdout_changes_no_feature_of_a_training_row(paths: Sequence[Path], tmp_path: Path) -> None:
    chosen = params(EVERYTHING)
    frame = pd.read_parquet(paths[0])
    held = group_hashes(frame, chosen.split.by) < chosen.split.holdout
    lied = frame.assign(
        y=frame["y"] ^ held, minutes=frame["minutes"].mask(held, 9e5), code=frame["code"].mask(held, "c1")
    )
    lied.to_parquet(tmp_path / "lied.parquet", index=False)
    first, second = (training_rows([path], chosen) for path in (paths[0], tmp_path / "lied.parquet"))
    assert first[0] == second[0]
    np.testing.assert_array_equal(first[1].X, second[1].X)


@pytest.mark.parametrize(
    ("features", "sections", "told"),
    [
        ({"target": ["y"]}, {}, "scoring does not know it"),
        ({"lags": {"columns": ["miles"], "by": ["plane"]}}, {}, "must name all columns of split.by"),
        ({"lags": {"columns": ["miles"], "by": ["plane"]}}, {"split": {"by": []}}, "split.by"),
        ({"lags": {"columns": ["miles"], "by": ["day"]}}, {"dataset": {"time": None}}, "needs dataset.time"),
    ],
)
def test_features_that_would_leak_are_refused(
    features: dict[str, Any], sections: dict[str, Any], told: str
) -> None:
    base = params({})
    with pytest.raises(ValidationError, match=told):
        changed(base, features=features, **sections)


@pytest.mark.parametrize(
    ("features", "told"),
    [
        ({"frequency": ["nowhere"]}, r"names \['nowhere'\]"),
        ({"dates": {"miles": ["hour"]}}, "'miles' needs times"),
        ({"ratios": {"odd": ["place", "miles"]}}, "'place' needs numbers"),
        ({"ratios": {"miles": ["minutes", "miles"]}}, r"makes \['miles'\], and there are columns"),
    ],
)
def test_features_that_the_data_does_not_have_are_refused(features: dict[str, Any], told: str) -> None:
    with pytest.raises(BadData, match=told):
        learn(trips(100), features)


# The project's own function

PACE = """
import pandas as pd

def build(frame):
    assert "y" not in frame
    pace = frame["miles"] / (1 + frame["minutes"])
    return pd.DataFrame({"own_pace": pace, "own_kind": frame["place"].str[-1]}, index=frame.index)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "own_features.py").write_text(PACE)
    own_code.look_in(tmp_path)
    yield tmp_path
    sys.modules.pop("own_features", None)


def rewrite(project: Path, text: str) -> None:
    (project / "own_features.py").write_text(text)
    sys.modules.pop("own_features", None)
    importlib.invalidate_caches()


def test_the_projects_function_makes_the_same_columns_in_training_and_scoring(
    project: Path, paths: Sequence[Path]
) -> None:
    chosen = params({"function": "own_features:build"})
    challenger, model = made(paths[:1], chosen, project / "v1")
    known = {feature.name: feature.categories for feature in challenger.schema.features}
    assert known["own_pace"] is None
    assert known["own_kind"] == tuple("0123456789")
    frame = trips(seed=5)
    pace = [*known].index("own_pace")
    assert model.schema.encode(frame)[:, pace] == pytest.approx(frame["miles"] / (1 + frame["minutes"]))
    golden = pd.read_parquet(project / "v1" / GOLDEN)
    rewrite(project, "no Python at all")
    check_golden(model, golden)  # opened elsewhere, a version needs no code of the project
    rewrite(project, PACE + "\n# changed\n")
    with pytest.raises(BadData, match="its module changed; put a new function into a new module"):
        model.predict(frame)
    known = {
        "params": chosen.model_dump(mode="json"), "metrics": {"holdout": None}, "updates": 0, "rows_known": 9
    }  # fmt: skip
    kept = pd.read_parquet(project / "v1" / "replay.parquet")
    seen = measure(model, known, kept, paths[1:], Diff(added=(paths[1].name,)), chosen)
    plan = choose(seen.rules, chosen.retrain)
    assert isinstance(plan, Full)
    assert "its module changed" in plan.because[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def build(frame):\n    return frame[['nothing']]\n", "failed: KeyError.*it was given the columns"),
        ("def build(frame):\n    return frame[['miles']].head(3)\n", "the rows that it was given"),
        ("def build(frame):\n    return 3\n", "must return a DataFrame"),
        (
            "def build(frame):\n    return frame[['miles']].rank().rename(columns={'miles': 'rank'})\n",
            "gives a row other values when the frame has other rows",
        ),
        ("def build(frame):\n    return frame[['miles']]\n", r"makes \['miles'\]"),
    ],
)
def test_a_function_that_does_not_keep_to_the_rules_is_refused(
    project: Path, paths: Sequence[Path], text: str, told: str
) -> None:
    rewrite(project, text)
    with pytest.raises(BadData, match=told):
        training_rows(paths[:1], params({"function": "own_features:build"}))


def test_a_function_that_is_not_there_is_refused(project: Path, paths: Sequence[Path]) -> None:
    for path in ("own_features:other", "nowhere:build"):
        with pytest.raises(BadParams, match="can't be imported from the project's folder"):
            read_rows(paths, *_schema_and_params(paths, path), Side.TRAINING)


def _schema_and_params(paths: Sequence[Path], function: str) -> tuple[Schema, Params]:
    chosen = params({"function": function})
    return training_rows(paths, chosen)[0], chosen
