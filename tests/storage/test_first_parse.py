"""A model file that crashes, hangs or misleads its parser is refused, and this process lives on."""

import json
import pickle
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from incumbent.errors import BadInput, Tampered
from incumbent.features.schema import Feature, Schema
from incumbent.learners.lightgbm import Trees
from incumbent.models.golden import GOLDEN, make_golden
from incumbent.models.model import Model, open_model
from incumbent.storage.registry.registry import Registry
from incumbent.storage.s3.client import connect
from incumbent.storage.s3.store import Store
from incumbent.storage.serving.first_parse import MARK, first_parse
from incumbent.storage.serving.model_cache import load_champion, load_model

MODEL = "model.txt"
SCHEMA = Schema((Feature("day", ("fri", "mon")), Feature("hour"), Feature("wind")), "late")


@dataclass(frozen=True)
class Good:
    """A small model, its files, and rows to score."""

    folder: Path
    frame: pd.DataFrame
    predictions: np.ndarray

    @property
    def text(self) -> str:
        return (self.folder / MODEL).read_text()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Good:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "day": rng.choice(["fri", "mon", "sat"], 400),
            "hour": rng.integers(0, 24, 400),
            "wind": rng.normal(size=400),
        }
    )
    late = (frame["hour"] > 15) ^ (frame["wind"] > 0.5) ^ (frame["day"] == "fri")
    options = {"objective": "binary", "num_leaves": 8, "num_threads": 1, "verbosity": -1}
    binned = lgb.Dataset(SCHEMA.encode(frame), late.to_numpy(int), categorical_feature=[0])
    model = Model("v1", SCHEMA, Trees(lgb.train(options, binned, 12), 1))
    folder = tmp_path_factory.mktemp("good")
    model.trained.save(folder / MODEL)
    make_golden(frame, model).to_parquet(folder / GOLDEN, index=False)
    return Good(folder, frame, model.predict(frame))


def publish(registry: Registry, folder: Path, names: tuple[str, ...] = (MODEL, GOLDEN), **more: Any) -> None:
    """As version v1, with digests of whatever bytes are there, as a broken or an evil writer does."""
    manifest = {"learner": "lightgbm", "schema": SCHEMA.to_json(), **more}
    registry.publish("v1", {name: folder / name for name in names}, manifest)


def cached(project: Path) -> list[str]:
    return sorted(path.name for path in project.rglob("*") if path.is_file())


# --- what a model file can do to its parser


