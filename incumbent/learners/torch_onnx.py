"""The network as an ONNX graph, through torch's own exporter."""

import logging
import warnings
from typing import Any

import torch
from torch import nn

from incumbent.learners.network import TabM, mean_prediction
from incumbent.params import Task


class _Graph(nn.Module):
    def __init__(self, net: TabM, task: Task, center: float, spread: float) -> None:
        super().__init__()
        self.net, self.task, self.center, self.spread = net, task, center, spread

    def forward(self, features: torch.Tensor) -> Any:
        predicted = mean_prediction(self.net(features), self.task, self.center, self.spread)
        return predicted if self.task == "regression" else (predicted.argmax(1), predicted)


def to_onnx(net: TabM, task: Task, center: float, spread: float) -> Any:
    """An onnx.ModelProto with the same input and outputs as lightgbm_onnx.to_onnx."""
    shape = net.shape
    rows = torch.zeros(2, len(shape.numbers) + len(shape.categories))
    outputs = ["variable"] if task == "regression" else ["label", "probabilities"]
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program: Any = torch.onnx.export(
            _Graph(net, task, center, spread).eval(),
            (rows,),
            dynamo=True,
            verbose=False,
            input_names=["features"],
            output_names=outputs,
            dynamic_shapes={"features": {0: torch.export.Dim("n")}},
        )
    model = program.model_proto
    _forget_origin(model)
    return model


def _forget_origin(model: Any) -> None:
    """Remove the source files and line numbers that the exporter adds: equal networks give equal bytes."""
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        value.ClearField("metadata_props")
    model.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.ClearField("producer_version")
