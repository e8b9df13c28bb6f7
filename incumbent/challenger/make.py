"""Make a challenger, in full or from its parent, and write its files into a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from incumbent.challenger.challenger import Challenger
from incumbent.challenger.study import replay_sample
from incumbent.errors import BadData
from incumbent.features.choosing_rows import are_too_many_for_folds
from incumbent.features.frames import Side
from incumbent.features.rows import latest_rows, read_rows, sampled_rows, survey, training_rows
from incumbent.features.sample import Sample
from incumbent.features.schema import Schema
from incumbent.learners import learner_type, open_learner
from incumbent.machine.memory import release_memory
from incumbent.models.calibration import Output
from incumbent.models.golden import GOLDEN, make_golden
from incumbent.models.model import Model, importances
from incumbent.models.onnx_export import Export, export_onnx
from incumbent.models.segments import FILE as SEGMENTS
from incumbent.models.segments import Segments
from incumbent.params import LightGBMParams, Params
from incumbent.search.window import EVERYTHING, Window
from incumbent.training.balance import Balance
from incumbent.training.cross_validation import CrossValidation, cross_validate
from incumbent.training.engine import LOCAL, Engine
from incumbent.training.held_out import HeldOut
from incumbent.training.lineage import Lineage, Parent
from incumbent.training.on_ray import fit_together
from incumbent.training.train import Fitted, challenger_seeds, cross_fit, train_full, update
from incumbent.training.training_sets import encoded, learned_balance, train_with

if TYPE_CHECKING:
    from incumbent.search.tune import StudyResult

LEFT_OUT = 0.2
"""Share of the groups that judge a recipe on Ray."""

REPLAY, ONNX = "replay.parquet", "model.onnx"


@dataclass(frozen=True)
class Files:
    """Names of the files written into the folder: see Challenger."""

    file: str
    files: tuple[str, ...]
    others: tuple[str, ...]
    onnx: Export


def make_full(
    paths: Sequence[Path],
    params: Params,
    study: StudyResult,
    folder: Path,
    window: Window = EVERYTHING,
    *,
    engine: Engine = LOCAL,
    estimate: bool = True,
    checkpoints: Path | None = None,
    drawn_anew: bool = True,
) -> Challenger:
    """Train on all training rows of the window; write the model and the sample of history that updates need.

    `estimate`: whether to cross-validate, which predicts all rows out of sample; it does not change the model
    unless that is calibrated or decides by costs. `checkpoints`: a folder for this training alone; after an
    interruption, training resumes from there and gives the same bytes. Ray has neither folds nor checkpoints,
    as no process has all rows: there an estimate is one more training, which predicts a fifth of the groups.
    drawn_anew: see cross_validate.
    """
    paths = window.of(paths)
    if engine.name == "ray":
        return _full_on_ray(paths, params, study, folder, engine, estimate)
    many, streams = are_too_many_for_folds(paths, params), not _needs_all_features(params)
    if many and streams and isinstance(params.learner, LightGBMParams):
        return _full_of_many(paths, params.learner, params, study, folder, window, estimate)
    sample = Sample(params)
    schema, rows = training_rows(paths, params, sample, on_disk=folder if many and streams else None)
    if many:
        release_memory()  # what the reading of partitions has left
    rows, learner = window.weighed(rows), open_learner(params, schema)
    read = encoded(rows, schema, learned=True)
    binned = learner.bin(read.X, rows.y)
    cv, output, held_out, segments = None, Output(), None, None
    if estimate or params.learns_from_folds:
        folds = cross_validate(
            rows,
            learner,
            binned,
            study.tuned,
            schema,
            params,
            drawn_anew=drawn_anew,
            one_fold=many,
        )
        cv, output, predictions = folds.estimate, folds.output, folds.predictions
        if params.segments.by is not None:
            from incumbent.training.segments import learn_segments  # brings LightGBM

            segments, predictions = learn_segments(read, Counter(read.segment), folds, schema, params)
        if estimate:
            held_out = HeldOut.of(paths, read, folds.rows, predictions, schema, params.seed)
    balance = learned_balance(
        read, np.arange(len(rows.y)), learner, schema, params, train_with(learner, study.tuned)
    )
    kept = [checkpoints / f"checkpoint-{seed}" for seed in challenger_seeds(params)] if checkpoints else None
    models = train_full(read, learner, binned, study.tuned, schema, balance, params, kept)
    golden = latest_rows(paths, params) if sample.rows.empty else sample.rows
    fitted = Fitted.of(models, read, schema, learner.device)
    lineage = Lineage(schema, balance, output, study.options)
    files = write_files(fitted, lineage, sample.rows, golden, learner.file, folder, held_out, segments)
    return as_challenger("full", fitted, lineage, files, cv, segments=segments)


def _needs_all_features(params: Params) -> bool:
    """Whether a training of many rows needs the features of all in memory."""
    learner = params.learner
    needs_them = (
        isinstance(learner, LightGBMParams) and learner.options.get("linear_tree"),
        params.imbalance.method,
        params.bias.column,
        params.features.target,
        params.dataset.rare_classes == "drop",
    )
    return any(needs_them)


def _full_of_many(
    paths: Sequence[Path],
    trees: LightGBMParams,
    params: Params,
    study: StudyResult,
    folder: Path,
    window: Window,
    estimate: bool,
) -> Challenger:
    """make_full for more rows than folds are affordable for: their features are never in memory together."""
    from incumbent.training.many_rows import train_many  # brings LightGBM

    bins = folder / "bins"
    try:
        made = train_many(paths, trees, params, study.tuned, window.weighed, bins, estimate=estimate)
    finally:
        bins.unlink(missing_ok=True)  # of a training that failed
    release_memory()
    lineage = Lineage(made.schema, Balance(), made.output, study.options)
    replay = made.sample.iloc[: params.retrain.replay]
    golden = latest_rows(paths, params) if replay.empty else replay
    file = learner_type(params.learner.name).file
    files = write_files(made.fitted, lineage, replay, golden, file, folder, made.held_out, made.segments)
    return as_challenger("full", made.fitted, lineage, files, made.estimate, segments=made.segments)


def _full_on_ray(
    paths: Sequence[Path], params: Params, study: StudyResult, folder: Path, engine: Engine, estimate: bool
) -> Challenger:
    """make_full on Ray: this process holds one partition at a time and the sample; workers hold the rows."""
    sample = Sample(params)
    schema, counts = survey(paths, params, sample)
    rows = replay_sample(sample.rows, schema, params)

    def fit(params: Params) -> Fitted:
        return fit_together(paths, counts, rows, study.tuned, schema, params, engine.workers)

    held_out = None
    if estimate and params.split.holdout == 0:
        held_out = _left_out(fit, schema, paths, params)
    fitted = fit(params)
    lineage = Lineage(schema, Balance(), Output(), study.options)
    file = learner_type(params.learner.name).file
    files = write_files(fitted, lineage, sample.rows, sample.rows, file, folder, held_out)
    return as_challenger("full", fitted, lineage, files, None, engine)


def _left_out(
    fit: Callable[[Params], Fitted], schema: Schema, paths: Sequence[Path], params: Params
) -> HeldOut:
    """Predictions of a fifth of the groups by a model of the others: where no process has all rows, one more
    training takes the place of folds. split.holdout > 0 spares it."""
    apart = params.model_copy(update={"split": params.split.model_copy(update={"holdout": LEFT_OUT})})
    models = fit(apart).models
    held = read_rows(paths, schema, apart, Side.HOLDOUT)
    encoded_rows = encoded(held, schema, learned=False)
    predictions = np.stack([model.predict(encoded_rows.X) for model in models])
    return HeldOut.of(paths, encoded_rows, np.arange(len(held.y)), predictions, schema, params.seed)


def make_update(
    parent: Parent, fresh: Sequence[Path], params: Params, folder: Path, *, estimate: bool = True
) -> Challenger:
    """Continue from the parent with the training rows of new partitions and as many of history; the cost
    follows the new rows alone.

    `estimate`: whether to predict the new rows out of sample; it does not change the model. Raises BadData
    when all new rows are in the vault.
    """
    schema, past = parent.model.schema, pd.read_parquet(parent.folder / REPLAY)
    sample = Sample(params, past)
    new = encoded(read_rows(fresh, schema, params, Side.TRAINING, sample), schema, learned=False)
    if len(new.y) == 0:
        raise BadData("every new row is in the vault (split.holdout); an update has nothing to learn from")
    size = min(len(past), len(new.y))
    chosen = np.sort(np.random.default_rng(params.seed).choice(len(past), size, replace=False))
    replay = encoded(sampled_rows(past.iloc[chosen], schema, params), schema, learned=True)
    learner = open_learner(params, schema)
    if estimate:  # five updates of the same rows
        champion = parent.folder / learner.file
        new, replay = (replace(rows, leaves=learner.look_up(champion, rows.X)) for rows in (new, replay))
    models = update(parent, new, replay, learner, params)
    held_out = None
    segments = parent.model.segments
    if estimate:
        held, predictions = cross_fit(parent, new, replay, learner, params)
        if segments is not None:
            from incumbent.training.segments import corrected_by  # brings LightGBM

            predictions = corrected_by(segments, new.take(held), predictions, schema)
        held_out = HeldOut.of(fresh, new, held, predictions, schema, params.seed, parent.folder)
    golden = latest_rows(fresh, params) if sample.rows.empty else sample.rows
    fitted = Fitted.of(models, new, schema, learner.device)
    lineage = Lineage(schema, parent.balance, parent.model.output, parent.options)
    files = write_files(fitted, lineage, sample.rows, golden, learner.file, folder, held_out, segments)
    return as_challenger("incremental", fitted, lineage, files, segments=segments)


def write_files(
    fitted: Fitted,
    lineage: Lineage,
    sample: pd.DataFrame,
    golden: pd.DataFrame,
    file: str,
    folder: Path,
    held_out: HeldOut | None,
    segments: Segments | None = None,
) -> Files:
    """sample: rows of history for updates; golden: rows of which the first become the golden rows."""
    trained, *others = fitted.models
    names = tuple(f"seed-{number}-{file}" for number in range(1, len(others) + 1))
    for other, name in zip(others, names, strict=True):
        other.save(folder / name)
    trained.save(folder / file)
    sample.to_parquet(folder / REPLAY, index=False)
    model = Model("challenger", lineage.schema, trained, lineage.output, segments)
    make_golden(golden, model).to_parquet(folder / GOLDEN, index=False)
    onnx = export_onnx(model, lineage.document, fitted.X, folder / ONNX)
    files = [file, REPLAY, GOLDEN]
    if onnx.reason is None:
        files.append(ONNX)
    if held_out is not None:
        files += held_out.save(folder)
    if segments is not None:
        segments.save(folder / SEGMENTS)
        files.append(SEGMENTS)
    return Files(file, tuple(files), names, onnx)


def as_challenger(
    kind: str,
    fitted: Fitted,
    lineage: Lineage,
    files: Files,
    cv: CrossValidation | None = None,
    engine: Engine = LOCAL,
    segments: Segments | None = None,
) -> Challenger:
    model = fitted.models[0]
    return Challenger(
        kind=kind,
        file=files.file,
        files=files.files,
        others=files.others,
        lineage=lineage,
        rounds=model.rounds,
        rows=fitted.rows,
        prior=tuple(float(share) for share in fitted.prior),
        cv=cv,
        importances=importances(model, [feature.name for feature in lineage.schema.features]),
        onnx=files.onnx,
        cleaned=dict(fitted.cleaning_counts),
        device=fitted.device,
        engine=engine,
        segments=segments.to_json() if segments else None,
    )
