"""One contract, held by every learner for every task on every device that this machine has."""

import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from incumbent.challenger import make_full, search
from incumbent.compare import score
from incumbent.errors import BadInput, Tampered
from incumbent.features.rows import Rows
from incumbent.features.schema import Feature, Schema
from incumbent.learners import Batch, Learner, Trained, learner_type, open_learner
from incumbent.learners.devices import lightgbm_device, torch_device
from incumbent.learners.lightgbm_update import MOST_TO_REFIT
from incumbent.models.calibration import Output
from incumbent.models.onnx_export import TOLERANCE, check_onnx, odd_rows, rewrite_schema, to_onnx
from incumbent.params import METRICS, Params, Task, TorchParams
from incumbent.search.tune import StudyResult, tune
from tests.building import changed, toy_params

ROWS = 1200
METRIC: dict[Task, str] = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}
ROOT = Path(__file__).parents[2]

OPTIONS: dict[str, dict[str, Any]] = {
    "lightgbm": {"learning_rate": 0.1, "num_leaves": 15, "min_child_samples": 20},
    "torch": {"rate": 3e-3, "width": 48, "depth": 2, "dropout": 0.1, "decay": 1e-3},
}
ROUNDS = {"lightgbm": 40, "torch": 25}
SOON: dict[str, float] = {"lightgbm": 4, "torch": 1e-9}
CHANCE = {
    "lightgbm": {"bagging_fraction": 0.7, "bagging_freq": 1, "feature_fraction": 0.6},
    "torch": {"dropout": 0.3},
}
DEVICES = {
    "lightgbm": [None, "gpu"],
    "torch": ["cpu", *(["cuda"] if torch.cuda.is_available() else [])],
}
CASES = [
    pytest.param(
        name,
        task,
        device,
        id=f"{name}-{task}-{device or 'cpu'}",
        marks=[pytest.mark.opencl] if device == "gpu" else [],
    )
    for name, devices in DEVICES.items()
    for device in devices
    for task in METRIC
]


@dataclass(frozen=True)
class Case:
    """A learner, and an easy table: two numbers with gaps, noise, and a category."""

    name: str
    params: Params
    schema: Schema
    X: np.ndarray
    y: np.ndarray

    @property
    def learner(self) -> Learner:
        return open_learner(self.params, self.schema)

    def fitted(self, rows: np.ndarray | None = None, rounds: int | None = None) -> Trained:
        learner = self.learner
        return learner.fit(learner.bin(self.X, self.y), OPTIONS[self.name], rounds or ROUNDS[self.name], rows)

    def loss(self, model: Trained, rows: np.ndarray) -> float:
        """Smaller is better, whatever the metric."""
        metric = self.params.promotion.metric
        value = score(self.y[rows], model.predict(self.X[rows]), self.params.promotion)
        return -value if METRICS[metric].greater_is_better else value


def table(task: Task, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(ROWS, 4)).astype(np.float32)
    X[:, 3] = rng.integers(0, 3, ROWS)
    signal = X[:, 0] + (X[:, 1] > 0) + (X[:, 3] == 1) + 0.3 * rng.normal(size=ROWS)
    X[rng.random(ROWS) < 0.1, 1] = np.nan
    if task == "regression":
        return X, signal * 100 + 1000
    if task == "multiclass":
        return X, np.digitize(signal, [0.3, 1.3]).astype(np.int32)
    return X, (signal > 0.8).astype(np.int8)


def make_case(name: str, task: Task, device: str | None) -> Case:
    if device == "gpu" and (missing := lightgbm_device("gpu").fell_back):
        pytest.skip(missing)
    tree = toy_params(task=task, promotion={"metric": METRIC[task]}, seed=5).model_dump()
    tree["learner"] = {"name": name, **({"device": device} if device else {})}
    features = (*(Feature(each) for each in "abc"), Feature("d", ("x", "y", "z")))
    schema = Schema(features, "y", 1, task, ("0", "1", "2") if task == "multiclass" else ())
    return Case(name, Params.model_validate(tree), schema, *table(task))


