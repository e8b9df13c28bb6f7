"""Are the keys of what arrives new? What the suites say of the key, asked of all partitions."""

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
    """The keys that are in the data, and how grave it is that a row comes with one of them."""

    known: KnownKeys | None
    severity: str
    key: Sequence[str]

    def without(self, partitions: Iterable[Path]) -> "KeyCheck":
        """But for those of the partitions that these will take the place of."""
        return replace(self, known=self.known and self.known.without(path.name for path in partitions))

    def judge(self, path: Path) -> list[Judged]:
        """One finding; none if no suite says that the key is unique."""
        if self.known is None:
            return []
        return [judge_keys(path.name, path, self.known.repeated(path), self.severity, self.key)]

    def take(self, path: Path) -> None:
        """From now on its keys are in the data."""
        if self.known is not None:
            self.known.take(path)


def keys_in_data(project: Path, suites: Sequence[dict[str, Any]], dataset: DatasetParams) -> KeyCheck:
    """Those of the branch as its upstream has it now. Raises as `catch_up` does."""
    severity = key_severity(suites, dataset)
    if severity is None:
        return KeyCheck(None, "info", dataset.key)
    catch_up(project)
    return KeyCheck(KnownKeys(project, dataset.key, resolve_or_empty(project)), severity, dataset.key)
