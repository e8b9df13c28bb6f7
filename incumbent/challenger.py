"""Make a challenger: its files in a folder, and what the manifest will say of it.

The flow, `dvc repro` and `models reproduce` all come through here, so they give the same bytes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from incumbent.errors import BadData
from incumbent.fitting import as_read, learned_balance
from incumbent.golden import GOLDEN, make_golden
from incumbent.learners import Learner, Trained, learner_type, open_learner
from incumbent.learners.devices import Device
from incumbent.model import Model
from incumbent.params import Params
from incumbent.portable import Export, export_onnx
from incumbent.rows import (
    Rows,
    Side,
    latest_rows,
    prior,
    read_rows,
    sample_partitions,
    sampled_rows,
    training_rows,
)
from incumbent.schema import Schema
from incumbent.studies import Place
from incumbent.train import (
    CrossValidation,
    challenger_seeds,
    cross_validate,
    importances,
    train_full,
    update,
)
from incumbent.tune import StudyResult, join, tune
from incumbent.window import EVERYTHING, Window

REPLAY, ONNX = "replay.parquet", "model.onnx"


@dataclass(frozen=True)
class Challenger:
    """`files` are what a version keeps; `file`, the model's, is one of them.

    `others` are models that differ in the seed only: they tell how much a seed matters, and are not
    kept. `options` are the tuned ones, kept through updates. `prior` is the trivial baseline's
    prediction: the share of positives, of each class, or the mean. `onnx` is what came of model.onnx.
    `cleaned` is how many cells each step of cleaning changed in the rows that it learned from; `device` is
    where it was trained.
    """

    kind: str
    file: str
    files: tuple[str, ...]
    others: tuple[str, ...]
    schema: Schema
    options: dict[str, Any]
    rounds: int
    rows: int
    prior: tuple[float, ...]
    cv: CrossValidation | None
    importances: dict[str, float]
    onnx: Export
    cleaned: dict[str, int]
    device: Device

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "schema": self.schema.to_json()}

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Challenger":
        cv = document["cv"]
        return Challenger(
            **{
                **document,
                **{name: tuple(document[name]) for name in ("files", "others", "prior")},
                "schema": Schema.from_json(document["schema"]),
                "onnx": Export(**document["onnx"]),
                "device": Device(**document["device"]),
                "cv": cv and CrossValidation.from_json(cv),
            }
        )


def open_challenger(made: Challenger, params: Params, folder: Path, name: str) -> Model:
    """The model that make_full or make_update wrote into the folder, ready to predict."""
    return _opened(made, params, folder / made.file, name)


def open_others(made: Challenger, params: Params, folder: Path) -> list[Model]:
    """The models of the other seeds."""
    return [_opened(made, params, folder / file, file) for file in made.others]


def _opened(made: Challenger, params: Params, path: Path, name: str) -> Model:
    trained = learner_type(params.learner.name).load(path, params.learner.threads)
    return Model(name, made.schema, trained)


def search(
    paths: Sequence[Path], params: Params, window: Window = EVERYTHING, place: Place | None = None
) -> StudyResult:
    """Tune on the training rows of the partitions, in their order; `place` is where the study is kept."""
    schema, rows = training_rows(window.of(paths), params)
    return tune(window.weighed(rows), open_learner(params, schema), schema, params, place)


def search_share(paths: Sequence[Path], params: Params, window: Window, place: Place, worker: int) -> None:
    """One worker's share of the same search, at a place where it was begun."""
    schema, rows = training_rows(window.of(paths), params)
    join(window.weighed(rows), open_learner(params, schema), schema, params, place, worker)


def make_full(
    paths: Sequence[Path],
    params: Params,
    study: StudyResult,
    folder: Path,
    window: Window = EVERYTHING,
    *,
    estimate: bool = True,
    checkpoints: Path | None = None,
) -> Challenger:
    """Train on all training rows of the window; write the model and the sample of history that updates need.

    `estimate` asks for the cross-validation, which does not change the model unless it is calibrated or
    decides by costs. `checkpoints`: a folder that only this very training uses; interrupted, it goes on from
    what is there, to the same bytes.
    """
    paths = window.of(paths)
    schema, rows = training_rows(paths, params)
    rows, learner = window.weighed(rows), open_learner(params, schema)
    read = as_read(rows, schema, learned=True)
    binned = learner.bin(read.X, rows.y)
    cv = None
    if estimate or params.learns_from_folds:
        cv, output = cross_validate(rows, learner, binned, study, schema, params)
        schema = replace(schema, output=output)
    schema = replace(schema, balance=learned_balance(rows, np.arange(len(rows.y)), schema, params))
    kept = [checkpoints / f"checkpoint-{seed}" for seed in challenger_seeds(params)] if checkpoints else None
    models = train_full(read, learner, binned, study, schema, params, kept)
    sample = sample_partitions(paths, params, None)
    golden = latest_rows(paths, params) if sample.empty else sample
    return _finish("full", models, learner, schema, read, sample, golden, study.options, cv, folder)


def make_update(
    champion: Model,
    champion_folder: Path,
    options: dict[str, Any],
    known: int,
    fresh: Sequence[Path],
    params: Params,
    folder: Path,
) -> Challenger:
    """Continue from the champion with the training rows of new partitions and as many of history; cost
    follows the new ones alone.

    `champion_folder` holds its verified files: the model and its sample of history; `known`: how many
    training rows it has seen. Raises BadData when the new rows hold none to train on.
    """
    schema = champion.schema
    new = as_read(read_rows(fresh, schema, params, Side.TRAINING), schema, learned=False)
    if len(new.y) == 0:
        raise BadData("every new row is in the holdout; an update has nothing to learn from")
    past = pd.read_parquet(champion_folder / REPLAY)
    size = min(len(past), len(new.y))
    chosen = np.sort(np.random.default_rng(params.seed).choice(len(past), size, replace=False))
    replay = as_read(sampled_rows(past.iloc[chosen], schema, params), schema, learned=True)
    learner = open_learner(params, schema)
    models = update(champion_folder / learner.file, new, replay, learner, schema, params, options, known)
    sample = sample_partitions(fresh, params, past)
    golden = latest_rows(fresh, params) if sample.empty else sample
    return _finish("incremental", models, learner, schema, new, sample, golden, options, None, folder)


def _finish(
    kind: str,
    models: Sequence[Trained],
    learner: Learner,
    schema: Schema,
    rows: Rows,
    sample: pd.DataFrame,
    golden: pd.DataFrame,
    options: dict[str, Any],
    cv: CrossValidation | None,
    folder: Path,
) -> Challenger:
    model, *others = models
    names = tuple(f"seed-{number}-{learner.file}" for number in range(1, len(models)))
    for trained, name in zip(others, names, strict=True):
        trained.save(folder / name)
    model.save(folder / learner.file)
    sample.to_parquet(folder / REPLAY, index=False)
    make_golden(golden, Model("challenger", schema, model)).to_parquet(folder / GOLDEN, index=False)
    onnx = export_onnx(model, schema, rows.X, folder / ONNX)
    return Challenger(
        kind=kind,
        file=learner.file,
        files=(learner.file, REPLAY, GOLDEN, *([ONNX] if onnx.reason is None else [])),
        others=names,
        schema=schema,
        options=options,
        rounds=model.rounds,
        rows=len(rows.y),
        prior=tuple(float(share) for share in prior(rows, schema)),
        cv=cv,
        importances=importances(model, [feature.name for feature in schema.features]),
        onnx=onnx,
        cleaned=dict(rows.touched),
        device=learner.device,
    )
