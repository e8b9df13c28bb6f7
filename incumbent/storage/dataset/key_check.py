"""Check that arriving keys are new: the suites' uniqueness of the key, applied across all partitions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from incumbent.gate.check import Judged
from incumbent.gate.keys import judge_keys, key_severity
from incumbent.params import DatasetParams
from incumbent.storage.dataset.arrivals import catch_up
from incumbent.storage.dataset.known_keys import KnownKeys
from incumbent.storage.dataset.versions import resolve_or_empty


@dataclass(frozen=True)
class KeyCheck:
    """The keys in the data, and the severity of a row that arrives with one of them."""

    known: KnownKeys | None
    severity: str
    key: Sequence[str]

    def without(self, partitions: Iterable[Path]) -> "KeyCheck":
        """Without the keys of the partitions that these will replace."""
        return replace(self, known=self.known and self.known.without(path.name for path in partitions))

    def judge(self, path: Path) -> list[Judged]:
        """One finding; none if no suite requires a unique key."""
        if self.known is None:
            return []
        return [judge_keys(path.name, path, self.known.repeated(path), self.severity, self.key)]

    def add(self, path: Path) -> None:
        """Count the keys of this partition as in the data from now on."""
        if self.known is not None:
            self.known.add(path)


def keys_in_data(project: Path, suites: Sequence[dict[str, Any]], dataset: DatasetParams) -> KeyCheck:
    """The keys of the branch, brought up to its upstream. Raises as `catch_up` does."""
    severity = key_severity(suites, dataset)
    if severity is None:
        return KeyCheck(None, "info", dataset.key)
    catch_up(project)
    return KeyCheck(KnownKeys(project, dataset.key, resolve_or_empty(project)), severity, dataset.key)
