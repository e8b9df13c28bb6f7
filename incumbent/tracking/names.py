"""Names of figures that every tracker takes."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

FORBIDDEN = re.compile(r"[^\w.\- :]")
LONGEST, LONGEST_PART = 240, 80
DIGITS = 6


def allowed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values under names of letters, digits and `_-. :/`, without a path that leads elsewhere.

    That is MLflow's rule, the strictest.
    """
    return {_short("/".join(map(as_part, name.split("/"))), LONGEST): value for name, value in values.items()}


def as_part(text: str) -> str:
    """A value of the data as one part of a name; the same text gives the same part in each run.

    One that has to be changed ends in digits of its own, so that `<30` and `>30` stay apart.
    """
    plain = FORBIDDEN.sub("_", text)
    if plain in ("", ".", ".."):
        plain = "_"
    return (
        _short(text, LONGEST_PART)
        if plain == text
        else f"{plain[: LONGEST_PART - DIGITS - 1]}_{_digits(text)}"
    )


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - DIGITS - 1]}_{_digits(text)}"


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
