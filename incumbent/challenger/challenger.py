"""A challenger: its files in a folder, and its entries for the manifest."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from incumbent.features.schema import Schema
from incumbent.learners import learner_type
from incumbent.learners.devices import Device
from incumbent.models.calibration import Output
from incumbent.models.model import Model
from incumbent.models.onnx_export import Export
from incumbent.models.segments import FILE as SEGMENTS
from incumbent.models.segments import Segments
from incumbent.params import Params
from incumbent.training.balance import Balance
from incumbent.training.cross_validation import CrossValidation
from incumbent.training.engine import Engine
from incumbent.training.lineage import Lineage


@dataclass(frozen=True)
class Challenger:
    """`files`: names of the files that a version keeps; `file`, the model's, is one of them.

    `others`: files of models that differ in the seed only; they measure the spread between seeds and are not
    kept. `lineage`: what updates keep. `prior`: the trivial baseline's prediction, that is the share of
    positives, of each class, or the mean. `onnx`: result of the export to model.onnx. `cleaned`: number of
    cells that each step of cleaning changed in the training rows. `device`, `engine`: what trained it.
    `segments`: as Segments.to_json, None without segments.by.
    """

    kind: str
    file: str
    files: tuple[str, ...]
    others: tuple[str, ...]
    lineage: Lineage
    rounds: int
    rows: int
    prior: tuple[float, ...]
    cv: CrossValidation | None
    importances: dict[str, float]
    onnx: Export
    cleaned: dict[str, int]
    device: Device
    engine: Engine
    segments: dict[str, Any] | None = None

    @property
    def schema(self) -> Schema:
        return self.lineage.schema

    @property
    def options(self) -> dict[str, Any]:
        return self.lineage.options

    def to_json(self) -> dict[str, Any]:
        lineage = {"schema": self.lineage.document, "options": self.options}
        document: dict[str, Any] = {}
        for name, value in asdict(self).items():
            document |= lineage if name == "lineage" else {name: value}
        if self.segments is None:  # the document stays what it was before there were any
            del document["segments"]
        return document | {"cv": self.cv and self.cv.to_json()}

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Challenger":
        cv, schema, options = document["cv"], document["schema"], document["options"]
        lineage = Lineage(
            Schema.from_json(schema), Balance.of_schema(schema), Output.of_schema(schema), options
        )
        return Challenger(
            lineage=lineage,
            **{
                **{name: value for name, value in document.items() if name not in ("schema", "options")},
                **{name: tuple(document[name]) for name in ("files", "others", "prior")},
                "onnx": Export(**document["onnx"]),
                "device": Device(**document["device"]),
                "engine": Engine(**document["engine"]),
                "cv": cv and CrossValidation.from_json(cv),
            },
        )


def open_challenger(made: Challenger, params: Params, folder: Path, name: str) -> Model:
    """The model that make_full or make_update wrote into the folder, ready to predict."""
    return _opened(made, params, folder / made.file, name)


def open_others(made: Challenger, params: Params, folder: Path) -> list[Model]:
    """The models of the other seeds."""
    return [_opened(made, params, folder / file, file) for file in made.others]


def _opened(made: Challenger, params: Params, path: Path, name: str) -> Model:
    trained = learner_type(params.learner.name).load(path, params.learner.threads)
    segments = Segments.load(path.parent / SEGMENTS) if SEGMENTS in made.files else None
    return Model(name, made.schema, trained, made.lineage.output, segments)
