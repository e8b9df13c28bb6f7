"""The gate's own documents as the dataclasses that they were: each value of the kind that it should be."""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

Kind = TypeVar("Kind")


def parsed(kind: type[Kind], document: Mapping[str, Any]) -> Kind:
    """The document as this dataclass. Raises ValueError with the place, and the value that is there."""
    try:
        checked: Kind = _adapter(kind).validate_python(dict(document))  # type: ignore[arg-type]  # classes hash
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place} is {first['input']!r:.60}: {first['msg'].lower()}") from None
    return checked


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
