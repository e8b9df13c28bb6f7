"""Which stack a project uses, which projects a workspace has, and what a look at them costs."""

import shutil
import time
from pathlib import Path

import pytest

from incumbent.errors import BadInput
from incumbent.local.names import require_own_name
from incumbent.local.workspace import is_workspace, place_of, projects_of, root_of
from incumbent.storage.dataset.git import git
from tasks.arrival import take
from tasks.begin import begin
from tests.building import ROOT
from tests.commands import called
from tests.storage.clones import identify

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


@pytest.mark.parametrize("place", ["a/b/c/deep", "near/copies/of-near", ".attic/old", "a/.attic/old"])
def test_what_the_workspace_does_not_come_to_does_not_join_it_either(workspace: Path, place: str) -> None:
    near, other = project(workspace / "near"), project(workspace / place)
    assert projects_of(workspace) == [near]
    assert (root_of(other), place_of(other)) == (other, ".")


@pytest.mark.parametrize("args", [["up"], ["init", "--data", "new.csv", "--target", "y"]], ids=["up", "init"])
def test_a_project_too_deep_in_a_workspace_is_refused(workspace: Path, args: list[str]) -> None:
    deep = workspace / "w" / "x" / "y" / "z"
    if args == ["up"]:
        git(project(deep), "init", "--quiet")
        identify(deep)
        git(deep, "commit", "--quiet", "--allow-empty", "--message", "Begin")
    done = called(*args, project=deep)
    assert done.code == 1
    assert (
        f"{deep} is 4 levels below the workspace {workspace}, which has its projects up to 3 levels down; "
        "give it a folder nearer to it" in done.err
    )
    assert not (deep / ".incumbent").exists()


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


def test_a_copy_takes_in_no_data_and_trains_nothing(workspace: Path, tmp_path: Path) -> None:
    original = project(workspace / "north", "north")
    git(original, "init", "--quiet")
    copy = shutil.copytree(original, workspace / "shops" / "copy")
    shared = "dataset.name = 'north' in north and shops/copy: they would overwrite each other's champion"
    for each in (original, copy):
        with pytest.raises(BadInput, match=shared):
            take.fn(each, [tmp_path / "new.csv"])
        with pytest.raises(BadInput, match=shared):
            begin.fn(each, "HEAD", None, "auto", "by hand", dry=False)
        assert shared in called("status", project=each).out
    assert shared in called("status", project=workspace).out
    params = copy / "params.yaml"
    params.write_text(params.read_text().replace("name: north", "name: north-2"))
    require_own_name(original)
    require_own_name(copy)


def test_a_name_is_compared_with_a_hundred_others_in_milliseconds(workspace: Path) -> None:
    shops = [project(workspace / f"shop-{number}", f"shop-{number}") for number in range(100)]
    many = ", ".join(f"column-{number}" for number in range(200))
    for params in workspace.glob("*/params.yaml"):
        params.write_text(params.read_text().replace("target: y", f"target: y, drop: [{many}]"))
    require_own_name(shops[1])
    began = time.perf_counter()
    require_own_name(shops[1])
    assert time.perf_counter() - began < 0.4  # to parse the hundred takes many times as long


def test_status_in_a_folder_of_projects_says_how_to_begin(tmp_path: Path) -> None:
    project(tmp_path / "north")
    done = called("status", project=tmp_path)
    assert done.code == 1
    assert (
        f"is a folder of projects and no workspace yet; 'incumbent up --project {tmp_path}' makes" in done.err
    )


def test_status_without_a_stack_has_no_addresses_yet(workspace: Path, tmp_path: Path) -> None:
    for folder in (workspace, project(tmp_path / "alone")):
        done = called("status", project=folder)
        assert f"addresses   none before incumbent up --project {folder}" in done.out
        assert "None" not in done.out


def test_one_server_that_does_not_answer_is_one_problem(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    for name in ("north", "east", "söuth"):
        project(workspace / name, name.replace("ö", "o"))
    keys = {"AWS_ACCESS_KEY_ID": "INC", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "eu-central-1"}
    done = called("status", project=workspace, AWS_ENDPOINT_URL="http://127.0.0.1:9", **keys)
    assert done.out.count("cannot be reached") == 1
    assert "the same for north, söuth" in done.out


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
