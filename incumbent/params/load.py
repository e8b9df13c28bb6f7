"""Read params.yaml once, at the edge. Errors name the key, its value and what is allowed."""

import logging
import reprlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from incumbent.errors import BadParams
from incumbent.params.training import LEARNERS
from incumbent.params.whole import Params

LOG = logging.getLogger(__name__)

# Limits the value in a message: a few YAML aliases can expand to gigabytes.
SHORT = reprlib.Repr()
SHORT.maxlevel, SHORT.maxstring = 2, 80

# Pydantic's own name classes of Python.
_PLAIN = {
    "tuple_type": "Input should be a list, such as [a, b]",
    "model_type": "Input should be keys with values, such as {key: value}, or {} for none",
}

# Pydantic adds the union's type that it tried to the address of a value.
_UNION_MEMBERS = ("bool", "int", "float", "str")


def load_params(project: Path) -> Params:
    """Read PROJECT/params.yaml.

    Raises BadParams with the file, the key, its value and what is allowed.
    """
    path = project / "params.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        what = "no params.yaml in" if project.is_dir() else "there is no folder"
        raise BadParams(f"{what} {project.resolve()}; name the project with --project") from error
    except UnicodeDecodeError as error:
        raise BadParams(f"{path} is not valid YAML: {_one_line(error)}") from error
    return parse_params(text, path)


@lru_cache(maxsize=8)
def parse_params(text: str, path: Path) -> Params:
    """Parse the text of params.yaml; `path` is for messages. Cached, as a run asks for it many times."""
    try:
        # YAML 1.2: `1e-3` is a number and `no` a word; duplicate keys are refused; no object tags.
        tree = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:  # ValueError: a date like 02-30
        raise BadParams(f"{path} is not valid YAML: {_one_line(error)}") from error
    if not isinstance(tree, dict):
        raise BadParams(f"{path} must be a mapping of sections, not {type(tree).__name__}")
    for notice in _retired(tree, path):
        LOG.warning("%s", notice)
    try:
        return Params.model_validate(tree)
    except ValidationError as error:
        raise BadParams("\n".join(_explain(path, problem) for problem in error.errors())) from error


def _retired(tree: dict[str, Any], path: Path) -> Iterator[str]:
    """A sentence for each key of an earlier release that has no effect any more."""
    for name, field in Params.model_fields.items():
        for key, now in getattr(field.annotation, "retired", {}).items():
            if isinstance(section := tree.get(name), dict) and key in section:
                yield f"{path}: {name}.{key} has no effect any more: {now}; remove the line"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _explain(path: Path, problem: Any) -> str:
    parts = [part for part in problem["loc"] if part not in _UNION_MEMBERS]
    value, message = problem["input"], problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "union_tag_invalid":
        parts.append("name")
        value, message = value["name"], f"Input should be {problem['ctx']['expected_tags']}"
    elif parts[:1] == ["learner"] and len(parts) > 1:
        del parts[1]  # the learner's name, which pydantic adds
    message = _PLAIN.get(problem["type"], message)
    key = ".".join(map(str, parts))
    if problem["type"] == "extra_forbidden":
        *parents, _ = problem["loc"]
        allowed = ", ".join(_fields(parents))
        return f"{path}: unknown key '{key}'; allowed here: {allowed}"
    if problem["type"] == "missing":
        return f"{path}: '{key}' is missing"
    return f"{path}: {key} = {SHORT.repr(value)}: {message}" if key else f"{path}: {message}"


def _fields(parents: list[Any]) -> list[str]:
    if parents[:1] == ["learner"]:
        return list(LEARNERS[parents[1]].model_fields)
    section: Any = Params
    for name in parents:
        section = section.model_fields[name].annotation
    return list(section.model_fields)
