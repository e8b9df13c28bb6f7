"""JSON documents in the registry, each read once: a scrape reads what is new."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from incumbent.errors import Tampered
from incumbent.storage.s3.store import Listed, Store


class Document(NamedTuple):
    """What is kept of a document, and when S3 last wrote it."""

    key: str
    written: datetime
    content: Any


class Documents:
    """Keeps of each document what `part` takes from its key and content."""

    def __init__(self, store: Store, part: Callable[[str, Any], Any]) -> None:
        self._store, self._part = store, part
        self._kept: dict[str, tuple[str, Document]] = {}

    def read(self, listed: Iterable[Listed]) -> list[Document]:
        """These documents; only those are fetched that are new or were overwritten.

        Raises Tampered for one that is not as incumbent writes them.
        """
        current = {each.key: each for each in listed}
        kept = {key: etag for key, (etag, _) in self._kept.items()}
        new = [key for key, each in current.items() if kept.get(key) != each.etag]
        for key, stored in self._store.find_all(new):
            try:
                content = self._part(key, json.loads(stored.body))
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                raise Tampered(f"{self._store.url(key)} is not what incumbent wrote: {error!r}") from error
            self._kept[key] = current[key].etag, Document(key, current[key].written, content)
        return [self._kept[key][1] for key in current if key in self._kept]
