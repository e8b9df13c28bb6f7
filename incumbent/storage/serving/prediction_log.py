"""What was predicted, and labels that do not come with the data.

<registry.address>/<dataset>/predictions/<day>/<version>-<digest>.parquet   day of the prediction, UTC
<registry.address>/<dataset>/labels/<day>/<digest>.parquet                  key and target
<registry.address>/<dataset>/monitor/<version>-<digest>.json                the health that monitor computed

Named by their content, so the same predictions of a day are one file.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from incumbent.params import Params
from incumbent.storage.s3.address import open_store
from incumbent.storage.s3.documents import dump, load
from incumbent.storage.s3.store import Store


class Feedback:
    """The logged predictions and labels of one model. All methods raise StorageUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep_predictions(self, version: str, logged: pd.DataFrame) -> str:
        """Log predictions of a version, as `evaluation.feedback.to_log` gives them; returns the address."""
        key, body = self._named("predictions", f"{version}-", logged)
        self._store.put_if_absent(key, body)
        return self._store.url(key)

    def predictions(self, version: str, days: int) -> pd.DataFrame:
        """A version's predictions of the last `days` days, the earliest first; empty if there are none."""
        tables = list(self._tables("predictions", days, f"{version}-"))
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def keep_labels(self, labels: pd.DataFrame) -> str:
        """Store a table of keys and targets; returns the address. Stored again, it is the latest again."""
        key, body = self._named("labels", "", labels)
        self._store.put(key, body)
        return self._store.url(key)

    def labels(self, days: int) -> list[pd.DataFrame]:
        """The tables of labels that were stored in the last `days` days, the earliest first."""
        return list(self._tables("labels", days, ""))

    def keep_verdict(self, version: str, document: Mapping[str, Any]) -> None:
        """Store what monitor reported; an equal report is one document."""
        body = dump(document)
        self._store.put(f"monitor/{version}-{hashlib.sha256(body).hexdigest()[:12]}.json", body)

    def last_verdict(self, version: str) -> dict[str, Any] | None:
        """What monitor reported last of a version; None if it never did."""
        listed = self._store.listing(f"monitor/{version}-")
        latest = max(listed, key=lambda each: (each.written, each.key), default=None)
        if latest is None:
            return None
        return load(self._store.get(latest.key).body, self._store.url(latest.key))

    def _named(self, kind: str, prefix: str, table: pd.DataFrame) -> tuple[str, bytes]:
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        body = buffer.getvalue()
        digest = hashlib.sha256(body).hexdigest()[:16]
        return f"{kind}/{datetime.now(UTC).date()}/{prefix}{digest}.parquet", body

    def _tables(self, kind: str, days: int, prefix: str) -> Iterator[pd.DataFrame]:
        """The tables in the order of their days, and within a day by S3's clock."""
        today = datetime.now(UTC).date()
        for age in range(days, -1, -1):
            listed = list(self._store.listing(f"{kind}/{today - timedelta(days=age)}/{prefix}"))
            keys = [each.key for each in sorted(listed, key=lambda each: (each.written, each.key))]
            bodies = {key: each.body for key, each in self._store.find_all(keys)}
            yield from (pd.read_parquet(io.BytesIO(bodies[key])) for key in keys if key in bodies)


def open_feedback(params: Params) -> Feedback:
    """The feedback of the project's model. Raises BadParams for a bad registry.address."""
    return Feedback(open_store(f"{params.registry.address.rstrip('/')}/{params.dataset.name}"))
