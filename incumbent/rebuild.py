"""Make a version's files again from its manifest and data; `models reproduce` runs it in the version's code.

    python -m incumbent.rebuild ORDER.json

The order names the manifest, the partitions' files, the parent's folder (or null) and where to write. The
last line on stdout names the files made. Where a project brings its own `incumbent`, today's order is read by
the code of the version: this module's name, the order's fields and the last line stay what they are.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from incumbent.challenger import ONNX, OUT_OF_SAMPLE, Challenger, make_full, make_update
from incumbent.models.model import open_model
from incumbent.models.onnx_export import rewrite_schema
from incumbent.params import Params
from incumbent.search.tune import StudyResult
from incumbent.search.window import EVERYTHING, Window
from incumbent.tables.partitions import Partition, difference
from incumbent.training.engine import LOCAL, Engine, chosen
from incumbent.training.lineage import Parent

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Order:
    """`files`: partition name -> local file; `parent`: folder with the parent's files and its manifest."""

    manifest: Mapping[str, Any]
    files: Mapping[str, Path]
    parent: Path | None
    out: Path

    def write(self, path: Path) -> None:
        document = {
            "manifest": self.manifest,
            "files": {name: str(file) for name, file in self.files.items()},
            "parent": self.parent and str(self.parent),
            "out": str(self.out),
        }
        path.write_text(json.dumps(document), encoding="utf-8")

    @staticmethod
    def read(path: Path) -> "Order":
        document = json.loads(path.read_text(encoding="utf-8"))
        return Order(
            document["manifest"],
            {name: Path(file) for name, file in document["files"].items()},
            document["parent"] and Path(document["parent"]),
            Path(document["out"]),
        )


def rebuild(order: Order) -> Challenger:
    """The search is not repeated: its winner is in the manifest, and training is a function of that."""
    made = _train(order)
    if ONNX in made.files:
        rewrite_schema(order.out / ONNX, _as_written_then(made.lineage.document, order.manifest["schema"]))
    return made


def _train(order: Order) -> Challenger:
    manifest = order.manifest
    search = {"rows": None, **manifest["params"]["search"]}  # releases without the bound trained on all alike
    params = Params.model_validate({**manifest["params"], "search": search})
    params = params.model_copy(update={"promotion": params.promotion.model_copy(update={"seeds": 1})})
    if order.parent is None:
        study, window = StudyResult(manifest["options"], manifest["rounds"], ()), _window(manifest)
        return make_full(
            _in_order(order),
            params,
            study,
            order.out,
            window,
            engine=_engine(manifest),
            estimate=False,
            drawn_anew=OUT_OF_SAMPLE in manifest["files"],
        )
    before = json.loads((order.parent / MANIFEST).read_text(encoding="utf-8"))
    parent = Parent.of(open_model(order.parent, before), order.parent, before)
    return make_update(parent, _fresh(order, before), params, order.out, estimate=False)


def _as_written_then(schema: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    """Only the fields that the version's release knew: later ones write more."""
    return {name: value for name, value in schema.items() if name in then}


def needed(manifest: Mapping[str, Any], parent: Mapping[str, Any] | None) -> list[str]:
    """The partitions that training read: its window, or for an update what its parent did not know."""
    partitions = manifest["data"]["partitions"]
    if parent is None:
        return list(_window(manifest).of(sorted(partitions)))
    now = [Partition(name, md5) for name, md5 in partitions.items()]
    return list(difference(parent["data"]["partitions"], now).fresh)


def _window(manifest: Mapping[str, Any]) -> Window:
    window = manifest.get("window")  # versions from before there was one read all
    return Window.from_json(window) if window else EVERYTHING


def _engine(manifest: Mapping[str, Any]) -> Engine:
    """As many workers as then: others round sums differently. Raises BadParams where Ray is missing."""
    engine = manifest.get("engine")  # versions from before there was a choice were trained in one process
    if engine is None or engine["name"] == LOCAL.name:
        return LOCAL
    return replace(
        chosen(engine["name"], Params.model_validate(manifest["params"])), workers=engine["workers"]
    )


def _in_order(order: Order) -> Sequence[Path]:
    return [order.files[name] for name in needed(order.manifest, None)]


def _fresh(order: Order, parent: Mapping[str, Any]) -> Sequence[Path]:
    return [order.files[name] for name in needed(order.manifest, parent)]


if __name__ == "__main__":
    made = rebuild(Order.read(Path(sys.argv[1])))
    print(json.dumps({"files": made.files}))
