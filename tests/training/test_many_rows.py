"""More rows than search.rows: a sample chooses, all rows are trained on, and rows left out estimate."""

import os
import re
import resource
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from incumbent.challenger import OUT_OF_SAMPLE, Challenger, make_full, make_update, open_challenger, search
from incumbent.errors import BadData, BadParams
from incumbent.errors.machine import explain
from incumbent.features.out_of_sample import OutOfSample
from incumbent.params import Params
from incumbent.search.tune import StudyResult
from incumbent.search.window import EVERYTHING, Window, choose_window
from incumbent.tables.split import group_hashes
from incumbent.training.cross_validation import CrossValidation
from tests.building import changed, parent, toy_params

ROWS, PARTS = 2_000, 4
OPTIONS = {"learning_rate": 0.2, "num_leaves": 7, "min_child_samples": 20}


def table(part: int, rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(part)
    x, kind = rng.normal(size=(rows, 2)), rng.choice(["ä", "b", "c"], rows)
    frame = pd.DataFrame({"x": x[:, 0], "z": x[:, 1], "kind": kind, "day": part * 100 + np.arange(rows) % 50})
    return frame.assign(y=(x[:, 0] + (kind == "ä") + rng.normal(size=rows) > 1).astype(int))


def write(folder: Path, parts: Sequence[pd.DataFrame]) -> list[Path]:
    folder.mkdir(exist_ok=True, parents=True)
    paths = [folder / f"part-{number}.parquet" for number in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        part.to_parquet(path, index=False)
    return paths


def history(folder: Path) -> list[Path]:
    return write(folder, [table(part) for part in range(PARTS)])


def params_of(**sections: object) -> Params:
    many = {"split": {"by": ["day"], "holdout": 0}, "search": {"rows": 1_500, "trials": 2, "folds": 3}}
    params = changed(toy_params(), dataset={"drop": ["day"]}, learner={"rounds": 40}, **many)
    return changed(params, **sections)


@dataclass(frozen=True)
class Made:
    folder: Path
    challenger: Challenger

    @property
    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}

    @property
    def estimate(self) -> CrossValidation:
        assert self.challenger.cv is not None
        return self.challenger.cv


def train(
    paths: Sequence[Path],
    params: Params,
    folder: Path,
    window: Window = EVERYTHING,
    *,
    rounds: int = 10,
    estimate: bool = True,
) -> Made:
    folder.mkdir()
    study = StudyResult(OPTIONS, rounds, ())
    return Made(folder, make_full(paths, params, study, folder, window, estimate=estimate))


def test_a_sample_chooses_and_all_rows_are_trained_on(tmp_path: Path) -> None:
    paths, params = history(tmp_path / "data"), params_of()
    window = choose_window(paths, params)
    study = search(paths, params, window)
    (tmp_path / "made").mkdir()
    made = make_full(paths, params, study, tmp_path / "made", window)
    assert window.partitions is None
    assert made.rows == ROWS * PARTS


def test_trees_of_many_rows_are_grown_on_all_of_them(tmp_path: Path) -> None:
    made = train(history(tmp_path / "data"), params_of(), tmp_path / "made")
    trees = lgb.Booster(model_file=made.folder / "model.txt").dump_model()["tree_info"]
    assert trees[0]["tree_structure"]["internal_count"] == ROWS * PARTS


def test_the_estimate_is_that_of_whole_groups_which_a_training_left_out(tmp_path: Path) -> None:
    paths = history(tmp_path / "data")
    made = train(paths, params_of(), tmp_path / "made")
    left_out, kept = made.estimate.left_out, OutOfSample.load(made.folder / OUT_OF_SAMPLE)
    assert left_out is not None
    assert left_out.low is not None
    assert left_out.high is not None
    assert left_out.low < made.estimate.mean < left_out.high
    assert made.estimate.folds == (made.estimate.mean,)
    assert left_out.rows == len(kept.number)
    assert 0.1 < left_out.rows / (ROWS * PARTS) <= 0.2
    for part, path in enumerate(paths):
        days = pd.read_parquet(path)["day"].to_numpy()
        judged = kept.number[kept.part == part]
        assert np.isin(days, days[judged]).sum() >= len(judged) > 0
        assert (np.bincount(days[judged])[np.unique(days[judged])] == ROWS // 50).all()
    assert 0.7 < made.estimate.mean < 0.95


def test_what_is_left_out_is_not_learned(tmp_path: Path) -> None:
    """The labels of the left-out days are noise: a model that had seen them would predict them."""
    paths = history(tmp_path / "data")
    first = OutOfSample.load(train(paths, params_of(), tmp_path / "first").folder / OUT_OF_SAMPLE)
    for part, path in enumerate(paths):
        frame, number = pd.read_parquet(path), first.number[first.part == part]
        days = frame["day"].isin(frame["day"].iloc[number])
        noise = np.random.default_rng(part).integers(0, 2, days.sum())
        frame.loc[days, "y"] = noise
        frame.to_parquet(path, index=False)
    made = train(paths, params_of(learner={"rounds": 300, "patience": 300}), tmp_path / "made")
    assert 0.4 < made.estimate.mean < 0.6


def test_rounds_go_on_for_as_long_as_they_help_rows_that_do_not_judge(tmp_path: Path) -> None:
    paths = history(tmp_path / "data")
    patient = train(paths, params_of(learner={"rounds": 200}), tmp_path / "patient", rounds=3)
    assert 3 < patient.challenger.rounds < 200
    again = train(paths, params_of(), tmp_path / "again", rounds=patient.challenger.rounds, estimate=False)
    assert (
        again.files["model.txt"].split(b"\nparameters:")[0]
        == (patient.files["model.txt"].split(b"\nparameters:")[0])
    )


def test_the_same_bytes_on_any_number_of_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, made = history(tmp_path / "data"), []
    for cores in (1, 3):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        made.append(train(paths, params_of(), tmp_path / f"made-{cores}"))
    assert made[0].files == made[1].files
    assert made[0].challenger.to_json() == made[1].challenger.to_json()
    assert re.search(rb"\[num_threads: 1\]", made[1].files["model.txt"])


def test_a_challenger_of_many_rows_survives_json(tmp_path: Path) -> None:
    made = train(history(tmp_path / "data"), params_of(), tmp_path / "made").challenger
    assert Challenger.from_json(made.to_json()).cv == made.cv


@pytest.mark.parametrize(
    ("sections", "label"),
    [
        pytest.param(
            {"task": "regression", "promotion": {"metric": "rmse"}}, lambda f: f["x"] * 3, id="numbers"
        ),
        pytest.param(
            {"task": "multiclass", "promotion": {"metric": "roc_auc_macro"}},
            lambda f: np.where(f["x"] > 1, "high", np.where(f["z"] > 0, "mid", "lów")),
            id="three classes",
        ),
        pytest.param({"split": {"by": []}}, lambda f: f["y"], id="no groups"),
        pytest.param({"split": {"holdout": 0.2}}, lambda f: f["y"], id="a vault"),
        pytest.param({"imbalance": {"calibrate": "isotonic"}}, lambda f: f["y"], id="calibrated"),
        pytest.param({"decision": {"false_negative": 5.0}}, lambda f: f["y"], id="by costs"),
        pytest.param({"promotion": {"seeds": 2}}, lambda f: f["y"], id="two seeds"),
        pytest.param({"imbalance": {"method": "weights"}}, lambda f: f["y"], id="weighed, in memory"),
        pytest.param({"features": {"target": ["kind"]}}, lambda f: f["y"], id="target-encoded, in memory"),
    ],
)
def test_every_kind_of_training_takes_many_rows(
    tmp_path: Path, sections: dict[str, object], label: Callable[[pd.DataFrame], object]
) -> None:
    parts = [frame.assign(y=label(frame)) for frame in (table(part) for part in range(PARTS))]
    paths, params = write(tmp_path / "data", parts), params_of(**sections)
    made = train(paths, params, tmp_path / "made")
    assert made.estimate.left_out is not None
    assert made.estimate.left_out.rows < 0.25 * ROWS * PARTS
    predicted = open_challenger(made.challenger, params, made.folder, "v").predict(pd.read_parquet(paths[0]))
    assert np.isfinite(predicted).all()
    again = train(paths, params, tmp_path / "again", rounds=made.challenger.rounds, estimate=False)
    for name in again.challenger.files:
        assert again.files[name] == made.files[name]


def test_corrections_of_many_rows_are_tried_after_a_gap_in_time(tmp_path: Path) -> None:
    start = pd.Timestamp("2026-01-01")
    parts = [
        frame.assign(when=start + pd.to_timedelta(frame["day"], unit="D"))
        for frame in (table(part) for part in range(PARTS))
    ]
    paths = write(tmp_path / "data", parts)
    segments, search = {"by": "kind", "min_rows": 100}, {"scheme": "time-series"}
    params = params_of(dataset={"time": "when"}, segments=segments, search=search)

    def judged(gap: str) -> list[bool]:
        made = train(paths, changed(params, search={"gap": gap}), tmp_path / gap).challenger
        assert made.segments is not None
        return [each["q"] is not None for each in made.segments["tried"].values()]

    assert judged("1 day") == [True] * 3
    assert judged("52 weeks") == [False] * 3


def test_a_window_and_weights_by_age_hold_for_many_rows(tmp_path: Path) -> None:
    paths = history(tmp_path / "data")
    latest = train(paths, params_of(), tmp_path / "latest", Window(2))
    weighed = train(paths, params_of(), tmp_path / "weighed", Window(half_life=0.5))
    equal = train(paths, params_of(), tmp_path / "equal")
    assert latest.challenger.rows == 2 * ROWS
    assert weighed.challenger.rows == PARTS * ROWS
    assert weighed.files["model.txt"] != equal.files["model.txt"]


def test_partitions_without_labels_are_passed_over(tmp_path: Path) -> None:
    parts = [table(part) for part in range(PARTS)]
    parts[1] = parts[1].assign(y=float("nan"))
    parts[2].loc[:999, "y"] = float("nan")
    paths, params = write(tmp_path / "data", parts), params_of()
    study = search(paths, params, EVERYTHING)
    made = train(paths, params, tmp_path / "made")
    kept = OutOfSample.load(made.folder / OUT_OF_SAMPLE)
    assert len(study.trials) == 2
    assert made.challenger.rows == 2 * ROWS + 1_000
    assert len(kept.partitions) == 3
    for part, position in ((2, 1), (3, 2)):
        y = pd.read_parquet(paths[part])["y"].to_numpy()
        assert np.isfinite(y[kept.number[kept.part == position]]).all()


def test_rows_without_any_label_are_refused(tmp_path: Path) -> None:
    paths = write(tmp_path / "data", [table(part).assign(y=float("nan")) for part in (0, 1)])
    with pytest.raises(BadData, match="no training rows to learn from"):
        search(paths, params_of(), EVERYTHING)


def test_an_update_continues_a_model_of_many_rows(tmp_path: Path) -> None:
    paths, params = history(tmp_path / "data"), params_of()
    made = train(paths[:3], params, tmp_path / "made")
    (tmp_path / "next").mkdir()
    update = make_update(parent(made.challenger, params, made.folder), paths[3:], params, tmp_path / "next")
    assert update.rounds == made.challenger.rounds + params.learner.update_rounds


def test_rows_of_two_groups_are_left_out_by_one_of_them(tmp_path: Path) -> None:
    parts = [
        table(part).assign(day=lambda frame: (np.arange(len(frame)) < 1_900).astype(int)) for part in (0, 1)
    ]
    made = train(write(tmp_path / "data", parts), params_of(search={"rows": 700}), tmp_path / "made")
    assert made.estimate.left_out is not None
    assert made.estimate.left_out.rows == 200


def test_rows_of_one_group_have_no_estimate(tmp_path: Path) -> None:
    paths = write(tmp_path / "data", [table(part).assign(day=1) for part in (0, 1)])
    made = train(paths, params_of(search={"rows": 700}), tmp_path / "made")
    assert made.challenger.cv is None
    assert OUT_OF_SAMPLE not in made.files
    few = params_of(search={"rows": 700}, imbalance={"calibrate": "sigmoid"})
    with pytest.raises(BadData, match=r"all 4,000 training rows are of one group of split.by = \['day'\]"):
        train(paths, few, tmp_path / "calibrated")


def test_while_folds_are_affordable_every_row_judges(tmp_path: Path) -> None:
    made = train(history(tmp_path / "data"), params_of(search={"rows": 1_700}), tmp_path / "made")
    assert made.estimate.left_out is None
    assert len(OutOfSample.load(made.folder / OUT_OF_SAMPLE).number) == ROWS * PARTS


def test_groups_that_were_left_out_are_whole(tmp_path: Path) -> None:
    paths = history(tmp_path / "data")
    made = train(paths, params_of(split={"by": ["day"]}), tmp_path / "made")
    kept = OutOfSample.load(made.folder / OUT_OF_SAMPLE)
    frame = pd.read_parquet(paths[0])
    judged = group_hashes(frame.iloc[kept.number[kept.part == 0]], ["day"])
    assert np.isin(group_hashes(frame, ["day"]), judged).sum() == len(judged)


@pytest.mark.parametrize("options", [{}, {"boosting": "nonsense"}], ids=["made", "refused by LightGBM"])
def test_no_file_of_binned_rows_stays_behind(tmp_path: Path, options: dict[str, str]) -> None:
    paths, params = history(tmp_path / "data"), params_of(learner={"options": options})
    with pytest.raises(BadParams, match="nonsense") if options else nullcontext():
        train(paths, params, tmp_path / "made")
    suffixes = {path.suffix for path in (tmp_path / "made").iterdir()}
    assert suffixes == (set() if options else {".txt", ".onnx", ".parquet"})


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    paths, before = history(tmp_path / "data"), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match="No space left on device") as refused:
            train(paths, params_of(), tmp_path / "made")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert explain(refused.value)
    assert not [*(tmp_path / "made").iterdir()]
