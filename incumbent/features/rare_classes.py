"""Classes with too few training rows for every fold, and how training treats them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from incumbent.errors import BadData
from incumbent.params import RareTreatment

OTHER = "other"

NAMED = 5
"""Most classes that a message names; it gives the number of the others."""


@dataclass(frozen=True)
class RareClasses:
    """`rows`: class -> number of training rows, for classes with fewer than `least` (= search.folds)."""

    treatment: RareTreatment = "keep"
    least: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)

    @staticmethod
    def among(counts: Mapping[str, int], treatment: RareTreatment, least: int) -> "RareClasses":
        """counts: number of training rows of every class."""
        few = {name: rows for name, rows in sorted(counts.items()) if rows < least}
        return RareClasses(treatment, least, few)

    def classes_of(self, names: Iterable[str]) -> tuple[str, ...]:
        """The classes that a model learns. Raises BadData when only one remains."""
        names = set(names)
        if self.treatment == "keep" or not self.rows:
            return tuple(sorted(names))
        left = (names - self.rows.keys()) | ({OTHER} if self.treatment == "group" else set())
        if len(left) < 2 <= len(names):
            raise BadData(
                f"params.yaml: dataset.rare_classes = '{self.treatment}' leaves a single class, as "
                f"{self._named} have fewer training rows than search.folds = {self.least}; set it to 'keep', "
                "or lower search.folds"
            )
        return tuple(sorted(left))

    def is_enough(self, name: str, fresh: int) -> bool:
        """Whether a class that the model does not know has enough rows, with `fresh` more, to be learned."""
        return self.treatment == "keep" or self.rows.get(name, 0) + fresh >= self.least

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence for the log and the decision; empty where no class is rare."""
        if not self.rows:
            return ()
        what = {
            "keep": "trained on all the same (dataset.rare_classes = 'keep')",
            "group": f"trained on as the class '{OTHER}' (dataset.rare_classes = 'group')",
            "drop": "not trained on (dataset.rare_classes = 'drop')",
        }[self.treatment]
        return (f"fewer training rows than search.folds = {self.least}: {self._named}; {what}",)

    @property
    def _named(self) -> str:
        named = [f"{name} ({rows})" for name, rows in list(self.rows.items())[:NAMED]]
        more = len(self.rows) - len(named)
        return ", ".join(named) + (f" and {more} classes more" if more else "")

    def to_json(self) -> dict[str, Any]:
        return {"treatment": self.treatment, "least": self.least, "rows": dict(self.rows)}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "RareClasses":
        return RareClasses(**document)
