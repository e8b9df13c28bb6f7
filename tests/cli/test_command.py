"""The command without a server: wherever it is called, however it is stopped."""

import ast
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import incumbent.cli
from incumbent.params import load_params
from incumbent.storage.dataset.git import git
from tests.commands import called, typed, variables

COMMANDS = {
    "up": ["up"],
    "status": ["status"],
    "demo": ["demo"],
    "gate": ["gate", "table.csv"],
    "ingest": ["ingest", "table.csv"],
    "notify": ["notify"],
    "retrain": ["retrain"],
    "score": ["score", "in.parquet", "out.parquet"],
    "monitor": ["monitor"],
    "stage": ["stage", "gate"],
    "models": ["models", "list"],
    "audit": ["models", "audit"],
    "approve": ["models", "approve", "v1", "--reason", "fine"],
    "quarantine": ["quarantine", "list"],
    "release": ["quarantine", "release", "an-entry", "--reason", "fine"],
    "explain": ["gate", "--explain", "table.csv"],
    "profile": ["expectations", "profile"],
    "learn": ["expectations", "learn"],
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two columns with umlauts and a target."""
    path = tmp_path_factory.mktemp("table") / "Maße.csv"
    frame = pd.DataFrame({"Größe": range(300), "Stück": [n % 7 for n in range(300)]})
    frame.assign(gut=[n % 2 for n in range(300)]).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def made(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that `init` made in a C locale without Python's UTF-8 mode."""
    project = tmp_path_factory.mktemp("ü") / "Zähler"
    done = typed(
        *("init", "--data", table, "--target", "gut", "--project", project, "--json"),
        **{"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["project"] == str(project)
    return project


def test_names_beyond_ascii_come_through_in_any_locale(made: Path) -> None:
    assert set(load_params(made).dataset.columns or {}) == {"Größe", "Stück", "gut"}
    assert git(made, "status", "--porcelain") == ""


def test_neither_a_socks_proxy_nor_an_ascii_terminal_stops_a_command(made: Path) -> None:
    changes = {"ALL_PROXY": "socks5://127.0.0.1:9", "PYTHONIOENCODING": "ascii"}
    done = typed("status", "--project", made, **changes)
    assert done.code == 0, done.err
    assert "not known" in done.out  # no S3 answers: that is not "none"


def test_a_record_of_probations_that_cannot_be_read_is_told_by_gate_and_status(
    made: Path, table: Path
) -> None:
    record = made / "expectations" / "probation.yaml"
    record.write_text("# mine\nshop.parquet: {md5: 1}\n")
    told = f"{record} can't be read: line 2: shop.parquet."
    try:
        gate = called("gate", table, project=made)
        assert (gate.code, gate.err.startswith(f"error: {told}")) == (1, True), gate.err
        git(made, "add", "--all")
        git(made, "commit", "--quiet", "-m", "By hand")
        status = called("status", project=made)
        assert re.search("^probation +not known$", status.out, re.MULTILINE)
        assert told in status.out
        assert json.loads(called("status", "--json", project=made).out)["unreadable"].startswith(told)
    finally:
        record.unlink()
        git(made, "commit", "--quiet", "--all", "-m", "Take it back")


def test_every_file_of_a_new_project_ends_with_a_newline(made: Path) -> None:
    files = [made / name for name in git(made, "ls-files", "-z").split("\0") if name]
    assert {"params.yaml", "dvc.yaml", "data.dvc", ".gitignore"} <= {file.name for file in files}
    assert [file.name for file in files if not file.read_bytes().endswith(b"\n")] == []


def test_a_hook_of_another_repository_is_no_obstacle(table: Path, tmp_path: Path) -> None:
    other, project = tmp_path / "other", tmp_path / "shop"
    git(tmp_path, "init", "--quiet", str(other))
    before = sorted(str(path) for path in other.rglob("*"))
    theirs = {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(other / ".git" / "index"),
        "GIT_OBJECT_DIRECTORY": str(other / ".git" / "objects"),
        "GIT_COMMON_DIR": str(other / ".git"),
        "GIT_PREFIX": "sub/",
    }
    done = typed("init", "--data", table, "--target", "gut", "--project", project, **theirs)
    assert done.code == 0, done.err
    assert git(project, "status", "--porcelain") == ""
    assert sorted(str(path) for path in other.rglob("*")) == before


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_no_project_is_refused_before_anything_starts(name: str, tmp_path: Path) -> None:
    done = called(*COMMANDS[name], project=tmp_path)
    assert (done.code, done.out) == (1, "")
    assert done.err == f"error: no params.yaml in {tmp_path}; name the project with --project\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param("sede: 1", "unknown key 'sede'", id="unknown key"),
        pytest.param("seed: [", "is not valid YAML", id="not YAML"),
    ],
)
def test_broken_parameters_are_told_before_a_server_starts(tmp_path: Path, damage: str, said: str) -> None:
    (tmp_path / "params.yaml").write_text(f"{damage}\n")
    for command in ("up", "ingest"):
        done = called(*COMMANDS[command], project=tmp_path)
        assert done.code == 1
        assert said in done.err
        assert "starting" not in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_a_folder_that_is_not_there_and_a_missing_git_are_named(made: Path, tmp_path: Path) -> None:
    absent = called("up", project=tmp_path / "absent")
    assert absent.err.startswith(f"error: there is no folder {tmp_path / 'absent'}")
    without = typed("up", "--project", made, PATH=str(tmp_path))
    assert without.code == 1
    assert without.err.startswith("error: git is not installed")
    assert not (made / ".incumbent" / "run").exists()


def wait_for_python(pid: int) -> None:
    """Until it would catch SIGTERM: before that it is Python that starts, and nothing of ours."""
    while True:
        status = Path(f"/proc/{pid}/status").read_text()
        [caught] = [line for line in status.splitlines() if line.startswith("SigCgt")]
        if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.01)


