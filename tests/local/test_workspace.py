"""Which stack a project uses, which projects a workspace has, and what a look at them costs."""

import time
from pathlib import Path

import pytest

from incumbent.local.workspace import is_workspace, place_of, projects_of, root_of
from tests.building import ROOT
from tests.commands import called

DEPLOYMENTS = (ROOT / "incumbent/cli/templates/project/prefect.yaml").read_text()


def project(folder: Path, name: str = "new") -> Path:
    """As much of a project as a workspace looks at."""
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text(
        f"dataset: {{name: {name}, target: y}}\nregistry: {{address: s3://incumbent/registry}}\n"
    )
    (folder / "data.dvc").write_text("")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "team"
    root.mkdir()
    (root / "prefect.yaml").write_text(DEPLOYMENTS)
    return root


def test_a_project_alone_is_a_workspace_of_one(tmp_path: Path) -> None:
    alone = project(tmp_path / "alone")
    assert (root_of(alone), place_of(alone), projects_of(alone)) == (alone, ".", [alone])
    assert not is_workspace(alone)


def test_members_are_the_projects_below_that_have_no_stack_of_their_own(workspace: Path) -> None:
    near, far = project(workspace / "north"), project(workspace / "prices" / "eu" / "söuth")
    project(workspace / "a" / "b" / "c" / "too-deep")
    project(near / "copies" / "of-north")
    project(workspace / ".incumbent" / "demo")
    own = project(workspace / "own")
    (own / ".incumbent").mkdir()
    (own / ".incumbent" / "stack.json").write_text("{}")
    (workspace / "notes").mkdir()
    (workspace / "notes" / "params.yaml").write_text("of: another tool")
    assert projects_of(workspace) == [near, far]
    assert (root_of(far), place_of(far)) == (workspace, "prices/eu/söuth")
    assert root_of(own) == own


def test_the_demos_scratch_project_has_a_stack_of_its_own(workspace: Path) -> None:
    scratch = project(workspace / "north" / ".incumbent" / "demo")
    assert root_of(scratch) == scratch


def test_a_foreign_prefect_yaml_makes_no_workspace(tmp_path: Path) -> None:
    (tmp_path / "prefect.yaml").write_text("name: theirs\n")
    assert not is_workspace(tmp_path)
    done = called("up", "--workspace", tmp_path, project=tmp_path)
    assert done.code == 1
    assert f"{tmp_path}/prefect.yaml is not incumbent's" in done.err


def test_a_project_is_no_workspace(tmp_path: Path) -> None:
    alone = project(tmp_path / "alone")
    done = called("up", "--workspace", alone, project=alone)
    assert done.code == 1
    assert f"{alone} is a project, as it has params.yaml; a workspace is a folder of projects" in done.err
    assert not (alone / ".incumbent").exists()


def test_two_datasets_of_one_name_are_refused_before_anything_starts(workspace: Path) -> None:
    project(workspace / "one", "sales")
    project(workspace / "two", "sales")
    project(workspace / "broken").joinpath("params.yaml").write_text("sede: 1")
    done = called("up", project=workspace)
    assert done.code == 1
    assert "dataset.name = 'sales' in one and two: they would overwrite each other's champion" in done.err
    assert not (workspace / ".incumbent").exists()


def test_status_without_a_stack_lists_the_models(workspace: Path) -> None:
    project(workspace / "broken").joinpath("params.yaml").write_text("sede: 1")
    done = called("status", project=workspace)
    assert done.code == 0, done.err
    assert "s3          stopped" in done.out
    assert "unknown key 'sede'" in done.out


def test_a_hundred_projects_are_listed_in_a_blink(workspace: Path) -> None:
    for number in range(100):
        project(workspace / f"shop-{number}")
    began = time.perf_counter()
    assert len(projects_of(workspace)) == 100
    assert time.perf_counter() - began < 1
