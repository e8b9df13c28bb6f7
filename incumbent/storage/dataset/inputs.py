"""What a retraining depends on, as one digest of small files: has it changed since the last decision?"""

import hashlib
from pathlib import Path

from incumbent import __version__
from incumbent.params import Params
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.versions import POINTER, PROBATION

PARAMS = "params.yaml"


def inputs_digest(project: Path, params: Params) -> str:
    """sha256 of data.dvc, params.yaml, expectations, who is on probation, and the project's function.

    Reads the work tree: no git, no DVC, and no import of the project's code.
    """
    digest = hashlib.sha256(__version__.encode())
    for name in _names(project, params):
        digest.update(f"\n{name}\n".encode())
        path = project / name
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def changed_at(project: Path, params: Params) -> int:
    """When a commit changed one of them last, in seconds since 1970; 0 if none did."""
    return int(git(project, "log", "-1", "--format=%ct", "--", *_names(project, params)) or 0)


def _names(project: Path, params: Params) -> list[str]:
    suites = sorted(path.name for path in (project / "expectations").glob("*.json"))
    function = params.features.function
    code = [f"{function.partition(':')[0].replace('.', '/')}.py"] if function else []
    return [PARAMS, POINTER, PROBATION, *(f"expectations/{name}" for name in suites), *code]
