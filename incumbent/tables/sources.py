"""Files that hold tables: one, or all of a folder, with the columns that Hive's folders name.

In `sales/month=2025-01/data_0.parquet` the folder is a column `month` with the value 2025-01 in every row.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from incumbent.errors import BadInput
from incumbent.params import DatasetParams
from incumbent.tables.atomic import atomic_write
from incumbent.tables.convert import BATCH_ROWS, SUFFIXES, stem_of, to_parquet
from incumbent.tables.text_kinds import ColumnNote

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
IN_FOLDERS = tuple(suffix for suffix in SUFFIXES if not suffix.startswith(".txt"))  # beside a README.txt


@dataclass(frozen=True)
class Source:
    """A file; `place` is its path below the folder that was named, or in the landing prefix."""

    path: Path
    place: PurePosixPath

    @property
    def file_name(self) -> str:
        """`place` as a single name: north/03.csv becomes north-03.csv."""
        return "-".join(self.place.parts)

    @property
    def name(self) -> str:
        """The name of its partition, with month=9 as month=09: partitions are ordered by their names."""
        folders = [re.sub(r"=(\d)$", r"=0\1", folder) for folder in self.place.parts[:-1]]
        return "-".join([*folders, stem_of(Path(self.place.name))])

    @property
    def is_parquet(self) -> bool:
        return self.path.name.lower().endswith(".parquet")

    @property
    def columns(self) -> dict[str, str]:
        """The columns that its folders give every row, as text; "" is an empty cell."""
        pairs = (folder.partition("=") for folder in self.place.parts[:-1] if "=" in folder)
        return {unquote(name): "" if value == HIVE_NULL else unquote(value) for name, _, value in pairs}


def sources_of(path: Path) -> list[Source]:
    """The file, or every table in the folder and below it, in the order of the partitions' names.

    Names that begin with '.' or '_' are ignored. Raises BadInput for a path that is not there, a
    folder without a table, and two files that would be one partition.
    """
    if not path.exists():
        raise BadInput(f"no such file or folder: {path}")
    above = _hive_folders(path)
    if not path.is_dir():
        return [Source(path, PurePosixPath(*above, path.name))]
    root = [*above, path.name] if "=" in path.name else []
    places = (each.relative_to(path) for each in path.rglob("*") if each.is_file())
    tables = [place for place in places if _is_table(place)]
    if not tables:
        raise BadInput(f"{path} holds no table; files may end with {', '.join(IN_FOLDERS)}")
    sources = [Source(path / place, PurePosixPath(*root, *place.parts)) for place in tables]
    require_own_names(sources)
    return sorted(sources, key=lambda each: each.name)


def require_own_names(sources: Sequence[Source]) -> None:
    """Raise BadInput for two files that would be one partition."""
    by_name: dict[str, Source] = {}
    for source in sources:
        other = by_name.setdefault(source.name, source)
        if other is not source:
            raise BadInput(
                f"{other.path} and {source.path} would both be the partition {source.name}; rename one"
            )


def read_source(source: Source, target: Path, dataset: DatasetParams) -> tuple[ColumnNote, ...]:
    """Like to_parquet, adding the columns of the folders if dataset.columns names them or is empty.

    Their values are read like those of a CSV file. A column that the file itself has is kept.
    """
    notes = to_parquet(source.path, target, dataset)
    own = pq.read_schema(target).names
    wanted = {name for name in source.columns if not dataset.columns or name in dataset.columns}
    if values := {name: text for name, text in source.columns.items() if name in wanted and name not in own}:
        _append_columns(target, _read_values(values, dataset))
    return notes


def _read_values(values: Mapping[str, str], dataset: DatasetParams) -> dict[str, pa.Scalar]:
    filled = {name: text for name, text in values.items() if text}
    scalars = dict.fromkeys(values, pa.scalar(None))
    if filled:
        with TemporaryDirectory() as folder:
            row, parsed = Path(folder) / "folders.csv", Path(folder) / "folders.parquet"
            with row.open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([filled.keys(), filled.values()])
            to_parquet(row, parsed, dataset)
            scalars |= {name: column[0] for name, column in zip(filled, pq.read_table(parsed), strict=True)}
    return scalars


def _append_columns(path: Path, scalars: Mapping[str, pa.Scalar]) -> None:
    with pq.ParquetFile(path) as file, atomic_write(path) as part:
        schema = file.schema_arrow.remove_metadata()
        for name, scalar in scalars.items():
            schema = schema.append(pa.field(name, scalar.type))
        with pq.ParquetWriter(part, schema) as writer:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                constant = [pa.repeat(scalar, len(batch)) for scalar in scalars.values()]
                writer.write_batch(pa.record_batch([*batch.columns, *constant], schema=schema))


def _hive_folders(path: Path) -> list[str]:
    """The unbroken run of key=value folders that the path lies in."""
    run: list[str] = []
    for parent in path.absolute().parents:
        if "=" not in parent.name:
            break
        run.insert(0, parent.name)
    return run


def _is_table(place: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in place.parts)
    return place.name.lower().endswith(IN_FOLDERS) and not hidden
