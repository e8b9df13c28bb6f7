"""Make a challenger: its files in a folder, and what the manifest will say of it.

The flow and `dvc repro` both come through here, so they give the same bytes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from incumbent.errors import BadData
from incumbent.learners import open_learner
from incumbent.model import Model
from incumbent.params import Params
from incumbent.rows import Rows, Side, read_rows, sample_partitions, training_rows
from incumbent.schema import Schema
from incumbent.train import CrossValidation, importances, train_full, update
from incumbent.tune import StudyResult, tune

REPLAY = "replay.parquet"


@dataclass(frozen=True)
class Challenger:
    """`file` is the model's name in the folder; `options` are the tuned ones, kept through updates."""

    kind: str
    file: str
    schema: Schema
    options: dict[str, Any]
    rounds: int
    rows: int
    cv: CrossValidation | None
    importances: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "schema": self.schema.to_json()}

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Challenger":
        cv = document["cv"]
        return Challenger(
            **{
                **document,
                "schema": Schema.from_json(document["schema"]),
                "cv": cv and CrossValidation(**{**cv, "folds": tuple(cv["folds"])}),
            }
        )


def open_challenger(made: Challenger, params: Params, folder: Path, name: str) -> Model:
    """The model that make_full or make_update wrote into the folder, ready to predict."""
    learner = open_learner(params, made.schema)
    return Model(name, made.schema, learner, learner.load(folder / made.file))


def search(paths: Sequence[Path], params: Params) -> StudyResult:
    """Tune on the training rows of the partitions, in their order."""
    schema, rows = training_rows(paths, params)
    return tune(rows, open_learner(params, schema), params.search, params.seed)


def make_full(paths: Sequence[Path], params: Params, study: StudyResult, folder: Path) -> Challenger:
    """Train on all training rows; write the model and the sample of history that updates need."""
    schema, rows = training_rows(paths, params)
    learner = open_learner(params, schema)
    model, cv = train_full(rows, learner, study, params)
    _write_sample(sample_partitions(paths, params, None), folder)
    model.save(folder / learner.file)
    names = [feature.name for feature in schema.features]
    return Challenger(
        "full",
        learner.file,
        schema,
        study.options,
        model.rounds,
        len(rows.y),
        cv,
        importances(model, names),
    )


def make_update(
    champion: Model,
    champion_folder: Path,
    options: dict[str, Any],
    fresh: Sequence[Path],
    params: Params,
    folder: Path,
) -> Challenger:
    """Continue from the champion with the training rows of new partitions; cost follows those alone.

    `champion_folder` holds its verified files: the model and its sample of history. Raises BadData when
    the new rows hold none to train on.
    """
    new = read_rows(fresh, champion.schema, params, Side.TRAINING)
    if len(new.y) == 0:
        raise BadData("every new row is in the holdout; an update has nothing to learn from")
    past = pd.read_parquet(champion_folder / REPLAY)
    replay = Rows(champion.schema.encode(past), champion.schema.labels(past), past.index.to_numpy(float))
    model = update(champion_folder / champion.learner.file, new, replay, champion.learner, params.seed)
    _write_sample(sample_partitions(fresh, params, past), folder)
    model.save(folder / champion.learner.file)
    names = [feature.name for feature in champion.schema.features]
    return Challenger(
        "incremental",
        champion.learner.file,
        champion.schema,
        options,
        model.rounds,
        len(new.y),
        None,
        importances(model, names),
    )


def _write_sample(sample: pd.DataFrame, folder: Path) -> None:
    sample.to_parquet(folder / REPLAY, index=False)
