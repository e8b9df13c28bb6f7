"""One model by two processes that share the rows, on Ray clusters of this machine."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from incumbent.challenger import REPLAY, Challenger, make_full, open_challenger
from incumbent.errors import BadData, BadParams
from incumbent.features.frames import Side
from incumbent.features.rows import read_rows
from incumbent.machine.resources import resources
from incumbent.params import Params, TorchParams
from incumbent.rebuild import Order
from incumbent.search.tune import StudyResult
from incumbent.training.engine import LOCAL, Engine, chosen
from incumbent.training.on_ray import deal, failure_of
from tests.building import changed

TWO = Engine("ray", 2)
TREES = StudyResult({"num_leaves": 15, "bagging_fraction": 0.8, "bagging_freq": 1}, 20, ())
NETWORK = StudyResult({"rate": 0.01, "width": 32, "depth": 1, "dropout": 0.1, "decay": 1e-4}, 4, ())


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A cluster that somebody else started; RAY_ADDRESS leads to it."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("OMP_WAIT_POLICY", "PASSIVE")
        node = {"num_cpus": 2, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=node)
        patch.setenv("RAY_ADDRESS", cluster.address)
        try:
            yield cluster.address
        finally:
            cluster.shutdown()


@pytest.fixture(scope="module")
def params(quick_params: Params) -> Params:
    return changed(quick_params, retrain={"window": "all", "replay": 2000})


@pytest.fixture(scope="module")
def network_params(params: Params) -> Params:
    return params.model_copy(update={"learner": TorchParams(name="torch")})


@pytest.fixture(scope="module")
def trees(
    cluster: str, thinned: Sequence[Path], params: Params, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Challenger, Path]:
    folder = tmp_path_factory.mktemp("trees")
    return make_full(thinned, params, TREES, folder, engine=TWO), folder


def auc(made: Challenger, params: Params, folder: Path, paths: Sequence[Path]) -> float:
    rows = read_rows(paths, made.schema, params, Side.HOLDOUT)
    model = open_challenger(made, params, folder, "v1")
    return float(roc_auc_score(rows.y, model.trained.predict(rows.X)))


def manifest(made: Challenger, params: Params, paths: Sequence[Path]) -> dict[str, Any]:
    """What of it matters to a rebuild."""
    return {
        "params": params.model_dump(mode="json"),
        "schema": made.lineage.document,
        "options": made.options,
        "rounds": made.rounds,
        "engine": made.engine.to_json(),
        "files": {},
        "data": {"partitions": {path.name: "" for path in paths}},
    }


@pytest.mark.slow
def test_two_workers_grow_trees_as_good_as_those_of_one_process(
    trees: tuple[Challenger, Path], thinned: Sequence[Path], params: Params, tmp_path: Path
) -> None:
    shared, folder = trees
    alone = make_full(thinned, params, TREES, tmp_path, estimate=False)
    assert auc(shared, params, folder, thinned) == pytest.approx(
        auc(alone, params, tmp_path, thinned), abs=0.02
    )
    assert (shared.engine, alone.engine) == (TWO, LOCAL)
    # Both have learned from all rows, and say the same of them.
    assert (shared.rows, shared.schema, shared.cleaned) == (alone.rows, alone.schema, alone.cleaned)
    assert shared.prior == pytest.approx(alone.prior)
    assert shared.cv is None
    assert shared.onnx.reason is None
    assert (folder / REPLAY).read_bytes() == (tmp_path / REPLAY).read_bytes()


@pytest.mark.slow
def test_what_workers_use_counts_for_the_process_that_has_them_train(
    cluster: str, thinned: Sequence[Path], params: Params, tmp_path: Path
) -> None:
    before, own = resources(), psutil.Process().cpu_times()
    make_full(thinned, params, TREES, tmp_path, engine=TWO, estimate=False)
    spent, after = resources().since(before), psutil.Process().cpu_times()
    itself = sum(after[:4]) - sum(own[:4])  # and its children
    assert spent.cpu_seconds > itself + 2, "both workers import, read and train"


@pytest.mark.slow
def test_a_version_of_ray_is_made_again_byte_for_byte_by_as_many_workers(
    trees: tuple[Challenger, Path], thinned: Sequence[Path], params: Params, tmp_path: Path
) -> None:
    """On another cluster, which it starts and ends itself, as there is none at RAY_ADDRESS."""
    shared, folder = trees
    made_with = manifest(shared, changed(params, retrain={"workers": 5}), thinned)
    files, order = {path.name: path for path in thinned}, tmp_path / "order.json"
    Order(made_with, files, None, tmp_path).write(order)
    done = subprocess.run(
        [sys.executable, "-m", "incumbent.rebuild", str(order)],
        env={name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["files"] == list(shared.files)
    for name in shared.files:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


@pytest.mark.slow
def test_two_workers_train_a_network_as_good_as_that_of_one_process(
    cluster: str, thinned: Sequence[Path], network_params: Params, tmp_path: Path
) -> None:
    (tmp_path / "alone").mkdir()
    alone = make_full(thinned, network_params, NETWORK, tmp_path / "alone", estimate=False)
    shared = make_full(thinned, network_params, NETWORK, tmp_path, engine=TWO)
    assert (shared.file, shared.rounds, shared.engine) == ("model.safetensors", NETWORK.rounds, TWO)
    assert auc(shared, network_params, tmp_path, thinned) == pytest.approx(
        auc(alone, network_params, tmp_path / "alone", thinned), abs=0.02
    )


@pytest.mark.slow
def test_workers_that_share_a_network_make_the_version_that_they_make_with_a_whole_one_each(
    cluster: str, thinned: Sequence[Path], network_params: Params, tmp_path: Path
) -> None:
    shared = changed(network_params, learner={"shard": True})
    rows, made, predicted = None, [], []
    for number, params in enumerate((network_params, shared)):
        folder = tmp_path / str(number)
        folder.mkdir()
        made.append(make_full(thinned, params, NETWORK, folder, engine=TWO))
        rows = rows or read_rows(thinned, made[0].schema, params, Side.HOLDOUT)
        predicted.append(open_challenger(made[-1], params, folder, "v1").trained.predict(rows.X))
    assert predicted[1] == pytest.approx(predicted[0], abs=1e-6)
    first, second = (each.to_json() for each in made)
    assert second["onnx"]["reason"] is None
    for document in (first, second):
        document.pop("onnx")  # how far rounding is from zero
        document.pop("importances")
    assert first == second


def training() -> set[int]:
    """The processes of workers that train. Once there is one Ray has set the signal handlers that it sets."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if "ray::RayTrainWorker" in " ".join(process.cmdline()):
                found.add(process.pid)
    return found


