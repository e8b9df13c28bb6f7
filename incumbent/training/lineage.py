"""What a full training learns and later updates keep."""

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
    """What a full training learns and later updates keep: the schema of rows, the weights of classes, the
    calibration and threshold, and the tuned options."""

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
    """The version that an update continues: model, folder with its verified files, weights of classes, tuned
    options. `known`: number of training rows that it has learned from, updates included."""

    model: Model
    folder: Path
    balance: Balance
    options: dict[str, Any]
    known: int

    @staticmethod
    def of(model: Model, folder: Path, manifest: Mapping[str, Any]) -> "Parent":
        balance = Balance.of_schema(manifest["schema"])
        return Parent(model, folder, balance, manifest["options"], manifest["rows_known"])
