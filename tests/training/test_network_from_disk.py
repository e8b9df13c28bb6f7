"""A network of many rows: their features stay in a file, and the model is the one that memory gives."""

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incumbent.challenger import OUT_OF_SAMPLE, REPLAY, Challenger, make_full
from incumbent.errors.machine import explain
from incumbent.features.matrix import empty_matrix
from incumbent.features.out_of_sample import OutOfSample
from incumbent.features.rows import training_rows
from incumbent.learners import open_learner
from incumbent.learners.torch import PREDICT_ROWS
from incumbent.params import Params, TorchParams
from incumbent.search.tune import StudyResult
from incumbent.search.window import EVERYTHING
from incumbent.training import training_sets
from incumbent.training.cross_validation import CrossValidated, cross_validate
from incumbent.training.training_sets import Tuned
from tests.building import changed, toy_params

ROWS, PARTS = 600, 3
OPTIONS = {"rate": 0.01, "width": 16, "depth": 1, "dropout": 0.1, "decay": 1e-4}


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Numbers, some missing, and a category; some rows have no label."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"part-{number}.parquet" for number in range(PARTS)]
    for number, path in enumerate(paths):
        x, city = rng.normal(size=(ROWS, 2)), rng.choice(["Köln", "東京", "Ulm"], ROWS)
        y = (x[:, 0] + (city == "Ulm") + rng.normal(size=ROWS) > 0).astype(float)
        frame = pd.DataFrame(
            {"x": x[:, 0], "z": x[:, 1], "city": city, "day": number * 50 + rng.integers(50)}
        )
        frame.loc[::7, "z"] = np.nan
        frame.assign(y=np.where(np.arange(ROWS) % 50, y, np.nan)).to_parquet(path, index=False)
    return paths


def params_of(rows: int, **sections: object) -> Params:
    """search.rows: five times as many are too many for memory."""
    network = TorchParams(name="torch", members=2, batch=64, rounds=5)
    params = toy_params().model_copy(update={"learner": network})
    return changed(params, search={"rows": rows, "folds": 3}, **sections)


FEW, MANY = 10_000, 100


def train(paths: Sequence[Path], params: Params, folder: Path, *, estimate: bool = True) -> Challenger:
    folder.mkdir()
    return make_full(paths, params, StudyResult(OPTIONS, 3, ()), folder, EVERYTHING, estimate=estimate)


@pytest.mark.parametrize(
    "sections",
    [
        pytest.param({"promotion": {"seeds": 2}}, id="two classes, two seeds"),
        pytest.param({"task": "regression", "promotion": {"metric": "rmse"}}, id="numbers"),
    ],
)
def test_the_model_has_the_bytes_of_one_made_in_memory(
    tmp_path: Path, paths: list[Path], sections: dict[str, object]
) -> None:
    few, many = (params_of(rows, **sections) for rows in (FEW, MANY))
    in_memory = train(paths, few, tmp_path / "few")
    from_disk = train(paths, many, tmp_path / "many")
    assert from_disk.rows == in_memory.rows
    for name in ("model.safetensors", REPLAY, "model.onnx", *from_disk.others):
        assert (tmp_path / "many" / name).read_bytes() == (tmp_path / "few" / name).read_bytes()
    assert from_disk.cv is not None
    assert from_disk.cv.left_out is not None
    assert len(OutOfSample.load(tmp_path / "many" / OUT_OF_SAMPLE).number) == from_disk.cv.left_out.rows


def validated(paths: Sequence[Path], on_disk: Path | None) -> CrossValidated:
    params = params_of(MANY)
    schema, rows = training_rows(paths, params, on_disk=on_disk)
    assert isinstance(rows.X, np.memmap) == (on_disk is not None)
    learner = open_learner(params, schema)
    return cross_validate(
        rows, learner, learner.bin(rows.X, rows.y), Tuned(OPTIONS, 2), schema, params, one_fold=True
    )


