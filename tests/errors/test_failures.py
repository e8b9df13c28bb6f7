"""A full disk, a file that refuses us: one sentence with the right cause, whoever met it."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from incumbent.errors import BadInput
from incumbent.errors.machine import PROJECT, explain
from tests.commands import IDENTITY

FULL = OSError(errno.ENOSPC, "No space left on device", "/proc/partition.parquet")


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(FULL, id="a file"),
        pytest.param(OSError(errno.EDQUOT, "Disk quota exceeded"), id="a quota"),
        pytest.param(RuntimeError("IO Error: Could not write: No space left on device"), id="DuckDB"),
        pytest.param(RuntimeError("(sqlite3) database or disk is full"), id="SQLite"),
        pytest.param(BadInput("git add failed: error: No space left on device"), id="git"),
        pytest.param(caused(RuntimeError("failed to transfer 'x'"), FULL), id="behind another error"),
        pytest.param(FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), id="tempfile"),
    ],
)
def test_a_full_disk_is_named_with_what_is_free(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROJECT, str(tmp_path))
    said = explain(error)
    assert said is not None
    assert said.startswith("no space left on the disk of /")
    assert said.endswith("MB are free; free some and run it again")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(MemoryError(), id="Python"),
        pytest.param(RuntimeError("can't start new thread"), id="a thread"),
        pytest.param(
            RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory"),
            id="torch",
        ),
        pytest.param(caused(RuntimeError("the trial failed"), MemoryError()), id="behind another error"),
    ],
)
def test_that_memory_ran_out_is_one_sentence_with_what_to_do(error: Exception) -> None:
    assert "no memory is left for this process; lower search.rows" in (explain(error) or "")


def test_a_file_that_may_not_be_written_is_named() -> None:
    said = explain(PermissionError(errno.EACCES, "Permission denied", "/srv/shop/params.yaml"))
    assert said is not None
    assert said.startswith("/srv/shop/params.yaml: Permission denied; check who owns it")


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ValueError("3"), id="a bug"),
        pytest.param(FileNotFoundError(errno.ENOENT, "No such file", "/x"), id="another error of a file"),
        pytest.param(caused(BadInput("refused"), PermissionError(errno.EACCES, "403", "s3")), id="of S3"),
    ],
)
def test_nothing_else_is_taken_for_a_failure_of_the_machine(error: Exception) -> None:
    assert explain(error) is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"may not mount a small disk here: {mounted.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def test_init_on_a_full_disk_says_so_and_leaves_nothing(small_disk: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    frame = pd.DataFrame({"x": range(200_000), "y": [n % 2 for n in range(200_000)]})
    frame.to_csv(table, index=False)
    command = ["init", "--data", str(table), "--target", "y", "--project", str(small_disk / "shop"), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "incumbent", *command],
        env={**os.environ, **IDENTITY},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    [last] = [line for line in done.stderr.splitlines() if line.startswith("error")]
    assert f"no space left on the disk of {small_disk}" in last
    assert "Traceback" not in done.stderr
    assert list(small_disk.iterdir()) == []
