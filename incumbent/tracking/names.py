"""Names of figures that every tracker takes."""

import re
from collections.abc import Mapping
from typing import Any

FORBIDDEN = re.compile(r"[^/\w.\- :]")
LONGEST = 240


def allowed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values under names of letters, digits and `_-. :/`, without a path that leads elsewhere.

    That is MLflow's rule, the strictest. Two names that become one get a number.
    """
    renamed: dict[str, Any] = {}
    for name, value in values.items():
        parts = ("_" if part in ("", ".", "..") else part for part in FORBIDDEN.sub("_", name).split("/"))
        wanted = "/".join(parts)[:LONGEST]
        number, unique = 1, wanted
        while unique in renamed:
            number += 1
            unique = f"{wanted}_{number}"
        renamed[unique] = value
    return renamed


def as_part(text: str) -> str:
    """A value of the data as one part of a name."""
    return text.replace("/", "_")