def test_rows_that_a_training_left_out_are_predicted_as_from_memory(
    tmp_path: Path, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_memory, from_disk = (validated(paths, on_disk) for on_disk in (None, tmp_path))
    np.testing.assert_array_equal(from_disk.rows, in_memory.rows)
    np.testing.assert_array_equal(from_disk.predictions, in_memory.predictions)
    assert training_sets.PREDICTED % PREDICT_ROWS == 0, "or sums would round in another way"
    monkeypatch.setattr(training_sets, "PREDICTED", 37)
    np.testing.assert_allclose(validated(paths, tmp_path).predictions, in_memory.predictions, rtol=1e-12)


def test_an_interrupted_training_goes_on_from_its_checkpoint(tmp_path: Path, paths: list[Path]) -> None:
    params = params_of(MANY)
    whole = train(paths, params, tmp_path / "whole", estimate=False)
    kept, folder = tmp_path / "kept", tmp_path / "resumed"
    for each in (kept, folder):
        each.mkdir()
    schema, rows = training_rows(paths, params, on_disk=tmp_path)
    learner = open_learner(params, schema)
    binned = learner.bin(rows.X, rows.y)
    checkpoint = kept / f"checkpoint-{params.seed}"
    stopped = changed(params, learner={"checkpoint": 1e-9})
    open_learner(stopped, schema).fit(binned, OPTIONS, 1, checkpoint=checkpoint)
    assert checkpoint.exists()
    make_full(paths, params, StudyResult(OPTIONS, 3, ()), folder, estimate=False, checkpoints=kept)
    assert (folder / whole.file).read_bytes() == (tmp_path / "whole" / whole.file).read_bytes()


def test_the_file_has_no_name_that_a_kill_could_leave_behind(tmp_path: Path, paths: list[Path]) -> None:
    (tmp_path / "here").mkdir()
    matrix = empty_matrix(1_000, 3, tmp_path / "here")
    assert isinstance(matrix, np.memmap)
    assert (matrix.shape, matrix.dtype) == ((1_000, 3), np.float32)
    assert not [*(tmp_path / "here").iterdir()]
    made = train(paths, params_of(MANY), tmp_path / "made")
    assert {path.name for path in (tmp_path / "made").iterdir()} == {*made.files}


def test_a_full_disk_is_named(tmp_path: Path, paths: list[Path]) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match="No space left on device") as refused:
            train(paths, params_of(MANY), tmp_path / "made")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert explain(refused.value)
    assert not [*(tmp_path / "made").iterdir()]


WIDE, PER_PART, FEWEST, MOST = 64, 8_000, 3, 10
MEASURED = """
import sys, threading, time
from pathlib import Path
from incumbent.challenger import make_full
from incumbent.learners import torch
from incumbent.tables import parquet
from incumbent.training import training_sets
from tests.training.test_network_from_disk import OPTIONS, StudyResult, params_of
# So that a batch, and the frames that are kept, are small against the rows.
torch.PREDICT_ROWS = training_sets.PREDICTED = 1_024
parquet.RECENT = parquet.RecentFrames(0)
peak, over = 0, threading.Event()
def anonymous():
    text = Path("/proc/self/status").read_text()
    return 1024 * int(next(line for line in text.splitlines() if line.startswith("RssAnon")).split()[1])
def watch():
    global peak
    while not over.wait(0.005):
        peak = max(peak, anonymous())
watcher = threading.Thread(target=watch, daemon=True)
watcher.start()
paths = sorted(Path(sys.argv[1]).glob("part-*.parquet"))[: int(sys.argv[2])]
params = params_of(1_000, retrain={"replay": 1_000}, learner={"batch": 1_024})
make_full(paths, params, StudyResult(OPTIONS, 1, ()), Path(sys.argv[3]))
over.set()
watcher.join()
print(peak)
"""


@pytest.mark.slow
def test_memory_follows_a_partition_and_a_batch_not_all_features(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part in range(MOST):
        frame = pd.DataFrame(rng.normal(size=(PER_PART, WIDE)).astype(np.float32)).rename(
            columns="x{}".format
        )
        frame = frame.assign(y=(frame["x0"] > 0).astype(int))
        frame.to_parquet(tmp_path / f"part-{part}.parquet", index=False)

    def peak(parts: int) -> int:
        (made := tmp_path / f"made-{parts}").mkdir()
        command = [sys.executable, "-c", MEASURED, str(tmp_path), str(parts), str(made)]
        environment = {**os.environ, "PYTHONPATH": os.getcwd(), "MALLOC_ARENA_MAX": "2"}
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
        return int(done.stdout)

    growth = (peak(MOST) - peak(FEWEST)) / ((MOST - FEWEST) * PER_PART)
    assert growth < WIDE * 4 / 2, f"{growth:.0f} bytes a row, whose features have {WIDE * 4}"
