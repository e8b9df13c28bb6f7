"""A network that two processes share, with an embedding table of two million categories."""

import json
import multiprocessing
import re
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from incumbent.errors import BadParams
from incumbent.features.schema import Feature, Schema
from incumbent.learners import Batch, open_learner
from incumbent.learners.network import Shape, TabM
from incumbent.learners.protocol import NotPortable
from incumbent.learners.torch import Network, Torch
from incumbent.learners.torch_training import Training
from incumbent.params import Params
from tests.building import toy_params

CATEGORIES, ROWS = 2_000_000, 1200
OPTIONS = {"rate": 0.01, "width": 16, "depth": 1, "dropout": 0.1, "decay": 1e-3}
TABLE = (CATEGORIES + 1) * 16 * 4
"""Bytes of the embedding table."""


def params_of(shard: bool) -> Params:
    tree = toy_params(promotion={"metric": "roc_auc"}, seed=5).model_dump()
    tree["learner"] = {"name": "torch", "members": 2, "device": "cpu", "shard": shard}
    return Params.model_validate(tree)


def schema_of(categories: int = CATEGORIES) -> Schema:
    words = tuple(f"{number:07d}" for number in range(categories))
    return Schema((Feature("a"), Feature("shop", words), Feature("kind", ("x", "y"))), "y", 1, "binary")


def rows_of(rank: int) -> Batch:
    """The second process has fewer rows, so it repeats some."""
    rng = np.random.default_rng(rank)
    rows = ROWS - 400 * rank
    X = np.column_stack([rng.normal(size=rows), rng.integers(-1, CATEGORIES, rows), rng.integers(0, 3, rows)])
    X[rng.random(rows) < 0.1, 1] = np.nan
    return Batch(X.astype(np.float32), (X[:, 0] + rng.normal(size=rows) > 0).astype(np.int8))


def untrained(folder: Path) -> Path:
    learner, rows = open_learner(params_of(shard=False), schema_of()), rows_of(0)
    start = folder / "start"
    learner.fit(learner.bin(rows.X, rows.y), OPTIONS, 0).save(start)
    return start


def fit_share(rank: int, folder: Path, shard: bool) -> None:
    """One process of the group: writes its model, if it gets one, and the memory that training it took."""
    import incumbent.learners.torch_sharded  # noqa: F401  (brings libraries, whose memory is not the network's)

    torch.distributed.init_process_group("gloo", f"file://{folder / 'group'}", rank=rank, world_size=2)
    learner, rows = open_learner(params_of(shard), schema_of()), rows_of(rank)
    before = psutil.Process().memory_info().rss
    model = learner.fit_share(rows, OPTIONS, 2, folder.parent / "start")
    if model is not None:
        model.save(folder / f"model-{rank}")
    (folder / f"memory-{rank}").write_text(json.dumps(peak() - before))
    torch.distributed.destroy_process_group()


def peak() -> int:
    """The most bytes that were resident in this process."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Folders with what the two processes wrote, by whether the network was sharded."""
    top = tmp_path_factory.mktemp("sharded")
    untrained(top)
    folders, context = {}, multiprocessing.get_context("spawn")
    for shard in (False, True):
        folders[shard] = top / f"shard-{shard}"
        folders[shard].mkdir()
        group = [context.Process(target=fit_share, args=(rank, folders[shard], shard)) for rank in range(2)]
        for process in group:
            process.start()
        for process in group:
            process.join(300)
        assert [process.exitcode for process in group] == [0, 0]
    return folders


@pytest.mark.slow
def test_a_shared_network_predicts_as_one_of_which_each_worker_holds_all(trained: dict[bool, Path]) -> None:
    rows = rows_of(2)
    models = {shard: Torch.load(folder / "model-0", 1) for shard, folder in trained.items()}
    predicted = {shard: model.predict(rows.X) for shard, model in models.items()}
    np.testing.assert_allclose(predicted[True], predicted[False], atol=1e-6)
    untouched = Torch.load(trained[True].parent / "start", 1).predict(rows.X)
    assert np.abs(predicted[True] - untouched).max() > 0.05


@pytest.mark.slow
def test_its_file_has_the_format_of_every_network(trained: dict[bool, Path]) -> None:
    shared, whole = (Torch.load(trained[shard] / "model-0", 1).net.state_dict() for shard in (True, False))
    assert {name: tensor.shape for name, tensor in shared.items()} == {
        name: tensor.shape for name, tensor in whole.items()
    }
    assert (trained[True] / "model-0").stat().st_size == (trained[False] / "model-0").stat().st_size
    assert not (trained[True] / "model-1").exists()  # it holds half of the network


@pytest.mark.slow
def test_two_workers_need_about_half_the_memory_each(trained: dict[bool, Path]) -> None:
    """Of the second process, as the first one collects the whole network at the end."""
    whole, shared = (json.loads((trained[shard] / "memory-1").read_text()) for shard in (False, True))
    assert whole > 4 * TABLE  # weights, gradients, AdamW's two averages
    assert shared < 0.6 * whole


def test_a_network_that_no_gpu_holds_ends_with_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_training: Training) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB. GPU 0 has a total …")

    monkeypatch.setattr(Training, "epoch", full)
    learner, rows = open_learner(params_of(shard=False), schema_of(3)), rows_of(0)
    with pytest.raises(BadParams) as caught:
        learner.fit(learner.bin(rows.X, rows.y), OPTIONS, 1)
    assert "(CUDA out of memory. Tried to allocate 9.00 GiB); in params.yaml lower" in str(caught.value)
    assert "learner.shard: true and train with --engine ray" in str(caught.value)


def test_a_network_beyond_what_an_onnx_file_holds_is_released_without_one() -> None:
    with torch.device("meta"):
        net = TabM(Shape((), (0,), (40_000_000,), outputs=1, members=2, width=8, depth=1))
    exported = Network(net, "binary", 1, 0.0, 1.0, 1).to_onnx()
    assert exported == NotPortable("the network has 2.6 GB, and an ONNX file holds 2 GB")


@pytest.mark.parametrize(("shard", "used"), [(False, "cuda"), (True, "cpu")])
def test_a_process_alone_holds_a_sharded_network_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, shard: bool, used: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    tree = params_of(shard).model_dump()
    params = Params.model_validate({**tree, "learner": {**tree["learner"], "device": "auto"}})
    device = open_learner(params, schema_of(3)).device
    assert device.used == used
    assert (device.fell_back is None) is (used == "cuda")
