"""A registry that an earlier release made: today's code reads it, scores with it, and trains the same bytes.

tests/kept/make.py made each folder of tests/kept.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from incumbent.cli.commands import app
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.versions import fetch, resolve
from incumbent.storage.s3.address import open_store
from tests.conftest import BUCKET, S3
from tests.storage.clones import identify

KEPT = Path(__file__).parents[1] / "kept"
RELEASES = sorted(path.parent for path in KEPT.glob("*/project.bundle"))
VERSIONS = ("v1", "v2", "v3")


@dataclass(frozen=True)
class Kept:
    """A clone of a kept project, with what it had in S3 on the server of the tests."""

    folder: Path
    project: Path

    def run(self, *args: str | Path) -> Any:
        """`incumbent ARGS --json`: its document, after it ended well."""
        done = CliRunner().invoke(app, [*map(str, args), "--project", str(self.project), "--json"])
        assert done.exit_code == 0, f"{done.output} {done.exception}"
        return json.loads(done.stdout)

    def digests(self, version: str) -> dict[str, str]:
        """The sha256 of a version's files, as the manifest says."""
        manifest = self.folder / "bucket" / "registry" / "flights" / "versions" / version / "manifest.json"
        return {name: file["sha256"] for name, file in json.loads(manifest.read_bytes())["files"].items()}

    def month(self, name: str) -> Path:
        """A partition of the newest data version."""
        return fetch(self.project, resolve(self.project), [name])[0]


@pytest.fixture(scope="module", params=RELEASES, ids=lambda folder: folder.name)
def kept(request: pytest.FixtureRequest, s3: S3, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A project as a colleague has it who clones it and installs today's `incumbent`."""
    folder: Path = request.param
    store = open_store(f"s3://{BUCKET}/kept/{folder.name}")
    for path in sorted((folder / "bucket").rglob("*")):
        if path.is_file():
            store.put(path.relative_to(folder / "bucket").as_posix(), path.read_bytes())
    project = tmp_path_factory.mktemp("kept") / "flights"
    git(folder, "clone", "--quiet", "--branch", "main", str(folder / "project.bundle"), str(project))
    identify(project)
    return Kept(folder, project)


def test_every_byte_the_log_and_the_champion_are_as_they_were_written(kept: Kept) -> None:
    assert kept.run("models", "verify") == {"problems": []}
    listed = {each["version"]: each["champion"] for each in kept.run("models", "list")}
    assert listed == {"v1": False, "v2": False, "v3": True}
    entries = [(entry["op"], entry["version"], entry["replaced"]) for entry in kept.run("models", "history")]
    assert entries == [("promote", "v1", None), ("force", "v3", "v1")]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_predicts_what_it_predicted_then(kept: Kept, version: str, tmp_path: Path) -> None:
    out = tmp_path / "scores.parquet"
    assert kept.run("score", kept.month("2013-03.parquet"), out, "--version", version)["version"] == version
    then = pd.read_parquet(kept.folder / "scores" / f"{version}.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(out)[then.columns], then, rtol=1e-12)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_is_trained_again_byte_for_byte(kept: Kept, version: str) -> None:
    """v1 and v2 by today's code from a manifest of then; v3 by the code of then that its project brings."""
    document = kept.run("models", "reproduce", version)
    published = kept.digests(version)
    rebuilt = {name: now for name, (_, now) in document["files"].items()}
    assert {"model.txt", "model.onnx", "replay.parquet", "golden.parquet"} <= set(rebuilt)
    assert rebuilt == {name: published[name] for name in rebuilt}, document["environment"]


def test_the_stages_train_the_same_model_and_compare_it_with_the_champion(kept: Kept) -> None:
    data = kept.project / "data"
    data.mkdir()
    for partition in resolve(kept.project).partitions:
        (data / partition.name).symlink_to(kept.month(partition.name))
    for stage in ("gate", "plan", "tune", "train"):
        kept.run("stage", stage)
    made = (kept.project / "pipeline" / "model.txt").read_bytes()
    assert hashlib.sha256(made).hexdigest() == kept.digests("v3")["model.txt"]
    comparison = kept.run("stage", "compare")
    assert comparison["incumbent"] == "v3"
    assert comparison["comparison"]["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
