"""Two projects of one name don't share a model, and clones of one project do."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from incumbent.cli.commands import app
from incumbent.errors import BadInput
from incumbent.params import Params
from incumbent.storage.dataset.git import git
from incumbent.storage.registry.identity import owner_of, register_project, require_own_model
from incumbent.storage.registry.registry import Registry, open_registry
from incumbent.storage.s3.store import Store
from incumbent.tracking.state import run_id
from tests.storage.clones import identify


@pytest.fixture
def params(store: Store) -> Params:
    return Params.model_validate(
        {
            "dataset": {"name": "flights", "target": "late"},
            "registry": {"address": store.url().rstrip("/")},
        }
    )


def repository(path: Path, folder: str = "") -> Path:
    """A new repository with one commit; returns the project's folder in it."""
    (path / folder).mkdir(parents=True)
    git(path, "init", "--quiet", "--initial-branch", "main")
    identify(path)
    git(path, "commit", "--quiet", "--allow-empty", "--message", f"Start of {path}")
    return path / folder


def test_another_repository_is_refused_and_both_are_named(params: Params, tmp_path: Path) -> None:
    first, second = repository(tmp_path / "first"), repository(tmp_path / "second")
    register_project(params, first)
    for refused in (register_project, require_own_model):
        with pytest.raises(BadInput) as error:
            refused(params, second)
        for expected in (str(first), str(second), "/flights", "dataset.name", *map(commit, (first, second))):
            assert expected in str(error.value)
    register_project(params, first)


def test_each_of_two_registries_at_one_address_has_an_owner_and_runs_of_its_own(
    params: Params, store: Store, tmp_path: Path
) -> None:
    """As two local stacks have them, whose S3 both call their bucket `incumbent`."""
    registry, ids = open_registry(params, tmp_path), set()
    assert owner_of(registry) == ""
    for name in ("first", "second"):
        register_project(params, project := repository(tmp_path / name))
        assert str(project) in owner_of(registry)
        ids.add(run_id(registry, owner_of(registry), 1))
        store.delete("flights/project.json")
    assert len(ids) == 2


def commit(project: Path) -> str:
    return git(project, "rev-parse", "--short=10", "HEAD")


def test_clones_share_the_model_whatever_they_commit(params: Params, clone: Path, origin: Path) -> None:
    register_project(params, clone)
    other = clone.with_name("other")
    git(origin, "clone", "--quiet", str(origin), str(other))
    identify(other)
    git(other, "commit", "--quiet", "--allow-empty", "--message", "More")
    register_project(params, other)


@pytest.mark.parametrize("first", ["whole", "shallow"])
def test_a_shallow_clone_notes_nothing_and_is_let_through(
    params: Params, store: Store, clone: Path, origin: Path, tmp_path: Path, first: str
) -> None:
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "More")
    git(clone, "push", "--quiet")
    git(origin, "clone", "--quiet", "--depth", "1", f"file://{origin}", str(tmp_path / "shallow"))
    if first == "whole":
        register_project(params, clone)
    before = list(store.list())
    register_project(params, tmp_path / "shallow")
    assert list(store.list()) == before
    register_project(params, clone)


def test_two_folders_of_one_repository_are_two_projects(params: Params, tmp_path: Path) -> None:
    one = repository(tmp_path / "all", "models/one")
    two = tmp_path / "all" / "models" / "two"
    two.mkdir()
    register_project(params, one)
    with pytest.raises(BadInput, match=r"folder models/one\), and this is .*folder models/two\)"):
        register_project(params, two)


def test_a_password_in_the_remote_does_not_get_into_the_registry(
    params: Params, store: Store, tmp_path: Path
) -> None:
    project = repository(tmp_path / "project")
    git(project, "remote", "add", "origin", "https://me:secret@git.example/flights.git")
    register_project(params, project)
    body = store.get("flights/project.json").body
    assert json.loads(body)["place"] == "https://git.example/flights.git"
    assert b"secret" not in body


def test_a_registry_from_before_gets_its_project_at_the_next_run(
    params: Params, store: Store, tmp_path: Path
) -> None:
    Registry(store, "flights").start_run({})
    project = repository(tmp_path / "project")
    require_own_model(params, project)
    register_project(params, project)
    assert "flights/project.json" in list(store.list())


def test_a_history_that_was_written_anew_is_let_in_as_the_message_says(
    params: Params, store: Store, tmp_path: Path
) -> None:
    register_project(params, repository(tmp_path / "before"))
    project = repository(tmp_path / "anew")
    with pytest.raises(BadInput, match=r"delete s3://.*/flights/project\.json"):
        register_project(params, project)
    store.delete("flights/project.json")
    register_project(params, project)


def test_a_command_does_not_show_another_projects_models(params: Params, tmp_path: Path) -> None:
    register_project(params, repository(tmp_path / "first"))
    second = repository(tmp_path / "second")
    address = params.registry.address
    (second / "params.yaml").write_text(
        f"dataset: {{name: flights, target: late}}\nregistry: {{address: '{address}'}}\n"
    )
    done = CliRunner().invoke(app, ["models", "list", "--project", str(second)])
    assert isinstance(done.exception, BadInput)
    assert done.stdout == ""
