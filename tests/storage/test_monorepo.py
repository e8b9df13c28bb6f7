"""Projects in folders of one repository: each has its own data versions, and none disturbs its neighbours."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from incumbent.cli.new_project import create
from incumbent.errors import BadInput
from incumbent.params import DatasetParams
from incumbent.storage.dataset.arrivals import add_partitions, catch_up
from incumbent.storage.dataset.git import folder_of, git, last_change
from incumbent.storage.dataset.versions import POINTER, code_revision, fetch, read_columns, resolve
from tests.conftest import BUCKET, S3
from tests.storage.clones import identify, partition

ROWS = "x,y\n" + "".join(f"{n},{n * n % 7 < 3}\n" for n in range(200))


@pytest.fixture(scope="module")
def two_projects(s3: S3, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository with code at its top, and projects made by init in models/loans and models/rents."""
    assert s3.address
    home = tmp_path_factory.mktemp("monorepo")
    bare, first = home / "origin.git", home / "first"
    bare.mkdir()
    git(bare, "init", "--quiet", "--bare", "--initial-branch", "main")
    git(bare, "clone", "--quiet", str(bare), str(first))
    identify(first)
    (first / "service.py").write_text("print('other code')\n")
    git(first, "add", "service.py")
    git(first, "commit", "--quiet", "--message", "Start")
    for name in ("loans", "rents"):
        table = home / f"{name}.csv"
        table.write_text(ROWS)
        create(table, DatasetParams(name="new", target="y"), first / "models" / name)
        config = first / "models" / name / ".dvc" / "config"
        text = config.read_text().replace("s3://incumbent/dvc", f"s3://{BUCKET}/{home.name}")
        assert home.name in text
        config.write_text(text)
    git(first, "commit", "--quiet", "--all", "--message", "A remote of the test's own")
    git(first, "push", "--quiet", "--set-upstream", "origin", "main")
    for name in ("loans", "rents"):
        add_partitions(first / "models" / name, [partition(home, 1)])
    return bare


@pytest.fixture
def origin(two_projects: Path, tmp_path: Path) -> Path:
    """The same for this test alone; only the DVC remote is shared."""
    bare = tmp_path / "origin.git"
    shutil.copytree(two_projects, bare)
    return bare


def cloned(origin: Path, name: str) -> Path:
    path = origin.parent / name
    git(origin, "clone", "--quiet", str(origin), str(path))
    identify(path)
    return path


def names(project: Path) -> list[str]:
    return [each.name for each in resolve(project).partitions]


def test_init_makes_a_project_in_a_folder_and_commits_nothing_else(origin: Path, tmp_path: Path) -> None:
    top = cloned(origin, "clone")
    (top / "service.py").write_text("print('work in progress')\n")
    git(top, "add", "service.py")
    (tmp_path / "sales.csv").write_text(ROWS)
    create(tmp_path / "sales.csv", DatasetParams(name="new", target="y"), top / "sales")
    assert not (top / "sales" / ".git").exists()
    changed = git(top, "show", "--name-only", "--format=", "HEAD").splitlines()
    assert all(name.startswith("sales/") for name in changed)
    assert {"sales/params.yaml", "sales/data.dvc", "sales/.dvc/config"} <= set(changed)
    assert git(top, "status", "--porcelain") == "M  service.py"
    assert names(top / "sales") == ["sales.parquet"]


def test_an_init_that_fails_leaves_the_repository_as_it_was(origin: Path, tmp_path: Path) -> None:
    top = cloned(origin, "clone")
    hook = top / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\necho 'no commits on Sundays' >&2\nexit 1\n")
    hook.chmod(0o755)
    (tmp_path / "sales.csv").write_text(ROWS)
    with pytest.raises(BadInput, match="no commits on Sundays"):
        create(tmp_path / "sales.csv", DatasetParams(name="new", target="y"), top / "sales")
    assert git(top, "status", "--porcelain") == ""


def test_a_folder_that_the_repository_ignores_is_refused(origin: Path, tmp_path: Path) -> None:
    top = cloned(origin, "clone")
    (top / ".gitignore").write_text("scratch/\n")
    (tmp_path / "sales.csv").write_text(ROWS)
    with pytest.raises(BadInput, match="ignores"):
        create(tmp_path / "sales.csv", DatasetParams(name="new", target="y"), top / "scratch" / "sales")
    assert not (top / "scratch" / "sales").exists()


