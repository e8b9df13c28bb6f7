"""The gate's own documents as the dataclasses that they were: each value of the kind that it should be, and
within what it can be."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

Kind = TypeVar("Kind")

Count = Annotated[int, Field(ge=0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Size = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Correlation = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]


def parsed(kind: type[Kind], document: Mapping[str, Any]) -> Kind:
    """The document as this dataclass. Raises ValueError with the place, and the value that is there."""
    try:
        checked: Kind = _adapter(kind).validate_python(dict(document))  # type: ignore[arg-type]  # classes hash
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place} is {first['input']!r:.60}: {plain(first['msg'])}") from None
    return checked


def plain(message: str) -> str:
    """Pydantic's message as the end of a sentence; one of our own as it is."""
    own = message.removeprefix("Value error, ")
    return own if own != message else message[:1].lower() + message[1:]


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
