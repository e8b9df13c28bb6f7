"""Which partitions of a version have rows without a label? Fully labelled ones are not read again.

<project>/.incumbent/cache/labelled/<digest of the target>/<md5>    an empty file: every row has its label
"""

import hashlib
from pathlib import Path

from incumbent.storage.dataset.versions import read_columns
from incumbent.tables.partitions import DataVersion


def unlabelled_partitions(project: Path, version: DataVersion, target: str) -> list[str]:
    """Their names, in order. Reads the target column of partitions not known here as fully labelled."""
    labelled = (
        project / ".incumbent" / "cache" / "labelled" / hashlib.sha256(target.encode()).hexdigest()[:12]
    )
    labelled.mkdir(parents=True, exist_ok=True)
    unchecked = [each.name for each in version.partitions if not (labelled / each.md5).exists()]
    waiting = []
    for partition, table in read_columns(project, version, unchecked, [target]):
        cells = table.column(target) if table.num_columns else None
        if cells is not None and cells.is_null(nan_is_null=True).to_numpy().any():
            waiting.append(partition.name)
        else:
            (labelled / partition.md5).touch()
    return waiting
