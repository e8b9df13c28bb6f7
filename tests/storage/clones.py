"""What a clone of a data repository needs: small partitions, and a name to commit under."""

from pathlib import Path

import pandas as pd

from incumbent.storage.dataset.git import git


def partition(folder: Path, month: int, rows: int = 100) -> Path:
    path = folder / f"month-{month}.parquet"
    pd.DataFrame({"id": range(rows), "month": month}).to_parquet(path)
    return path


def identify(clone: Path) -> None:
    git(clone, "config", "user.name", "tests")
    git(clone, "config", "user.email", "tests@incumbent.invalid")
