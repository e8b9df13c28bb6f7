"""Multiclass and regression targets go the whole way: search, train, update, judge, look back."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_wine

from incumbent.challenger import Challenger, make_full, make_update, open_challenger, search
from incumbent.compare import Comparison
from incumbent.errors import BadData
from incumbent.evaluation.decide import Promote, decide
from incumbent.evaluation.evidence import collect_evidence
from incumbent.evaluation.hindsight import score_arrival
from incumbent.features.schema import Schema, differences
from incumbent.models.model import Model
from incumbent.params import METRICS, Params
from incumbent.tables.split import group_hashes
from tests.building import parent, toy_params
from tests.judging import judged

QUICK = {"learner": {"rounds": 30, "patience": 10}, "search": {"trials": 3, "folds": 3}}


@dataclass(frozen=True)
class Case:
    """A table in two partitions, and the parameters to learn it with."""

    paths: Sequence[Path]
    params: Params


def wine(folder: Path) -> Case:
    """178 wines of three cultivars, four noisy copies each: enough rows for folds and a holdout."""
    frame = load_wine(as_frame=True).frame.rename(columns={"target": "y"})
    frame["y"] = frame["y"].map({0: "barolo", 1: "grignolino", 2: "barbera"})
    params = toy_params(task="multiclass", promotion={"metric": "log_loss"}, **QUICK)
    return Case(_write(_blurred(frame), folder), params)


def diabetes(folder: Path) -> Case:
    frame = load_diabetes(as_frame=True).frame.rename(columns={"target": "y"})
    params = toy_params(task="regression", promotion={"metric": "rmse"}, **QUICK)
    return Case(_write(_blurred(frame), folder), params)


def _blurred(frame: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    copies = []
    for _ in range(4):
        noise = {c: frame[c] + rng.normal(0, 0.3 * frame[c].std(), len(frame)) for c in frame if c != "y"}
        copies.append(frame.assign(**noise))
    return pd.concat(copies, ignore_index=True).sample(frac=1, random_state=0, ignore_index=True)


def _write(frame: pd.DataFrame, folder: Path) -> list[Path]:
    paths = []
    for number, rows in enumerate(np.array_split(np.arange(len(frame)), 2)):
        paths.append(folder / f"part-{number}.parquet")
        frame.iloc[rows].to_parquet(paths[-1], index=False)
    return paths


@pytest.fixture(params=[wine, diabetes], scope="module")
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return request.param(tmp_path_factory.mktemp("table"))


@pytest.fixture(scope="module")
def made(case: Case, tmp_path_factory: pytest.TempPathFactory) -> tuple[Challenger, Path]:
    folder = tmp_path_factory.mktemp("v1")
    study = search(case.paths[:1], case.params)
    return make_full(case.paths[:1], case.params, study, folder), folder


@pytest.fixture(scope="module")
def model(case: Case, made: tuple[Challenger, Path]) -> Model:
    return open_challenger(made[0], case.params, made[1], "v1")


def test_a_first_model_beats_the_baseline(case: Case, made: tuple[Challenger, Path], model: Model) -> None:
    holdout = judged(None, model, case.paths, case.params, prior=made[0].prior)
    evidence = collect_evidence(holdout, case.params.promotion, 0)
    assert isinstance(evidence.comparison, Comparison)
    assert isinstance(decide(evidence, case.params.promotion, "the trivial baseline"), Promote)
    assert evidence.comparison.gain.low > 0


def test_the_baseline_predicts_the_prior_of_training_rows(case: Case, made: tuple[Challenger, Path]) -> None:
    frame = pd.read_parquet(case.paths[0])
    training = frame[group_hashes(frame, []) >= case.params.split.holdout]
    if case.params.task == "regression":
        assert made[0].prior == pytest.approx((training["y"].mean(),))
    else:
        shares = training["y"].value_counts(normalize=True).sort_index()
        assert made[0].prior == pytest.approx(tuple(shares))
        assert made[0].schema.classes == ("barbera", "barolo", "grignolino")


def test_folds_are_scored_by_the_metric_that_promotes(case: Case, made: tuple[Challenger, Path]) -> None:
    cv = made[0].cv
    assert cv is not None
    assert cv.metric == case.params.promotion.metric
    assert not METRICS[cv.metric].greater_is_better
    assert cv.mean > 0


def test_the_same_rows_give_the_same_bytes(case: Case, made: tuple[Challenger, Path], tmp_path: Path) -> None:
    study = search(case.paths[:1], case.params)
    again = make_full(case.paths[:1], case.params, study, tmp_path)
    assert (tmp_path / again.file).read_bytes() == (made[1] / made[0].file).read_bytes()


def test_an_update_learns_from_new_rows(
    case: Case, made: tuple[Challenger, Path], model: Model, tmp_path: Path
) -> None:
    updated = make_update(parent(made[0], case.params, made[1]), case.paths[1:], case.params, tmp_path)
    newer = open_challenger(updated, case.params, tmp_path, "v2")
    seen = collect_evidence(
        judged(model, newer, case.paths, case.params), case.params.promotion, 0
    ).comparison
    assert isinstance(seen, Comparison)
    assert seen.difference.value != 0
    # An update on a third of the rows may not win, but it must not forget what the champion knew.
    alone = judged(None, newer, case.paths, case.params, prior=updated.prior)
    baseline = collect_evidence(alone, case.params.promotion, 0).comparison
    assert isinstance(baseline, Comparison)
    assert baseline.gain.low > 0


def test_a_predecessor_is_scored_beside_the_champion(
    case: Case, made: tuple[Challenger, Path], model: Model, tmp_path: Path
) -> None:
    updated = make_update(parent(made[0], case.params, made[1]), case.paths[1:], case.params, tmp_path)
    newer = open_challenger(updated, case.params, tmp_path, "v2")
    frame = pd.read_parquet(case.paths[1])
    groups = group_hashes(frame, [])
    document = score_arrival(newer, {"predecessor": model}, frame, groups, case.params.promotion, 0)
    assert document is not None
    assert [rival["version"] for rival in document["rivals"]] == ["v1"]
    assert document["rivals"][0]["standard_error"] > 0


def test_a_class_that_training_never_had_is_told_and_its_rows_judge_nobody(
    tmp_path: Path, case: Case, model: Model
) -> None:
    if case.params.task != "multiclass":
        with pytest.raises(BadData, match="needs numbers"):
            model.schema.labels(pd.DataFrame({"y": ["a", "b"]}))
        return
    frame = pd.read_parquet(case.paths[1])
    odd = frame.assign(y=frame["y"].where(np.arange(len(frame)) % 9 > 0, "dolcetto"))
    odd.to_parquet(tmp_path / "odd.parquet", index=False)
    assert differences(model.schema, odd, case.params.dataset) == ["class 'dolcetto' is new"]
    window = [tmp_path / "odd.parquet"]
    holdout = judged(model, model, window, case.params)
    held_out = odd[group_hashes(odd, []) < case.params.split.holdout]
    assert holdout.excluded == int((held_out["y"] == "dolcetto").sum()) > 0
    assert len(holdout.y) == int((held_out["y"] != "dolcetto").sum())


def test_scores_are_a_table_with_a_column_for_each_class(case: Case, model: Model) -> None:
    frame = pd.read_parquet(case.paths[1])
    scores, predicted = model.score(frame), model.predict(frame)
    if case.params.task == "regression":
        assert scores["score"].tolist() == predicted.tolist()
        return
    classes = ["barbera", "barolo", "grignolino"]
    assert list(scores.columns) == [*(f"score_{name}" for name in classes), "predicted"]
    assert (scores.drop(columns="predicted").to_numpy() == predicted).all()
    assert (scores["predicted"] == frame["y"]).mean() > 0.7


def test_a_schema_survives_its_document(model: Model) -> None:
    assert Schema.from_json(model.schema.to_json()) == model.schema
