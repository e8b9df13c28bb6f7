"""Open a version's model for the first time on this machine in a subprocess: parsers crash and hang.

LightGBM's reader aborts on a truncated model, loops for ever on a tree with a cycle, and reads half a model
without an error. No `except` catches any of these.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from incumbent.errors import BadInput, IncumbentError, Tampered
from incumbent.models.golden import GOLDEN

TIMEOUT = 60.0

MARK = ".probed"

# The packages that read the files: when one of them changes, the version is checked again.
PARSERS = ("incumbent", "lightgbm", "numpy", "pandas", "pyarrow")

# The probe needs no credentials; it gets only what Python and its libraries need to start.
ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


def first_parse(folder: Path, manifest: Mapping[str, Any], timeout: float = TIMEOUT) -> None:
    """Open the version in `folder` and score its golden rows in a subprocess, unless that succeeded before.

    `folder` holds the verified files and manifest.json. Raises Tampered when the model crashes the parser,
    does not open within `timeout` seconds, is refused, or predicts differently than when it was made;
    BadInput for a learner of a newer incumbent; IncumbentError when this machine can't run the check.
    """
    mark = folder / MARK
    fingerprint = _fingerprint(folder)
    if _read(mark) == fingerprint:
        return
    version = manifest["version"]
    if GOLDEN not in manifest["files"]:
        raise Tampered(
            f"version '{version}' has no golden rows ({GOLDEN}) to check it with; publish it again"
        )
    _probe(folder, version, timeout)
    mark.write_bytes(fingerprint)


def _probe(folder: Path, version: str, timeout: float) -> None:
    try:
        done = subprocess.run(
            # -P: a file in the current folder can't stand in for a library.
            [sys.executable, "-P", "-m", "incumbent.models.probe", str(folder.resolve())],
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
            | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Tampered(
            f"version '{version}' did not open within {timeout:g} s: its model may hold an endless loop "
            f"({folder})"
        ) from error
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise Tampered(f"version '{version}' crashed its parser ({name}): its model is damaged ({folder})")
    if done.returncode > 0:
        raise _failure(version, folder, _last_line(done.stderr))
    answer = json.loads(_last_line(done.stdout))
    if not answer["passed"]:
        kind = Tampered if answer["damaged"] else BadInput
        raise kind(f"version '{version}' was refused when it was first opened: {answer['reason']}")


def _failure(version: str, folder: Path, last: str) -> IncumbentError:
    """The error for a traceback's last line: this machine lacks a library, or the files are damaged."""
    if last.startswith(("ImportError", "ModuleNotFoundError")):
        return IncumbentError(f"version '{version}' can't be checked on this machine: {last}")
    return Tampered(f"version '{version}' can't be read ({last}): its files are damaged ({folder})")


def _fingerprint(folder: Path) -> bytes:
    manifest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    parsers = {name: metadata.version(name) for name in PARSERS}
    return json.dumps({"manifest": manifest, "parsers": parsers}, sort_keys=True).encode()


def _read(mark: Path) -> bytes | None:
    return mark.read_bytes() if mark.is_file() else None


def _last_line(output: bytes) -> str:
    return (output.decode("utf-8", "replace").strip().splitlines() or ["no output"])[-1]
