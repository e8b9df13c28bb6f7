"""Make a project around the user's own table."""

import json
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jinja2

from incumbent.cli.new_table import NewTable, read_table
from incumbent.cli.options import say
from incumbent.cli.project_files import AS_THEY_ARE, OF_THE_STACK, template
from incumbent.cli.workspace import require_free_name, require_in_reach
from incumbent.errors import BadData, BadInput
from incumbent.gate.suspicions import Oddity, oddities
from incumbent.gate.wording import count
from incumbent.local.state import make_private
from incumbent.local.workspace import root_of
from incumbent.params import METRICS, DatasetParams, Params, parse_params
from incumbent.tables.checks import ColumnWarning, things_to_check
from incumbent.tables.overview import ColumnOverview, overview
from incumbent.tables.recognise import Recognised, recognise, sample_of

REASONS = 10  # of a gate that blocks


Check = Callable[[Sequence[Path], Params], object]
"""(the first partitions, the new project's parameters) -> nothing; raises IncumbentError to refuse them."""


def create(
    data: Path, dataset: DatasetParams, project: Path, zone: str | None = None, check: Check | None = None
) -> dict[str, Any]:
    """dataset: what the user said of the columns. Nothing is left behind when any of it fails."""
    from incumbent.gate.draft import draft_suite
    from incumbent.gate.learned_suite import from_suite
    from incumbent.storage.dataset import new_project as storage
    from incumbent.storage.dataset.history import learned_path, start_history

    require_in_reach(project)
    root = root_of(project)
    joins = root != project
    as_they_are = {path: AS_THEY_ARE[path] for path in AS_THEY_ARE if not (joins and path in OF_THE_STACK)}
    documents = [*as_they_are, "params.yaml", "expectations"]
    storage.require_room(project, [name for name in documents if not name.startswith(".git")])
    if above := storage.repository_above(project):
        say(f"the project becomes a folder of the git repository {above}")
    name = _name(project)
    if joins:
        require_free_name(project, name)
        say(f"the project joins the workspace {root}")
    with _staging(project) as staging:
        table = read_table(data, staging, dataset, zone)
        recognised = _recognised(table, dataset)
        text = _params(name, data, recognised, table)
        params = parse_params(text, project / "params.yaml")
        counts = f"{count(recognised.rows, 'row')}, {count(len(table.partitions), 'partition')}"
        say(f"{counts}, {recognised.task}: {recognised.why_task}")
        suite = draft_suite(table.partitions, params)
        _require_passing(table.partitions, suite, params)
        if check is not None:
            check(table.partitions, params)
        columns = _overview(table, recognised, params)
        history = start_history(table.partitions, params)
        learned = from_suite(json.loads(history[learned_path(params)]))
        version = storage.create(
            project,
            {
                **{path: _kept(project / path) + template(source) for path, source in as_they_are.items()},
                **({".dvc/config": _remote_of_its_own(name)} if joins else {}),
                "params.yaml": text,
                f"expectations/{name}.json": json.dumps(suite, indent=2, ensure_ascii=False) + "\n",
                **history,
            },
            table.partitions,
            f"Start with {recognised.rows:,} rows of {data.name}",
        )
    return {
        "project": str(project),
        "workspace": str(root) if joins else None,
        "name": name,
        "task": recognised.task,
        "target": recognised.target,
        "metric": recognised.metric,
        "rows": recognised.rows,
        "unlabelled": recognised.unlabelled,
        "dropped": recognised.drop,
        "expectations": len(suite["expectations"]),
        "limits": len(learned.limits),
        "data": {**version.to_json(), "name": version.short},
        **columns,
    }


@contextmanager
def _staging(project: Path) -> Iterator[Path]:
    """A folder for what is made on the way; if the block fails, also the project's goes, if it is new."""
    existed = project.is_dir()
    staging = project / ".incumbent" / f"init-{uuid.uuid4().hex[:8]}"
    try:
        project.mkdir(parents=True, exist_ok=True)
        make_private(staging.parent)
        staging.mkdir()
        yield staging
    except BaseException:
        shutil.rmtree(staging if existed else project, ignore_errors=True)
        raise
    shutil.rmtree(staging)


