"""incumbent doctor in a project on a real S3, without a Prefect server: each fault says what to do."""

import csv
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from incumbent.cli.doctor import finding
from incumbent.cli.doctor.finding import failed, ok, side_by_side
from incumbent.params import load_params
from incumbent.storage.dataset.git import git
from incumbent.storage.registry.identity import register_project
from incumbent.storage.s3.address import open_store
from tests.building import ROOT
from tests.commands import called, typed
from tests.conftest import S3
from tests.flows.conftest import change
from tests.storage.clones import identify
from tests.storage.faulty_proxy import Faults, faulty_proxy

Checks = dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that `init` made, with a git remote; nothing of it is on S3 yet."""
    home = tmp_path_factory.mktemp("doctor")
    with (home / "loans.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "x", "repaid"])
        rows.writerows([number, number % 7, int(number % 3 == 0)] for number in range(600))
    project, origin = home / "loans", home / "origin.git"
    done = typed(
        "init", "--data", home / "loans.csv", "--target", "repaid", "--key", "id", "--project", project
    )
    assert done.code == 0, done.err
    git(home, "init", "--quiet", "--bare", "--initial-branch", "main", str(origin))
    git(project, "remote", "add", "origin", str(origin))
    git(project, "push", "--quiet", "--set-upstream", "origin", "main")
    return project


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    shutil.copytree(made, tmp_path / "loans")
    return tmp_path / "loans"


@pytest.fixture
def faults(s3: S3) -> Iterator[Faults]:
    with faulty_proxy(s3.endpoint) as faults:
        yield faults


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def doctor(project: Path, s3: S3, **changes: str) -> Checks:
    """Check -> state and text; the exit code has to fit them."""
    done = called("doctor", "--json", project=project, **{**s3.environment, **changes})
    checks = {check["check"]: (check["state"], check["says"]) for check in done.json["checks"]}
    assert done.code == int(any(state == "failed" for state, _ in checks.values())), done.err
    return checks


def test_a_sound_project_misses_only_prefect(made: Path, s3: S3) -> None:
    before = git(made, "status", "--porcelain", "--ignored")
    checks = doctor(made, s3)
    said = checks.pop("Prefect")
    assert said == (
        "failed",
        "no Prefect server is configured, so no event or schedule starts anything; run 'incumbent up', or "
        "set PREFECT_API_URL to your team's",
    )
    assert {check: state for check, (state, _) in checks.items() if state == "failed"} == {}
    assert {"versions", "git push", "S3 permissions", "S3 conditional writes", "DVC remote"} <= checks.keys()
    assert set(git(made, "status", "--porcelain", "--ignored").split()) - set(before.split()) <= {
        ".incumbent/"
    }


def test_people_get_a_line_for_each_check(made: Path, s3: S3) -> None:
    done = called("doctor", project=made, **s3.environment)
    *lines, last = done.out.splitlines()
    assert all(line.startswith(("ok ", "warning ", "failed ")) for line in lines)
    assert last.startswith("ok: ")
    assert last.endswith(", failed: 1")
    assert s3.environment["AWS_SECRET_ACCESS_KEY"] not in done.out


def test_a_store_that_ignores_conditions_fails(made: Path, s3: S3, faults: Faults) -> None:
    faults.heedless = True
    checks = doctor(made, s3, AWS_ENDPOINT_URL=faults.endpoint)
    state, says = checks["S3 conditional writes"]
    assert state == "failed"
    assert f"the S3 store at {faults.endpoint} ignores conditional writes" in says
    assert "use a store that has them, such as AWS S3, MinIO" in says


@pytest.mark.parametrize(("ahead", "state"), [(12, "warning"), (-600, "failed")])
def test_a_clock_that_is_wrong_is_measured(
    made: Path, s3: S3, faults: Faults, ahead: float, state: str
) -> None:
    faults.ahead = ahead
    checks = doctor(made, s3, AWS_ENDPOINT_URL=faults.endpoint)
    assert checks["S3 clock"][0] == state
    assert f" s {'behind' if ahead < 0 else 'ahead of'} this machine's" in checks["S3 clock"][1]
    assert "set the one that is wrong by NTP" in checks["S3 clock"][1]


def test_a_key_that_may_only_read_gets_the_missing_right_named(made: Path, s3: S3, faults: Faults) -> None:
    faults.add("denied", method="PUT", times=100)
    checks = doctor(made, s3, AWS_ENDPOINT_URL=faults.endpoint)
    state, says = checks["S3 permissions"]
    assert state == "failed"
    assert "may not write at s3://incumbent/registry/.doctor/" in says
    assert "give it s3:PutObject there (docs/team.md has the whole policy)" in says
    assert checks["DVC remote"][0] == "failed"
    assert "S3 conditional writes" not in checks  # it would only say the same again


def test_wrong_keys_are_said_once(made: Path, s3: S3) -> None:
    checks = doctor(made, s3, AWS_SECRET_ACCESS_KEY="mistaken")
    state, says = checks["S3"]
    assert state == "failed"
    assert "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY" in says
    assert [check for check in checks if check.startswith(("S3 ", "DVC remote", "registry"))] == []


def test_dead_hosts_take_seconds(made: Path, s3: S3, silent: str) -> None:
    git(made, "remote", "set-url", "origin", f"http://{silent}/loans.git")
    begun = time.monotonic()
    try:
        checks = doctor(made, s3, AWS_ENDPOINT_URL=f"http://{silent}", PREFECT_API_URL=f"http://{silent}/api")
    finally:
        git(made, "remote", "set-url", "origin", str(made.parent / "origin.git"))
    assert time.monotonic() - begun < 20  # most of it imports, on a busy machine
    assert {checks[name][0] for name in ("S3", "Prefect", "git push")} == {"failed"}
    assert "did not answer within 5 s; check 'git remote -v'" in checks["git push"][1]
    assert "run `incumbent up` to start the local stack" in checks["S3"][1]
    assert "correct PREFECT_API_URL" in checks["Prefect"][1]


def test_a_remote_that_moved_on_says_what_to_type(project: Path, s3: S3, tmp_path: Path) -> None:
    other, origin = tmp_path / "other", tmp_path / "origin.git"
    shutil.copytree(project, other)
    git(tmp_path, "clone", "--quiet", "--bare", str(project), str(origin))
    for clone in (project, other):
        identify(clone)
        git(clone, "remote", "set-url", "origin", str(origin))
        git(clone, "commit", "--quiet", "--allow-empty", "--message", clone.name)
    git(other, "push", "--quiet", "origin", "main")
    state, says = doctor(project, s3)["git push"]
    assert state == "failed"
    assert "git may not push to origin/main" in says
    assert "git pull --rebase" in says
    assert git(origin, "log", "-1", "--format=%s", "main") == "other"


def test_without_a_remote_versions_stay_here(project: Path, s3: S3) -> None:
    git(project, "remote", "remove", "origin")
    state, says = doctor(project, s3)["git push"]
    assert state == "warning"
    assert "'git remote add origin URL'" in says


def test_a_missing_dvc_remote_fails(project: Path, s3: S3) -> None:
    (project / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    state, says = doctor(project, s3)["DVC remote"]
    assert state == "failed"
    assert "'dvc remote add --default store s3://BUCKET/dvc' adds one" in says


def test_a_detached_head_fails(project: Path, s3: S3) -> None:
    git(project, "checkout", "--quiet", "--detach")
    checks = doctor(project, s3)
    state, says = checks["git branch"]
    assert state == "failed"
    assert (
        f"on no branch, so a commit there would be lost at the next checkout; run 'git -C {project} " in says
    )
    assert "git push" not in checks  # there is no branch to push


@pytest.mark.parametrize("name", ["data.dvc", ".dvc/config"])
def test_a_file_that_is_gone_is_named_with_the_command_that_brings_it_back(
    project: Path, s3: S3, name: str
) -> None:
    (project / name).unlink()
    (project / ".dvc" / "config.local").write_text("['remote \"store\"']\n    region = eu-central-1\n")
    checks = doctor(project, s3)
    state, says = checks["project's files"]
    assert state == "failed"
    mend = f"git -C {project} checkout HEAD -- {name}"
    assert says == f"gone, though git has them: {name}; '{mend}' brings them back"
    if name == ".dvc/config":
        assert "'git checkout HEAD -- .dvc/config' brings back what is committed" in checks["DVC remote"][1]
    subprocess.run(mend.split(), check=True, capture_output=True)
    assert doctor(project, s3)["project's files"] == ("ok", "all there")


def test_a_project_without_its_git_or_its_parameters_fails(project: Path, s3: S3) -> None:
    shutil.rmtree(project / ".git")
    checks = doctor(project, s3)
    assert f"{project} is in no git repository" in checks["git branch"][1]
    assert "git push" not in checks
    (project / "params.yaml").unlink()
    assert f"no params.yaml in {project}" in doctor(project, s3)["params.yaml"][1]


def test_a_folder_that_is_not_there_is_no_fault_of_git(tmp_path: Path, s3: S3) -> None:
    done = called("doctor", project=tmp_path / "nowhere", **s3.environment)
    assert (done.code, done.out) == (1, "")
    assert f"there is no folder {tmp_path}/nowhere; name the project with --project" in done.err


def test_in_a_workspace_each_project_has_a_line(project: Path, s3: S3) -> None:
    root = project.parent
    shutil.copyfile(ROOT / "incumbent/cli/templates/project/prefect.yaml", root / "prefect.yaml")
    for name in ("broken", "copy", "detached", "no-data", "remote"):
        shutil.copytree(project, root / "shops" / name)
        if name != "copy":
            change(root / "shops" / name / "params.yaml", {"dataset": {"name": name}})
    (root / "shops" / "broken" / "params.yaml").write_text("sede: 1")
    git(root / "shops" / "detached", "checkout", "--quiet", "--detach")
    (root / "shops" / "no-data" / "data.dvc").unlink()
    config = root / "shops" / "remote" / ".dvc" / "config"
    config.write_text(config.read_text().replace("s3://incumbent/", "s3://nowhere/"))
    assert "shops/no-data: no member, as its data.dvc is gone" in called("status", project=root).out
    checks = doctor(root, s3)
    assert {"S3", "S3 permissions", "S3 conditional writes", "Prefect"} <= checks.keys()
    wrong = {name.removeprefix("shops/"): says for name, (state, says) in checks.items() if state == "failed"}
    assert "unknown key 'sede'" in wrong["broken"]
    assert "dataset.name = 'loans' in loans and shops/copy" in wrong["copy"]
    assert "dataset.name = 'loans' in loans and shops/copy" in wrong["loans"]
    assert "on no branch" in wrong["detached"]
    assert "data.dvc; 'git -C" in wrong["no-data"]
    assert "no bucket for s3://nowhere/" in wrong["remote"]
    open_store("s3://incumbent/landing").put("ghost/x.csv", b"x")
    try:
        said = "files wait at s3://incumbent/landing/ghost/, and no project here has that dataset.name"
        assert checks["landing"] == ("ok", "each folder there is a project's")
        assert said in doctor(root, s3)["landing"][1]
        assert said in called("status", project=root, **s3.environment).out
    finally:
        open_store("s3://incumbent/landing").delete("ghost/x.csv")
    deep = shutil.copytree(project, root / "shops" / "a" / "b" / "deep")
    assert doctor(deep, s3)["workspace"][1].startswith(f"{deep} is 4 levels below the workspace {root}")
    shutil.rmtree(root / "shops")
    assert doctor(root, s3)["loans"] == ("ok", f"'incumbent doctor --project {project}' asks more")


def test_a_model_of_another_project_is_named(project: Path, s3: S3, tmp_path: Path) -> None:
    change(project / "params.yaml", {"registry": {"address": f"s3://incumbent/{tmp_path.name}"}})
    other = tmp_path / "other"
    git(tmp_path, "init", "--quiet", str(other))
    identify(other)
    git(other, "commit", "--quiet", "--allow-empty", "--message", "Another project")
    register_project(load_params(project), other)
    state, says = doctor(project, s3)["registry"]
    assert state == "failed"
    assert f"belongs to the project at {socket.gethostname()}:{other}" in says
    assert "choose another dataset.name" in says


def test_a_small_disk_is_said_before_it_is_full(project: Path, s3: S3) -> None:
    state = project / ".incumbent"
    state.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=500m", "tmpfs", state], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"may not mount a small disk here: {mounted.stderr.decode().strip()}")
    try:
        assert doctor(project, s3)["disk: project"][0] == "warning"
        subprocess.run(["mount", "-o", "remount,size=1m", state], check=True)
        found, says = doctor(project, s3)["disk: project"]
        assert found == "failed"
        assert "free some" in says
        subprocess.run(["mount", "-o", "remount,size=500m,ro", state], check=True)
        found, says = doctor(project, s3)["disk: project"]
        assert found == "failed"
        assert f"nothing can be written to {state}" in says
    finally:
        subprocess.run(["umount", state], check=True)


def test_a_device_that_is_not_here_is_said(project: Path, s3: S3) -> None:
    change(project / "params.yaml", {"learner": {"device": "cuda"}})
    state, says = doctor(project, s3)["device"]
    assert state == "warning"
    assert "learner.device is cuda, and this machine would train on the CPU" in says


def test_studies_in_a_file_are_not_for_workers_of_several_machines(project: Path, s3: S3) -> None:
    change(project / "params.yaml", {"search": {"workers": 4}})
    state, says = doctor(project, s3)["search.storage"]
    assert state == "warning"
    assert "set search.storage to postgresql://USER@HOST/DATABASE" in says


def test_broken_parameters_are_a_line_and_the_machine_is_checked_all_the_same(project: Path, s3: S3) -> None:
    (project / "params.yaml").write_text("sede: 1\n")
    checks = doctor(project, s3)
    assert "unknown key 'sede'" in checks["params.yaml"][1]
    assert checks["versions"][0] == "ok"
    assert "S3" not in checks


def test_outside_of_a_project_the_machine_and_prefect_are_checked(tmp_path: Path, s3: S3) -> None:
    assert doctor(tmp_path, s3).keys() == {"versions", "disk: project", "disk: temporary files", "Prefect"}
    assert list(tmp_path.iterdir()) == []


def test_a_group_that_hangs_or_breaks_costs_only_its_own_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "PATIENCE", 0.2)
    over = threading.Event()

    def hangs() -> Iterator[finding.Finding]:
        yield ok("first", "fine")
        over.wait(60)

    def breaks() -> Iterator[finding.Finding]:
        yield ok("second", "fine")
        raise ZeroDivisionError("by chance")

    found = side_by_side({"hangs": hangs, "breaks": breaks, "ends": lambda: iter([ok("third", "fine")])})
    over.set()
    assert found == [
        ok("first", "fine"),
        failed("hangs", "no answer within 0 s; run it again"),
        ok("second", "fine"),
        failed("breaks", "could not be checked: ZeroDivisionError: by chance"),
        ok("third", "fine"),
    ]
