"""Column names that somebody would take for one another."""

import re
import unicodedata
from collections.abc import Sequence

from incumbent.errors import BadData

RENAMED = re.compile(r"(.+)_\d+", re.DOTALL)


def look_alikes(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of names that are one to DuckDB, to Great Expectations or to a reader: x1 and X1, é in two codes.

    Also a name that is there twice. In the order of the names.
    """
    first: dict[str, str] = {}
    pairs = []
    for name in names:
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
        if folded in first:
            pairs.append((first[folded], name))
        first.setdefault(folded, name)
    return pairs


def require_distinct(names: Sequence[str], source: object) -> None:
    """Raises BadData with both names for the first pair of look-alikes; `source` is for the message."""
    for one, other in look_alikes(names):
        if one == other:
            raise BadData(f"{source} has the column name {one!r} twice; rename one of the two")
        raise BadData(
            f"{source} has the columns {one!r} and {other!r}, whose names differ in case only or look alike: "
            "DuckDB, Great Expectations or a reader takes one for the other; rename one of the two"
        )


def may_be_renamed(names: Sequence[str]) -> bool:
    """Did DuckDB perhaps name a second `x1` or `X1` of a JSON object `X1_1`?"""
    return any(
        (match := RENAMED.fullmatch(name)) and look_alikes([match[1], *names[:place]])[:1]
        for place, name in enumerate(names)
    )