def _recognised(table: NewTable, dataset: DatasetParams) -> Recognised:
    agreement = table.agreement
    recognised = recognise(table.partitions, agreement.columns, dataset.target, dataset.key, dataset.time)
    recognised = replace(recognised, columns=agreement.declared, drop=[*recognised.drop, *table.calendar])
    return replace(recognised, why_drop="they name a row or a time") if table.calendar else recognised


def _require_passing(paths: list[Path], suite: dict[str, Any], params: Params) -> None:
    """Raises BadData if the project's own gate would block what it starts with."""
    from incumbent.gate import Verdict
    from incumbent.gate.version import gate_version

    suites = [deepcopy(suite)]  # Great Expectations notes its version in what it is given
    report = gate_version([(path.name, path) for path in paths], suites, params)
    if report.verdict is Verdict.BLOCK:
        reasons, more = report.reasons[:REASONS], len(report.reasons) - REASONS
        shown = "\n".join([*reasons, *([f"and {more:,} more"] if more > 0 else [])])
        raise BadData(f"the project's own gate would block this data; correct it first:\n{shown}")


def _overview(table: NewTable, recognised: Recognised, params: Params) -> dict[str, Any]:
    """Each column with what becomes of it, and what a person should look at."""
    sample = sample_of(table.partitions)
    columns = overview(table.partitions, table.agreement.columns, sample, recognised)
    noted = {column for column, _ in table.notes}
    warnings = [
        *(ColumnWarning(*note) for note in table.notes),
        *(each for each in things_to_check(columns, sample, recognised) if each.column not in noted),
        *_oddities(columns, oddities(table.partitions, params.dataset, params.task)),
    ]
    return {
        "columns": [each.to_json() for each in columns],
        "warnings": [asdict(each) for each in warnings],
    }


def _oddities(columns: Sequence[ColumnOverview], odd: Sequence[Oddity]) -> Iterator[ColumnWarning]:
    """What the gate would warn of; of a column that is no feature, that it is none."""
    unused = {each.column for each in columns if each.becomes == "unused"}
    for each in odd:
        unread = " (no feature now; keep it out of features.dates)" if each.column in unused else ""
        yield ColumnWarning(each.column, each.observed + unread)


def _params(name: str, data: Path, recognised: Recognised, table: NewTable) -> str:
    environment = jinja2.Environment(
        autoescape=False,  # noqa: S701
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,  # without it `echo … >> params.yaml` would go on in the last line
    )
    # JSON is YAML: quotes, brackets and non-ASCII names come out right.
    environment.filters["yaml"] = lambda value: json.dumps(value, ensure_ascii=False)
    metric = METRICS[recognised.metric]
    facts = {
        "name": name,
        "source": data.name,
        "recognised": recognised,
        "partitions": len(table.partitions),
        "landing": table.landing,
        "formats": table.formats,
        "worthwhile": metric.worthwhile(0) if metric.greater_is_better else None,
    }
    return environment.from_string(template("params.yaml.j2")).render(facts)


def _remote_of_its_own(name: str) -> str:
    """DVC's configuration with a folder below that of the others: `dvc gc` in one project spares the rest."""
    return re.sub(r"(url = .*)", rf"\1/{name}", template("dvc-config"))


def _kept(gitignore: Path) -> str:
    """What a repository ignored before; no other of our files may be there yet."""
    return gitignore.read_text(encoding="utf-8").rstrip("\n") + "\n" if gitignore.exists() else ""


def _name(project: Path) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", project.name.lower()).strip("-")[:63]
    if not name:
        raise BadInput(f"the folder's name '{project.name}' has no letter or digit to name the model after")
    return name