@pytest.mark.parametrize(("name", "task", "device"), CASES)
class TestContract:
    def test_it_learns(self, name: str, task: Task, device: str | None) -> None:
        case = make_case(name, task, device)
        fit, held = np.arange(900), np.arange(900, ROWS)
        y = case.y[fit]
        constant = np.bincount(y) / len(y) if task == "multiclass" else y.mean()
        trivial = np.tile(constant, (len(held), 1)) if task == "multiclass" else np.full(len(held), constant)
        metric = case.params.promotion.metric
        baseline = score(case.y[held], trivial, case.params.promotion)
        found = score(case.y[held], case.fitted(fit).predict(case.X[held]), case.params.promotion)
        assert METRICS[metric].gain(baseline, found) > 0.3 * abs(baseline)

    def test_its_predictions_have_the_tasks_shape(self, name: str, task: Task, device: str | None) -> None:
        case = make_case(name, task, device)
        predicted = case.fitted(rounds=3).predict(case.X[:50])
        assert predicted.dtype == np.float64
        assert predicted.shape == ((50, 3) if task == "multiclass" else (50,))
        if task != "regression":
            assert ((predicted >= 0) & (predicted <= 1)).all()
        if task == "multiclass":
            np.testing.assert_allclose(predicted.sum(axis=1), 1)

    def test_an_interrupted_training_goes_on_to_the_same_bytes(
        self, name: str, task: Task, device: str | None, tmp_path: Path
    ) -> None:
        case = make_case(name, task, device)
        tree = case.params.model_dump()
        tree["learner"]["checkpoint"] = SOON[name]
        case = replace(case, params=Params.model_validate(tree))
        learner, options = case.learner, {**OPTIONS[name], **CHANCE[name]}
        binned = learner.bin(case.X, case.y)
        weights = np.linspace(0.5, 2, len(case.y))
        whole, halves = tmp_path / "whole", tmp_path / "halves"
        learner.fit(binned, options, 11, weights=weights).save(whole)
        learner.fit(binned, options, 8, weights=weights, checkpoint=tmp_path / "kept")
        case.learner.fit(binned, options, 11, weights=weights, checkpoint=tmp_path / "kept").save(halves)
        assert whole.read_bytes() == halves.read_bytes()

    def test_equal_input_gives_equal_bytes_and_another_seed_others(
        self, name: str, task: Task, device: str | None, tmp_path: Path
    ) -> None:
        case, written = make_case(name, task, device), []
        for number, learner in enumerate([case.learner, case.learner, case.learner.reseeded(6)]):
            options = {
                **OPTIONS[name],
                **({"bagging_fraction": 0.5, "bagging_freq": 1} if name == "lightgbm" else {}),
            }
            learner.fit(learner.bin(case.X, case.y), options, 5).save(tmp_path / str(number))
            written.append((tmp_path / str(number)).read_bytes())
        assert written[0] == written[1] != written[2]

    def test_a_saved_model_predicts_the_same(
        self, name: str, task: Task, device: str | None, tmp_path: Path
    ) -> None:
        case = make_case(name, task, device)
        model = case.fitted(rounds=5)
        model.save(tmp_path / case.learner.file)
        loaded = learner_type(name).load(tmp_path / case.learner.file, 1)
        assert np.array_equal(loaded.predict(case.X), model.predict(case.X))
        assert loaded.rounds == model.rounds == 5
        assert b"pickle" not in (tmp_path / case.learner.file).read_bytes()[:1000]

    def test_a_row_is_predicted_alike_alone_and_among_others(
        self, name: str, task: Task, device: str | None
    ) -> None:
        case = make_case(name, task, device)
        model = case.fitted(rounds=5)
        np.testing.assert_allclose(model.predict(case.X)[7:8], model.predict(case.X[7:8]), rtol=1e-12)

    def test_missing_infinite_and_unknown_cells_are_predicted(
        self, name: str, task: Task, device: str | None
    ) -> None:
        case = make_case(name, task, device)
        model = case.fitted(rounds=5)
        odd = np.array(
            [[np.nan] * 4, [np.inf, -np.inf, 0, 1], [0, 0, 0, 99], [3e38, -3e38, 0, -1]], dtype=np.float32
        )
        predicted = model.predict(odd)
        assert np.isfinite(predicted).all()
        nothing = np.array([[0, 0, 0, np.nan]], dtype=np.float32)
        np.testing.assert_allclose(model.predict(nothing), predicted[2:3])  # unknown is coded as missing

    def test_each_point_of_a_curve_is_what_a_model_of_so_many_rounds_scores(
        self, name: str, task: Task, device: str | None
    ) -> None:
        case, held = make_case(name, task, device), np.arange(900, ROWS)
        binned = case.learner.bin(case.X, case.y)
        curve = case.learner.curve(binned, OPTIONS[name], np.arange(900), held)
        first, second = next(curve), next(curve)
        assert 1 <= first.rounds < second.rounds <= case.params.learner.rounds
        for point in (first, second):
            again = case.learner.fit(binned, OPTIONS[name], point.rounds, np.arange(900))
            assert -case.loss(again, held) == pytest.approx(point.score, rel=1e-6)

    def test_a_curve_ends_after_the_rounds_that_params_allow(
        self, name: str, task: Task, device: str | None
    ) -> None:
        case = make_case(name, task, device)
        learner = open_learner(changed(case.params, learner={"rounds": 12}), case.schema)
        binned = learner.bin(case.X, case.y)
        points = list(learner.curve(binned, OPTIONS[name], np.arange(900), np.arange(900, ROWS)))
        assert points[-1].rounds == 12
        assert [each.rounds for each in points] == sorted({each.rounds for each in points})

    def test_an_update_learns_the_new_and_keeps_the_old(
        self, name: str, task: Task, device: str | None, tmp_path: Path
    ) -> None:
        case = make_case(name, task, device)
        old = case.fitted(np.arange(600))
        old.save(tmp_path / case.learner.file)
        fresh, replay = np.arange(600, 1000), np.arange(400)
        updated = [
            case.learner.update(
                tmp_path / case.learner.file,
                Batch(case.X[fresh], case.y[fresh]),
                Batch(case.X[replay], case.y[replay]),
                OPTIONS[name],
                len(replay),
            )
            for _ in range(2)
        ]
        for number, model in enumerate(updated):
            model.save(tmp_path / str(number))
        assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()
        assert updated[0].rounds == old.rounds + case.params.learner.update_rounds
        held = np.arange(1000, ROWS)
        assert case.loss(updated[0], held) < case.loss(old, held) + 0.05 * abs(case.loss(old, held))

    def test_a_heavier_row_counts_more(self, name: str, task: Task, device: str | None) -> None:
        case = make_case(name, task, device)
        learner, high = case.learner, case.y > np.median(case.y)
        if task != "regression":
            high = case.y == case.y.max()
        binned, means = learner.bin(case.X, case.y), []
        for weights in (None, np.where(high, 20.0, 1.0)):
            model = learner.fit(
                binned, OPTIONS[name], 8, np.arange(900), None if weights is None else weights[:900]
            )
            predicted = model.predict(case.X[900:])
            means.append((predicted[:, -1] if task == "multiclass" else predicted).mean())
        assert means[1] > means[0]

    def test_onnx_predicts_the_same(self, name: str, task: Task, device: str | None, tmp_path: Path) -> None:
        case = make_case(name, task, device)
        model = case.fitted(rounds=5)
        exported = to_onnx(model, Output(), case.schema.to_json())
        assert isinstance(exported, bytes)
        rows = odd_rows(case.X, case.schema)
        assert check_onnx(exported, rows, model.predict(rows)) <= TOLERANCE
        assert exported == to_onnx(model, Output(), case.schema.to_json())
        (tmp_path / "model.onnx").write_bytes(exported)
        rewrite_schema(tmp_path / "model.onnx", case.schema.to_json())
        assert (tmp_path / "model.onnx").read_bytes() == exported

    def test_what_it_looks_at_is_told_by_feature(self, name: str, task: Task, device: str | None) -> None:
        case = make_case(name, task, device)
        gains = case.fitted().gains()
        assert gains.shape == (4,)
        assert gains[0] > gains[2]  # the signal's number against noise

    def test_a_file_that_is_no_model_is_refused(
        self, name: str, task: Task, device: str | None, tmp_path: Path
    ) -> None:
        (tmp_path / "model").write_bytes(b"something else, long enough to have a header")
        with pytest.raises(Tampered, match="model"):
            learner_type(name).load(tmp_path / "model", 1)