def test_arrivals_of_two_projects_reach_another_clone(origin: Path, tmp_path: Path) -> None:
    here, there = cloned(origin, "here"), cloned(origin, "there")
    loans, rents = here / "models" / "loans", there / "models" / "rents"
    before = names(rents)
    added = add_partitions(loans, [partition(tmp_path, 2)])
    add_partitions(rents, [partition(tmp_path, 3)])  # the branch moved meanwhile
    for project in (there / "models" / "loans", here / "models" / "rents"):
        catch_up(project)
    assert resolve(there / "models" / "loans").md5 == added.md5
    assert names(here / "models" / "rents") == sorted([*before, "month-3.parquet"])
    assert folder_of(loans) == "models/loans"


def test_two_projects_that_push_at_once_both_get_everything_in(origin: Path, tmp_path: Path) -> None:
    projects = [cloned(origin, name[0]) / "models" / name for name in ("loans", "rents")]
    before = [names(project) for project in projects]
    arrivals = [
        subprocess.Popen(adding(project, tmp_path, (2, 3, 4)), env=os.environ) for project in projects
    ]
    assert [arrival.wait(120) for arrival in arrivals] == [0, 0]
    last = cloned(origin, "last")
    for project, known in zip(("loans", "rents"), before, strict=True):
        added = [f"month-{number}.parquet" for number in (2, 3, 4)]
        assert names(last / "models" / project) == sorted([*known, *added])


def adding(project: Path, folder: Path, months: tuple[int, ...]) -> list[str]:
    """The command of a process that adds a version a month."""
    code = (
        "import sys; from pathlib import Path\n"
        "from incumbent.storage.dataset.arrivals import add_partitions\n"
        "for file in sys.argv[2:]: add_partitions(Path(sys.argv[1]), [Path(file)])"
    )
    return [sys.executable, "-c", code, str(project), *(str(partition(folder, each)) for each in months)]


def test_bytes_are_read_from_the_remote_without_a_checkout(origin: Path, tmp_path: Path) -> None:
    project = cloned(origin, "clone") / "models" / "loans"
    version = resolve(project)
    (path,) = fetch(project, version, ["month-1.parquet"])
    assert path.read_bytes() == partition(tmp_path, 1).read_bytes()
    ((_, table),) = read_columns(project, version, ["loans.parquet"], ["x"])
    assert table.num_rows == 200


def test_a_neighbours_commits_are_no_new_version(origin: Path, tmp_path: Path) -> None:
    top = cloned(origin, "clone")
    loans, rents = top / "models" / "loans", top / "models" / "rents"
    before = last_change(loans, "HEAD", POINTER)
    add_partitions(rents, [partition(tmp_path, 2)])
    assert last_change(loans, "HEAD", POINTER) == before
    (top / "service.py").write_text("print('work in progress')\n")
    assert code_revision(loans) == git(top, "rev-parse", "HEAD")
    (loans / "params.yaml").write_text("changed")
    assert code_revision(loans).endswith("+changes")
    assert not code_revision(rents).endswith("+changes")


def test_what_died_in_one_project_is_put_back_after_its_neighbour_went_on(
    origin: Path, tmp_path: Path
) -> None:
    top = cloned(origin, "clone")
    loans, rents = top / "models" / "loans", top / "models" / "rents"
    before = names(loans)
    die_before_the_commit(loans, partition(tmp_path, 2))
    assert git(loans, "status", "--porcelain", "--", POINTER)
    add_partitions(rents, [partition(tmp_path, 4)])
    add_partitions(loans, [partition(tmp_path, 3)])
    assert names(loans) == sorted([*before, "month-3.parquet"])
    assert git(top, "status", "--porcelain") == ""


def die_before_the_commit(project: Path, file: Path) -> None:
    """An arrival that is killed when its bytes are stored and its commit is not made."""
    hook = Path(git(project, "rev-parse", "--absolute-git-dir")) / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\nkill -9 $(ps -o ppid= -p $PPID)\nexit 1\n")
    hook.chmod(0o755)
    code = (
        "import sys; from pathlib import Path\n"
        "from incumbent.storage.dataset.arrivals import add_partitions\n"
        "add_partitions(Path(sys.argv[1]), [Path(sys.argv[2])])"
    )
    done = subprocess.run([sys.executable, "-c", code, project, file], env=os.environ, check=False)
    while (hook.parents[1] / "index.lock").exists():  # git itself lives on for a moment
        time.sleep(0.05)
    hook.unlink()
    assert done.returncode == -signal.SIGKILL