def truncated(text: str) -> str:
    return text[: len(text) * 2 // 3]


def edited(text: str, field: str, value: str) -> str:
    """With another first value in this line of the first tree."""
    return re.sub(rf"^({field}=)\S+", rf"\g<1>{value}", _unsized(text), count=1, flags=re.MULTILINE)


def half_the_trees(text: str) -> str:
    head, *trees = re.split(r"(?=^Tree=)", _unsized(text), flags=re.MULTILINE)
    end = trees[-1].split("end of trees")[1]
    return "".join([head, *trees[: len(trees) // 2], "end of trees", end])


def nan_leaf(text: str) -> str:
    return edited(text, "leaf_value", "nan")


def wild_feature(text: str) -> str:
    return edited(text, "split_feature", "2000000000")


def looped_tree(text: str) -> str:
    """The root's children are the root."""
    return edited(edited(text, "left_child", "0"), "right_child", "0")


def other_leaf(text: str) -> str:
    return edited(text, "leaf_value", "0.3")


def _unsized(text: str) -> str:
    """Without the header's sizes of the trees, by which LightGBM's reader would miss the next tree."""
    return re.sub(r"^tree_sizes=.*\n", "", text, flags=re.MULTILINE)


def empty(_: str) -> str:
    return ""


def a_pickle(_: str) -> str:
    return pickle.dumps({"model": [1.0]}, protocol=0).decode("ascii")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        pytest.param(truncated, r"crashed its parser \(SIG(SEGV|ABRT)\)", id="truncated"),
        pytest.param(half_the_trees, r"does not predict what it did", id="half the trees"),
        pytest.param(nan_leaf, r"predicts NaN or infinity", id="NaN leaf"),
        pytest.param(wild_feature, r"crashed its parser \(SIGSEGV\)", id="split on a feature far away"),
        pytest.param(other_leaf, r"does not predict what it did", id="another leaf"),
        pytest.param(a_pickle, r"LightGBM can't read model.txt", id="a pickle"),
        pytest.param(empty, r"LightGBM can't read model.txt", id="empty"),
    ],
)
def test_a_model_that_would_break_its_parser_is_refused_and_leaves_nothing(
    damage: Callable[[str], str], told: str, good: Good, registry: Registry, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / MODEL).write_text(damage(good.text))
    (broken / GOLDEN).write_bytes((good.folder / GOLDEN).read_bytes())
    publish(registry, broken)
    with pytest.raises(Tampered, match=told) as caught:
        load_model(tmp_path / "project", registry, "v1")
    assert "'v1'" in str(caught.value)
    assert cached(tmp_path / "project") == []


def test_an_endless_loop_is_ended(good: Good, tmp_path: Path) -> None:
    (tmp_path / MODEL).write_text(looped_tree(good.text))
    (tmp_path / GOLDEN).write_bytes((good.folder / GOLDEN).read_bytes())
    manifest = {"version": "v1", "learner": "lightgbm", "schema": SCHEMA.to_json(), "files": {GOLDEN: {}}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(Tampered, match="'v1' did not open within 3 s"):
        first_parse(tmp_path, manifest, timeout=3)
    assert not (tmp_path / MARK).exists()


# --- when it goes well, or never gets that far


@dataclass
class Started:
    """How many subprocesses were started, and with what environment."""

    environments: list[dict[str, str]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    seen, run = Started([]), subprocess.run

    def watched(*args: Any, **kwargs: Any) -> Any:
        seen.environments.append(kwargs["env"])
        return run(*args, **kwargs)

    monkeypatch.setattr(subprocess, "run", watched)
    return seen


def test_a_champion_is_opened_in_a_subprocess_once_and_then_costs_one_request(
    good: Good, registry: Registry, tmp_path: Path, started: Started
) -> None:
    assert load_champion(tmp_path, registry) is None
    publish(registry, good.folder)
    registry.promote("v1", 1, None, "first")
    loaded = [load_champion(tmp_path, registry)]
    watched, asked = registry_with_watch(registry)
    loaded.append(load_champion(tmp_path, watched))
    assert asked == ["GET"]
    for model in loaded:
        assert model is not None
        assert model.version == "v1"
        assert np.array_equal(model.predict(good.frame), good.predictions)
    (environment,) = started.environments
    assert not [name for name in environment if name.startswith(("AWS_", "PREFECT_"))]
    (mark,) = tmp_path.rglob(MARK)
    mark.write_bytes(mark.read_bytes().replace(b'"lightgbm": "', b'"lightgbm": "1'))
    load_champion(tmp_path, registry)
    assert len(started.environments) == 2, "another LightGBM must open it anew"


def registry_with_watch(registry: Registry) -> tuple[Registry, list[str]]:
    """The same registry, and the methods of the requests that it makes from now on."""
    connection, asked = connect(), list[str]()
    for client in (connection.reads, connection.writes):
        client.meta.events.register("before-send.s3", lambda request, **_: asked.append(request.method))
    return Registry(Store(registry.store.bucket, registry.store.root, connection), registry.model), asked


def test_a_flipped_byte_is_refused_before_anything_parses_it(
    good: Good, registry: Registry, tmp_path: Path, started: Started
) -> None:
    publish(registry, good.folder)
    stored = registry.store.get(f"flights/versions/v1/{MODEL}").body
    registry.store.put(f"flights/versions/v1/{MODEL}", stored.replace(b"leaf_value=", b"leaf_valuf=", 1))
    with pytest.raises(Tampered, match="is not what was published"):
        load_model(tmp_path, registry, "v1")
    assert started.environments == []
    assert cached(tmp_path) == []


def test_a_version_without_golden_rows_is_refused(
    good: Good, registry: Registry, tmp_path: Path, started: Started
) -> None:
    publish(registry, good.folder, (MODEL,))
    with pytest.raises(Tampered, match=r"'v1' has no golden rows.*; publish it again"):
        load_model(tmp_path, registry, "v1")
    assert started.environments == []


def test_parameters_of_another_incumbent_do_not_keep_a_model_from_predicting(good: Good) -> None:
    params = {"learner": {"threads": 2, "flux": 1}, "quantum": {"bits": 3}}
    manifest = {"version": "v1", "learner": "lightgbm", "schema": SCHEMA.to_json(), "params": params}
    assert np.array_equal(open_model(good.folder, manifest).predict(good.frame), good.predictions)


def test_a_learner_of_a_newer_incumbent_asks_for_an_upgrade(
    good: Good, registry: Registry, tmp_path: Path
) -> None:
    publish(registry, good.folder, learner="oracle")
    with pytest.raises(BadInput, match="the learner 'oracle', which this incumbent does not know: upgrade"):
        load_model(tmp_path, registry, "v1")