def test_a_learner_of_the_future_is_refused() -> None:
    with pytest.raises(BadInput, match="'oracle', which this incumbent does not know: upgrade"):
        learner_type("oracle")


def test_trees_that_can_not_grow_are_done_whenever_one_asks(tmp_path: Path) -> None:
    """Nothing separates the classes, so growing ends in the middle of a stretch."""
    case = make_case("lightgbm", "binary", None)
    case = replace(case, X=np.zeros_like(case.X))
    learner, kept = case.learner, tmp_path / "kept"
    for file in ("first", "second"):
        binned = learner.bin(case.X, case.y)
        learner.fit(binned, OPTIONS["lightgbm"], 150, checkpoint=kept).save(tmp_path / file)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_an_update_with_very_many_rows_takes_no_more_memory_than_with_many(tmp_path: Path) -> None:
    case = make_case("lightgbm", "binary", None)
    old = case.fitted(np.arange(600))
    old.save(tmp_path / "model.txt")
    often = np.resize(np.arange(600, 1000), 4 * MOST_TO_REFIT)
    fresh, replay = Batch(case.X[often], case.y[often]), Batch(case.X[:400], case.y[:400])
    tracemalloc.start()
    updated = case.learner.update(tmp_path / "model.txt", fresh, replay, OPTIONS["lightgbm"], 600)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(often) * old.rounds * 8  # a leaf of each tree for each row
    held = np.arange(1000, ROWS)
    assert case.loss(updated, held) < case.loss(old, held) + 0.05 * abs(case.loss(old, held))


