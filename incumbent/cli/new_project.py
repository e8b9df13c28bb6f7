"""Make a project around the user's own table."""

import json
import re
import shutil
import uuid
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import jinja2
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from incumbent.cli.options import say
from incumbent.columns import columns_of
from incumbent.errors import BadData, BadInput
from incumbent.params import DatasetParams, parse_params
from incumbent.reading import SUFFIXES, partition_by, stem_of, to_parquet
from incumbent.recognise import Recognised, recognise

DAYS_FOR_MONTHS = 62  # a table that spans less is split by day

# The project's file -> the template it comes from. DVC would take one named dvc.yaml for a pipeline of ours.
AS_THEY_ARE = {
    "prefect.yaml": "prefect.yaml",
    "kubernetes/cpu.json": "kubernetes-cpu.json",
    "kubernetes/gpu.json": "kubernetes-gpu.json",
    "dvc.yaml": "dvc.yaml.txt",
    ".dvc/config": "dvc-config",
    ".dvcignore": "dvcignore",
    ".gitignore": "gitignore",
}


def create(data: Path, target: str, key: list[str], time: str | None, project: Path) -> dict[str, Any]:
    """Nothing is left behind when any of it fails."""
    from incumbent.draft import draft_suite
    from incumbent.storage import project as storage

    existed = project.is_dir()
    documents = [*AS_THEY_ARE, "params.yaml", "expectations"]
    storage.require_room(project, [name for name in documents if not name.startswith(".git")])
    staging = project / ".incumbent" / f"init-{uuid.uuid4().hex[:8]}"
    staging.mkdir(parents=True)
    try:
        name = _name(project)
        paths, period = _partitions(_sources(data), staging, target, time)
        seen = recognise(paths, columns_of(paths[-1]), target, key, time)
        params = _params(name, data, seen, len(paths), period)
        say(f"{seen.rows:,} rows, {len(paths)} partitions, {seen.task}: {seen.why_task}")
        suite = draft_suite(paths, parse_params(params, project / "params.yaml"))
        version = storage.create(
            project,
            {
                **{path: _kept(project / path) + _template(source) for path, source in AS_THEY_ARE.items()},
                "params.yaml": params,
                f"expectations/{name}.json": json.dumps(suite, indent=2, ensure_ascii=False) + "\n",
            },
            paths,
            f"Start with {seen.rows:,} rows of {data.name}",
        )
    except BaseException:
        shutil.rmtree(project if not existed else staging)
        raise
    shutil.rmtree(staging)
    return {
        "project": str(project),
        "name": name,
        "task": seen.task,
        "target": target,
        "metric": seen.metric,
        "rows": seen.rows,
        "dropped": seen.drop,
        "expectations": len(suite["expectations"]),
        "data": {**version.to_json(), "name": version.short},
    }


def _sources(data: Path) -> list[Path]:
    if not data.exists():
        raise BadInput(f"no file or folder {data}; name your table with --data")
    found = sorted(data.iterdir()) if data.is_dir() else [data]
    sources = [
        path for path in found if path.name.endswith(SUFFIXES) and not path.name.startswith((".", "_"))
    ]
    if not sources:
        raise BadInput(f"{data} holds no table; files may end with {', '.join(SUFFIXES)}")
    return sources


def _partitions(
    sources: list[Path], folder: Path, target: str, time: str | None
) -> tuple[list[Path], Literal["file", "month", "day"]]:
    """One partition a file; a single table with a time column is split by month, or by day if it is short."""
    dataset = DatasetParams(name="new", target=target, time=time)
    whole = [folder / f"{stem_of(source)}.parquet" for source in sources]
    if len(set(whole)) < len(whole):
        raise BadInput(
            f"two files in {sources[0].parent} differ in their ending only; a partition needs its own name"
        )
    for source, path in zip(sources, whole, strict=True):
        say(f"reading {source}")
        to_parquet(source, path, dataset)
    if time is None:
        return whole, "file"
    spans = [_span(path, time) for path in whole]
    if len(whole) == 1:
        period: Literal["month", "day"] = (
            "month" if (spans[0][1] - spans[0][0]).days > DAYS_FOR_MONTHS else "day"
        )
        parts = partition_by(whole[0], folder / "parts", time, period)
        return parts, period
    if spans != sorted(spans):
        say("the files' names do not sort by time; the last partitions by name are taken for the latest")
    return whole, "file"


def _span(path: Path, time: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    names = pq.ParquetFile(path).schema_arrow.names
    if time not in names:
        raise BadData(f"{path.name} has no column '{time}'; it has {sorted(names)}")
    limits = pc.min_max(pq.read_table(path, columns=[time])[time]).as_py()
    try:
        return pd.Timestamp(limits["min"]), pd.Timestamp(limits["max"])
    except (ValueError, TypeError) as error:
        raise BadData(
            f"column '{time}' of {path.name} holds {limits['min']!r}, which is no time; use ISO 8601, "
            "such as 2026-03-31 14:00"
        ) from error


def _params(name: str, data: Path, seen: Recognised, partitions: int, period: str) -> str:
    environment = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined)  # noqa: S701
    # JSON is YAML: quotes, brackets and non-ASCII names come out right.
    environment.filters["yaml"] = lambda value: json.dumps(value, ensure_ascii=False)
    facts = {"name": name, "source": data.name, "seen": seen, "partitions": partitions, "period": period}
    return environment.from_string(_template("params.yaml.j2")).render(facts)


def _template(name: str) -> str:
    return (files("incumbent") / "templates" / "project" / name).read_text(encoding="utf-8")


def _kept(gitignore: Path) -> str:
    """What a repository ignored before; no other of our files may be there yet."""
    return gitignore.read_text(encoding="utf-8").rstrip("\n") + "\n" if gitignore.exists() else ""


def _name(project: Path) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", project.name.lower()).strip("-")[:63]
    if not name:
        raise BadInput(f"the folder's name '{project.name}' has no letter or digit to name the model after")
    return name
