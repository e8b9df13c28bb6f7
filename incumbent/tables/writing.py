"""Tables into files of every format that can be read."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from incumbent.errors import BadInput
from incumbent.tables.atomic import atomic_write
from incumbent.tables.convert import CONFIG, SUFFIXES

CSV, JSON, GZIP = "FORMAT csv, HEADER", "FORMAT json", "COMPRESSION gzip"
TABS = f"{CSV}, DELIMITER '\t'"
OPTIONS = {
    ".csv": CSV,
    ".csv.gz": f"{CSV}, {GZIP}",
    **dict.fromkeys((".tsv", ".txt"), TABS),
    **dict.fromkeys((".tsv.gz", ".txt.gz"), f"{TABS}, {GZIP}"),
    ".jsonl": JSON,
    ".jsonl.gz": f"{JSON}, {GZIP}",
    ".ndjson": JSON,
}


def suffix_of(path: Path) -> str:
    """What tells the file's format. Raises BadInput for none that is known."""
    known = [suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)]
    if not known:
        raise BadInput(f"{path} is of no known format; a file may end with {', '.join(SUFFIXES)}")
    return known[0]


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write the frame in the format that the file's name tells, whole or not at all.

    The same frame gives the same bytes; floats keep every bit, times with a zone are written in UTC. Raises
    BadInput for a name of no known format.
    """
    suffix = suffix_of(path)
    with atomic_write(path) as part:
        if suffix == ".parquet":
            frame.to_parquet(part, index=False)
        else:
            _copy(pa.Table.from_pandas(frame, preserve_index=False), part, OPTIONS[suffix])


def _copy(table: pa.Table, path: Path, options: str) -> None:
    import duckdb

    with duckdb.connect(config=CONFIG) as database:
        database.execute("SET enable_progress_bar = false; SET TimeZone = 'UTC'")
        database.register("rows", table)
        database.execute(f"COPY (FROM rows) TO $path ({options})", {"path": str(path)})