def compiled() -> Case:
    case = make_case("torch", "binary", "cpu")
    return replace(
        case, params=case.params.model_copy(update={"learner": TorchParams(name="torch", compile=True)})
    )


def test_without_a_compiler_it_is_said_what_to_install(tmp_path: Path) -> None:
    code = "from tests.learners.test_learners import compiled; compiled().fitted(rounds=1)"
    none = {**os.environ, "CXX": str(tmp_path / "none"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=none, cwd=ROOT, capture_output=True, text=True)
    said = done.stderr.splitlines()[-1]
    assert "BadParams: torch can't compile" in said
    assert "or set learner.compile: false" in said


def test_a_compiled_network_predicts_like_one_that_is_not() -> None:
    whole, plain = compiled().fitted(rounds=3), make_case("torch", "binary", "cpu").fitted(rounds=3)
    np.testing.assert_allclose(
        whole.predict(table("binary")[0]), plain.predict(table("binary")[0]), atol=1e-4
    )


@pytest.mark.parametrize(
    ("wanted", "count", "chosen"),
    [("auto", 0, "cpu"), ("auto", 1, "cuda"), ("auto", 4, "cuda"), ("cpu", 4, "cpu"), ("cuda", 2, "cuda")],
)
def test_the_device_follows_what_the_process_may_see(
    monkeypatch: pytest.MonkeyPatch, wanted: Any, count: int, chosen: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert torch_device(wanted).used == chosen


def test_a_gpu_that_is_not_there_is_no_silent_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert torch_device("auto").fell_back is None
    assert torch_device("cuda").fell_back == "this process sees no CUDA device"
    found = lightgbm_device("cuda")
    if found.used == "cpu":
        assert "CUDA" in str(found.fell_back)


def test_a_model_tells_where_it_was_trained(
    thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    params = changed(quick_params, learner={"device": "cuda"})
    made = make_full(thinned[:1], params, StudyResult({}, 3, ()), tmp_path, estimate=False)
    assert made.device.asked == "cuda"
    assert (made.device.used == "cuda") is (made.device.fell_back is None)


def test_a_network_of_real_flights_passes_its_first_parse_and_is_no_worse_than_trees(
    thinned: Sequence[Path], quick_params: Params, tmp_path: Path
) -> None:
    """The whole way: schema, search, challenger's files, and the process that opens them first."""
    tree = changed(quick_params, search={"trials": 1, "folds": 3}).model_dump()
    scores = {}
    for learner in (
        {"name": "torch", "rounds": 4, "members": 4, "batch": 1024},
        {"name": "lightgbm", "rounds": 60},
    ):
        params = Params.model_validate({**tree, "learner": learner})
        folder = tmp_path / learner["name"]
        folder.mkdir()
        made = make_full(thinned[:1], params, search(thinned[:1], params), folder)
        assert made.onnx.reason is None
        assert made.cv is not None
        scores[learner["name"]] = made.cv.mean
        manifest = {"version": "v1", "learner": learner["name"], "schema": made.lineage.document}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        probed = subprocess.run(
            [sys.executable, "-m", "incumbent.models.probe", folder],
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(probed.stdout) == {"passed": True}
    assert scores["torch"] > scores["lightgbm"] - 0.05


def test_trees_of_a_tiny_table_still_split() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(45, 2)).astype("float32")
    y = (X[:, 0] > 0).astype("int8")
    params, schema = toy_params(search={"trials": 2}), Schema((Feature("a"), Feature("b")), "y", 1)
    study = tune(Rows(X, y, rng.random(45)), open_learner(params, schema), schema, params)
    assert max(trial.value for trial in study.trials) > 0.9
