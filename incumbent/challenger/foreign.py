"""A LightGBM model that was trained elsewhere as a version of ours: its trees, and a schema for them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from incumbent.challenger.challenger import Challenger
from incumbent.challenger.make import as_challenger, write_files
from incumbent.errors import BadData
from incumbent.features.feature import Feature
from incumbent.features.frames import Side
from incumbent.features.rows import latest_rows, read_rows, survey
from incumbent.features.sample import Sample
from incumbent.features.schema import Schema
from incumbent.learners import learner_type
from incumbent.learners.devices import Device
from incumbent.models.calibration import Output
from incumbent.params import OPTIONS, Params
from incumbent.tables.split import text_of
from incumbent.training.balance import Balance
from incumbent.training.lineage import Lineage
from incumbent.training.train import Fitted

OBJECTIVES = {"binary": ("binary", "cross_entropy"), "regression": ("regression", "regression_l1", "huber")}


def adopt(file: Path, paths: Sequence[Path], params: Params, folder: Path) -> Challenger:
    """Write the files of a version around the model in `file`, LightGBM's text format.

    paths: the project's partitions, from which the sample for updates comes. For a binary target the model
    must predict the probability of dataset.positive. Raises BadData for a model that does not fit the table
    or the task.
    """
    learner = learner_type("lightgbm")
    trained: Any = learner.load(file, params.learner.threads)
    _require_task(trained.booster, params)
    schema = _schema(trained.booster, survey(paths, params)[0])
    sample = Sample(params)
    rows = read_rows(paths, schema, params, Side.TRAINING, sample)
    lineage = Lineage(schema, Balance(), Output(), _options(trained.booster))
    golden = latest_rows(paths, params) if sample.rows.empty else sample.rows
    fitted = Fitted.of([trained], rows, schema, Device("cpu", "cpu"))
    files = write_files(fitted, lineage, sample.rows, golden, learner.file, folder, None)
    return as_challenger("full", fitted, lineage, files)


def _require_task(booster: Any, params: Params) -> None:
    objective = str(booster.dump_model(num_iteration=1).get("objective", "none")).split()[0]
    if objective not in OBJECTIVES.get(params.task, ()):
        known = "; ".join(f"{task}: {', '.join(names)}" for task, names in OBJECTIVES.items())
        raise BadData(
            f"the model's objective is '{objective}', and the task is {params.task}; what can be taken over "
            f"is {known}"
        )


def _schema(booster: Any, table: Schema) -> Schema:
    """The table's schema with the model's features in the model's order, and its vocabularies."""
    names, own = booster.feature_name(), {each.name: each for each in table.features}
    if absent := [name for name in names if name not in own]:
        raise BadData(
            f"the model reads {absent}, which are no features of the table; it has {sorted(own)}. LightGBM "
            "writes a blank in a name as '_'"
        )
    words = iter(_vocabularies(booster, [name for name in names if own[name].categories is not None]))
    features = (Feature(name, None if own[name].categories is None else next(words)) for name in names)
    return replace(table, features=tuple(features))


def _vocabularies(booster: Any, categorical: Sequence[str]) -> list[tuple[str, ...]]:
    """Of pandas' categories, in the order of the columns, as LightGBM keeps them beside its trees."""
    kept = booster.pandas_categorical or []
    if len(kept) != len(categorical):
        raise BadData(
            f"the model knows the categories of {len(kept)} columns, and of those that it reads "
            f"{len(categorical)} are categories in the table: {list(categorical)}; a model that takes "
            "codes for categories can't be taken over: train it on pandas' categories, whose words LightGBM "
            "keeps in its file; name numbers that are categories to it in dataset.categorical"
        )
    return [tuple(map(text_of, words)) for words in kept]


def _options(booster: Any) -> dict[str, Any]:
    """Those that updates go by and that the model's file names."""
    return {name: booster.params[name] for name in OPTIONS["lightgbm"] if name in booster.params}
