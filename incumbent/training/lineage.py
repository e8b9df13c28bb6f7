"""What a full training learns and the updates after it keep."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incumbent.features.schema import Schema
from incumbent.models.calibration import Output
from incumbent.models.model import Model
from incumbent.training.balance import Balance


@dataclass(frozen=True)
class Lineage:
    """What a full training learns and its updates keep: how rows are read, how classes are weighed, what
    follows the learner's scores, and the tuned options."""

    schema: Schema
    balance: Balance
    output: Output
    options: dict[str, Any]

    @property
    def document(self) -> dict[str, Any]:
        """The manifest's `schema`, which model.onnx holds too."""
        return {
            **self.schema.to_json(),
            "balance": self.balance.to_json(),
            "output": self.output.to_json(),
        }


@dataclass(frozen=True)
class Parent:
    """The version that an update continues: its model, the folder with its verified files, how it weighed
    the classes, its tuned options, and how many training rows it knows."""

    model: Model
    folder: Path
    balance: Balance
    options: dict[str, Any]
    known: int

    @staticmethod
    def of(model: Model, folder: Path, manifest: Mapping[str, Any]) -> "Parent":
        balance = Balance.of_schema(manifest["schema"])
        return Parent(model, folder, balance, manifest["options"], manifest["rows_known"])
