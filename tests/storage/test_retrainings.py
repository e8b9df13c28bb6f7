"""One retraining of a model at a time; what came meanwhile is left to its end."""

from pathlib import Path

import pytest

from incumbent.errors import Tampered
from incumbent.params import Params, load_params
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.inputs import changed_at, inputs_digest
from incumbent.storage.registry.registry import Claimed, Registry, Running
from incumbent.storage.registry.retrainings import Retrainings
from tests.storage.clones import identify


def test_a_second_run_learns_which_one_is_at_work_until_it_gives_the_model_back(registry: Registry) -> None:
    retrainings = Retrainings(registry)
    assert retrainings.at_work(60) is None
    first = retrainings.begin(1, 60)
    assert isinstance(first, Claimed)
    second = retrainings.begin(2, 60)
    assert isinstance(second, Running)
    assert (second.run_seq, retrainings.at_work(60)) == (1, 1)
    registry.release(first.claim)
    assert retrainings.at_work(60) is None
    third = retrainings.begin(3, 60)
    assert isinstance(third, Claimed)
    assert third.claim.heir_of == 1


def test_the_version_announced_last_is_left_to_the_run_at_work(registry: Registry) -> None:
    retrainings = Retrainings(registry)
    assert retrainings.left_to(1) is None
    for rev in ("older", "newer"):
        retrainings.put_off(1, {"rev": rev, "name": "größe"})
    left = retrainings.left_to(1)
    assert left is not None
    assert (left["rev"], left["name"]) == ("newer", "größe")
    assert retrainings.left_to(2) is None


def test_the_last_decision_is_known_by_its_inputs(registry: Registry) -> None:
    retrainings = Retrainings(registry)
    assert retrainings.last_decided() is None
    retrainings.note_decided("1f3a", 7)
    last = retrainings.last_decided()
    assert last is not None
    assert (last.run_seq, last.inputs) == (7, "1f3a")


def test_what_somebody_else_wrote_there_is_no_decision(registry: Registry) -> None:
    registry.store.put(f"{registry.model}/decided.json", b"yes")
    with pytest.raises(Tampered, match=r"decided\.json"):
        Retrainings(registry).last_decided()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    identify(tmp_path)
    (tmp_path / "expectations").mkdir()
    for name in ("data.dvc", "expectations/new.json", "expectations/probation.yaml", "own.py", "README"):
        (tmp_path / name).write_text(f"the first {name}\n")
    (tmp_path / "params.yaml").write_text(
        "dataset: {name: new, target: y}\nregistry: {address: s3://incumbent/registry}\n"
        "features: {function: 'own:features'}\n"
    )
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "Start")
    return tmp_path


@pytest.mark.parametrize(
    "name", ["data.dvc", "params.yaml", "expectations/new.json", "expectations/probation.yaml", "own.py"]
)
def test_each_file_that_a_retraining_depends_on_changes_the_inputs(project: Path, name: str) -> None:
    params = load_params(project)
    before = inputs_digest(project, params)
    (project / name).write_text((project / name).read_text() + "# more\n")
    assert inputs_digest(project, params) != before


def test_other_files_change_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params: Params = load_params(project)
    before, at = inputs_digest(project, params), changed_at(project, params)
    (project / "README").write_text("other words")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2030-01-01T00:00:00+00:00")
    git(project, "commit", "--quiet", "--all", "--message", "Other words")
    assert (inputs_digest(project, params), changed_at(project, params)) == (before, at)
