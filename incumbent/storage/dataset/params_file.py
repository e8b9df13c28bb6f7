"""Changes of params.yaml made by a command: one commit each, with the reason in its message."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from incumbent.errors import BadInput
from incumbent.params import DatasetParams, load_params, parse_params
from incumbent.storage.dataset.arrivals import commit_documents
from incumbent.storage.dataset.git import git

PARAMS = "params.yaml"


def drop_columns(project: Path, columns: Sequence[str], reason: str) -> None:
    """Add columns to dataset.drop in params.yaml, keep its comments, commit, and push the branch.

    Nothing changes if any step fails. Raises BadInput when the file has changes that are not committed, and
    BadParams when the result would not be valid.
    """
    if git(project, "status", "--porcelain", "--", PARAMS):
        raise BadInput(f"{project / PARAMS} has changes that are not committed; commit or restore it first")
    path = project / PARAMS
    dataset = load_params(project).dataset
    for name in columns:
        _require_droppable(name, dataset)
    text = _with_dropped(path.read_text(encoding="utf-8"), columns)
    parse_params(text, path)
    commit_documents(project, {PARAMS: text}, f"Drop {', '.join(columns)}\n\n{reason}")


def _require_droppable(name: str, dataset: DatasetParams) -> None:
    if name in {dataset.target, dataset.time}:
        raise BadInput(
            f"'{name}' is dataset.target or dataset.time and never a feature; so it can't be dropped"
        )
    if name in dataset.drop:
        raise BadInput(f"'{name}' is in dataset.drop already; `incumbent retrain` trains without it")
    if dataset.columns and name not in dataset.columns:
        raise BadInput(f"no column '{name}' in dataset.columns; there are {sorted(dataset.columns)}")


def _with_dropped(text: str, columns: Sequence[str]) -> str:
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 10_000
    yaml.representer.add_representer(type(None), _null)
    tree = yaml.load(text)
    dropped = tree["dataset"].setdefault("drop", CommentedSeq())
    if not dropped:
        dropped.fa.set_flow_style()  # stays `[a]` on the line of its comment
    dropped.extend(columns)
    written = io.StringIO()
    yaml.dump(tree, written)
    return written.getvalue()


def _null(representer: Any, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")