class Cancelled(BaseException):
    """As Prefect's of a run that is told to stop."""


@pytest.mark.slow
def test_a_signal_ends_a_training_at_once(
    cluster: str, thinned: Sequence[Path], params: Params, tmp_path: Path
) -> None:
    import ray

    def stop(_signum: int, _frame: object) -> None:
        raise Cancelled

    def send_when_it_trains() -> None:
        while not training() - others:
            time.sleep(0.1)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGTERM)

    others, sent = training(), list[float]()
    before = signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=send_when_it_trains, daemon=True).start()
    try:
        with pytest.raises(Cancelled):
            make_full(thinned, params, StudyResult({}, 100_000, ()), tmp_path, engine=TWO)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert time.monotonic() - sent[0] < 10
    assert not ray.is_initialized()


@given(st.lists(st.integers(0, 100), min_size=1, max_size=30), st.integers(1, 6))
def test_every_partition_with_rows_has_one_reader(counts: list[int], workers: int) -> None:
    there = [number for number, count in enumerate(counts) if count]
    if len(there) < workers:
        with pytest.raises(BadParams, match=f"the window has {len(there)} with training rows"):
            deal(counts, workers)
        return
    shares = deal(counts, workers)
    assert sorted(number for share in shares for number in share) == there
    assert all(share == sorted(share) for share in shares)
    loads = [sum(counts[number] for number in share) for share in shares]
    assert min(loads) > 0
    assert max(loads) - min(loads) <= max(counts)


@pytest.mark.parametrize(
    ("section", "values", "told"),
    [
        pytest.param("retrain", {"window": "auto"}, "retrain.window = 'auto'", id="window"),
        pytest.param("retrain", {"replay": 0}, "retrain.replay = 0", id="no sample"),
        pytest.param("imbalance", {"method": "smote"}, "imbalance.method = 'smote'", id="resampling"),
        pytest.param("imbalance", {"calibrate": "sigmoid"}, "imbalance.calibrate", id="calibration"),
        pytest.param("bias", {"reweigh": "origin"}, "bias.reweigh = 'origin'", id="reweighing"),
        pytest.param("bias", {"reduce": "origin"}, "bias.reduce = 'origin'", id="reduction"),
        pytest.param("decision", {"false_negative": 2.0}, "decision.false_negative", id="costs"),
        pytest.param("features", {"target": ["dest"]}, "features.target = ['dest']", id="target means"),
        pytest.param("features", {"function": "own:build"}, "features.function = 'own:build'", id="own code"),
        pytest.param("search", {"scheme": "time-series"}, "search.scheme = 'time-series'", id="order"),
        pytest.param("search", {"workers": 2}, "search.workers = 2", id="shared study"),
    ],
)
def test_what_needs_all_rows_in_one_process_is_refused_with_ray(
    params: Params, section: str, values: dict[str, Any], told: str
) -> None:
    asked = changed(params, **{section: values})
    assert chosen("local", asked) == LOCAL
    with pytest.raises(BadParams) as caught:
        chosen("ray", asked)
    assert told in str(caught.value)
    assert "--engine local" in str(caught.value)


def test_the_number_of_workers_is_the_parameters(params: Params) -> None:
    assert chosen("ray", changed(params, retrain={"workers": 7})) == Engine("ray", 7)


def test_without_ray_the_extra_is_named(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as Python tells of a module that is not there
    with pytest.raises(BadParams, match=r"pip install 'incumbent\[ray\]'"):
        chosen("ray", params)


def test_ray_is_not_imported_unless_it_trains() -> None:
    told = "import sys, incumbent.cli.commands, incumbent.challenger; print('ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_a_worker_refuses_is_said_in_its_own_words() -> None:
    from ray.train import TrainingFailedError
    from ray.train.v2._internal.exceptions import UserExceptionWithTraceback
    from ray.train.v2.api.exceptions import WorkerGroupError

    raised = BadData("no row has a label")
    failed: TrainingFailedError = WorkerGroupError(
        "rank 1", {1: UserExceptionWithTraceback(raised, "Traceback (most recent call last): ...")}
    )
    assert failure_of(failed) is raised
    told = str(failure_of(TrainingFailedError("out of memory")))
    assert told == "training on Ray ended early: out of memory; see Ray's logs, and run it again"