def hear_signals() -> None:
    """A shell's '&' lets its commands ignore Ctrl-C, and the tests may run in such a one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("signum", "code", "word"),
    [
        pytest.param(signal.SIGINT, 130, "interrupted", id="Ctrl-C"),
        pytest.param(signal.SIGTERM, 143, "terminated", id="SIGTERM"),
    ],
)
def test_stopped_at_any_moment_it_says_so_and_leaves_nothing_or_all(
    table: Path, tmp_path: Path, signum: int, code: int, word: str
) -> None:
    big = tmp_path / "big.csv"
    pd.concat([pd.read_csv(table)] * 500).to_csv(big, index=False)
    command = ["init", "--data", str(big), "--target", "gut", "--project", str(tmp_path / "shop")]
    stopped = 0
    for moment in (0.0, 0.2, 0.5, 1.0, 1.5, 2.0):
        process = subprocess.Popen(
            [sys.executable, "-m", "incumbent", *command],
            env=variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=hear_signals,
        )
        wait_for_python(process.pid)
        time.sleep(moment)
        process.send_signal(signum)
        # A signal waits for the call into DuckDB or LightGBM to end: on a busy machine that takes its time.
        _, said = process.communicate(timeout=300)
        if process.returncode == 0:
            break  # a fast machine was done before
        stopped += 1
        assert (process.returncode, said.splitlines()[-1]) == (code, word), said
        assert "Traceback" not in said
        if (made := tmp_path / "shop").exists():  # all was done but to say so
            assert git(made, "log", "--format=%s").startswith("Start with ")
            assert git(made, "status", "--porcelain") == ""
            break
    assert stopped


def test_every_command_knows_its_stack_before_prefect_is_imported() -> None:
    """Prefect reads the address of its server when it is imported; later it would start one of its own."""
    importing = 0
    for file in Path(incumbent.cli.__file__).parent.glob("*.py"):
        for function in ast.walk(ast.parse(file.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            nodes = [*ast.walk(function)]
            flows = [
                n.lineno for n in nodes if isinstance(n, ast.ImportFrom) and f"{n.module}".startswith("flows")
            ]
            enters = [n.lineno for n in nodes if isinstance(n, ast.Call) and ast.unparse(n.func) == "enter"]
            if flows and enters:
                importing += 1
                assert min(enters) < min(flows), (file.name, function.name)
    assert importing >= 6
