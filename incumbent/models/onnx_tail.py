"""Calibration and threshold as nodes at the end of a learner's ONNX graph."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from incumbent.learners import NotPortable
from incumbent.models.calibration import Output, Sigmoid

EDGE = 1e-7
"""Probabilities are clipped to [EDGE, 1 - EDGE]: float32 is no finer near 1."""

OPSET, IR = 13, 7
"""What the nodes below need. LightGBM's graphs declare an older opset, whose few nodes mean the same here."""


def append_output(model: Any, output: Output) -> Any:
    """The onnx.ModelProto with calibrated probabilities as its last output, and the label by the threshold.

    NotPortable for isotonic curves: near a step, a float32 can fall on the wrong side.
    """
    if not output.curves and output.threshold is None:
        return model
    slopes = [curve.slope for curve in output.curves if isinstance(curve, Sigmoid)]
    intercepts = [curve.intercept for curve in output.curves if isinstance(curve, Sigmoid)]
    if len(slopes) < len(output.curves):
        return NotPortable(
            "an isotonic calibration has steps that ONNX's float32 can't follow; "
            "imbalance.calibrate = 'sigmoid' can be exported"
        )
    graph = _Tail(model)
    if len(slopes) == 1:  # the curve of class 1; class 0 has the rest
        slopes, intercepts = slopes * 2, [-intercepts[0], intercepts[0]]
    if slopes:
        graph.calibrate(slopes, intercepts)
    graph.label(output.threshold)
    return model


class _Tail:
    """Adds nodes after the outputs `label` and the probabilities, (n, classes), of a graph."""

    def __init__(self, model: Any) -> None:
        self._graph = model.graph
        model.ir_version = max(model.ir_version, IR)
        for opset in model.opset_import:
            if opset.domain == "":
                opset.version = max(opset.version, OPSET)
        label, probabilities = (each.name for each in model.graph.output)
        self._outputs = (label, probabilities)
        self._raw = self._renamed(probabilities)
        self._renamed(label)
        self._last = self._raw
        self._count = 0

    def calibrate(self, slopes: Sequence[float], intercepts: Sequence[float]) -> None:
        clipped = self._add("Clip", self._raw, np.float32(EDGE), np.float32(1 - EDGE))
        rest = self._add("Sub", np.float32(1), clipped)
        odds = self._add("Sub", self._add("Log", clipped), self._add("Log", rest))
        sloped = self._add("Mul", odds, np.array(slopes, np.float32))
        each = self._add("Sigmoid", self._add("Add", sloped, np.array(intercepts, np.float32)))
        total = self._add("ReduceSum", each, np.array([1], np.int64))
        self._last = self._add("Div", each, total)

    def label(self, threshold: float | None) -> None:
        label, probabilities = self._outputs
        self._add("Identity", self._last, named=probabilities)
        if threshold is None:
            self._add("ArgMax", self._last, named=label, axis=1, keepdims=0)
            return
        positive = self._add("Gather", self._last, np.array(1, np.int64), axis=1)
        reached = self._add("GreaterOrEqual", positive, np.float32(threshold))
        self._add("Cast", reached, named=label, to=onnx.TensorProto.INT64)

    def _renamed(self, name: str) -> str:
        new = f"{name}_of_the_learner"
        for node in self._graph.node:
            node.output[:] = [new if each == name else each for each in node.output]
            node.input[:] = [new if each == name else each for each in node.input]
        return new

    def _add(self, kind: str, *inputs: Any, named: str | None = None, **attributes: Any) -> str:
        self._count += 1
        name = named or f"answer_{self._count}"
        names = []
        for position, each in enumerate(inputs):
            if isinstance(each, str):
                names.append(each)
            else:
                names.append(f"{name}_{position}")
                self._graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(each), names[-1]))
        self._graph.node.append(onnx.helper.make_node(kind, names, [name], **attributes))
        return name
