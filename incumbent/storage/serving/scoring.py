"""Batch predictions from a file to a file, logged so that late labels can show how good they were."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from incumbent.errors import BadInput
from incumbent.evaluation.feedback import to_log
from incumbent.features.clean import CleaningCounts
from incumbent.models.model import Model
from incumbent.params import DatasetParams, load_params
from incumbent.storage.registry.aliases import Alias, version_of
from incumbent.storage.registry.identity import require_own_model
from incumbent.storage.registry.registry import open_registry
from incumbent.storage.serving.model_cache import load_champion, load_model
from incumbent.storage.serving.prediction_log import open_feedback
from incumbent.tables.parquet import read_partition
from incumbent.tables.sources import read_source, sources_of
from incumbent.tables.writing import suffix_of, write_table


def predict_file(
    project: Path, source: Path, target: Path, version: str | None = None, alias: Alias = "champion"
) -> dict[str, Any]:
    """Score a file with a verified version, else the alias's; write the result whole or not at all.

    Both files may have any format that data arrives in, by their suffix. The predictions are logged first,
    where the rows have the key; "logged" is the log's address, or None. Raises BadData when the file can't
    be read or lacks a column of the model, BadInput for a target of no known format or a source that is no
    file, NotFound for no such version, or an alias that none bears.
    """
    suffix_of(target)
    params = load_params(project)
    frame = _read(source, params.dataset)
    model = _model(project, version, alias)
    cleaning_counts = CleaningCounts()
    scored = model.score(frame, cleaning_counts)
    key = params.dataset.key
    logged = None
    if key and set(key) <= set(frame.columns):
        table = to_log(scored, frame, params, model.expected_error(frame))
        logged = open_feedback(params).keep_predictions(model.version, table)
    known = frame[[column for column in key if column in frame]].reset_index(drop=True)
    write_table(pd.concat([known, scored], axis=1).assign(version=model.version), target)
    return {
        "version": model.version,
        "rows": len(scored),
        "cleaned": dict(cleaning_counts),
        "out": str(target),
        "logged": logged,
    }


def _read(path: Path, dataset: DatasetParams) -> pd.DataFrame:
    """The rows as they would arrive, with columns from Hive-style folders (month=03) in the file's path."""
    if path.is_dir():
        raise BadInput(f"{path} is a folder; score reads one file")
    [source] = sources_of(path)
    if suffix_of(path) == ".parquet" and not source.columns:
        return read_partition(path)
    with TemporaryDirectory() as folder:
        read_source(source, Path(folder) / "rows.parquet", dataset)
        frame = read_partition(Path(folder) / "rows.parquet")
    # Declared numbers are read as floats; a key written as 5 must come back as 5, not as 5.0.
    whole = [name for name in dataset.key if name in frame and _is_whole(frame[name])]
    return frame.astype(dict.fromkeys(whole, "int64"))


def _is_whole(column: pd.Series) -> bool:
    return column.dtype == "float64" and bool((column.abs() < 2**53).all() and (column % 1 == 0).all())


def _model(project: Path, version: str | None, alias: Alias) -> Model:
    params = load_params(project)
    require_own_model(params, project)
    registry = open_registry(params, project)
    if version is not None:
        return load_model(project, registry, version)
    model = load_champion(project, registry) if alias == "champion" else None
    return model or load_model(project, registry, version_of(registry, alias))
