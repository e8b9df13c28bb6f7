"""Open a version's files for the first time, in a process that may crash, hang or take all memory.

    python -m incumbent.models.probe FOLDER

FOLDER holds manifest.json and the files that it lists. Prints one JSON line: {"passed": true}, or false with
the reason and whether the files are damaged. The caller, incumbent.storage.serving.first_parse, also handles
a crash or a traceback.
"""

import json
import resource
import sys
from pathlib import Path

from incumbent.errors import BadData, IncumbentError, Tampered
from incumbent.models.golden import GOLDEN, check_golden
from incumbent.models.model import open_model
from incumbent.tables.parquet import read_partition

LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 0,
    # Address space, not memory in use: libraries reserve gigabytes that they never write to.
    resource.RLIMIT_AS: 16 * 2**30,
    # Seconds of CPU; ends an endless loop when the parent was killed before its own timeout.
    resource.RLIMIT_CPU: 600,
}


def probe(folder: Path) -> dict[str, object]:
    """Check that the model's predictions for its golden rows are those from when it was made."""
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        check_golden(open_model(folder, manifest), read_partition(folder / GOLDEN))
    except IncumbentError as error:
        damaged = isinstance(error, Tampered | BadData)
        return {"passed": False, "damaged": damaged, "reason": str(error)}
    return {"passed": True}


def _restrain() -> None:
    for what, most in LIMITS.items():
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


if __name__ == "__main__":
    _restrain()
    print(json.dumps(probe(Path(sys.argv[1]))))
