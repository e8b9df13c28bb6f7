"""The network as an ONNX graph, through torch's own exporter."""

import logging
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from incumbent.learners.torch import Network


class _Graph(nn.Module):
    def __init__(self, network: "Network") -> None:
        super().__init__()
        self.net, self.task = network.net, network.task
        self.center, self.spread = network.center, network.spread

    def forward(self, features: torch.Tensor) -> Any:
        from incumbent.learners.torch import _answers

        answers = _answers(self.net(features), self.task, self.center, self.spread)
        return answers if self.task == "regression" else (answers.argmax(1), answers)


def to_onnx(network: "Network") -> Any:
    """An onnx.ModelProto with the input and outputs of LightGBM's: see lightgbm_onnx.to_onnx."""
    shape = network.net.shape
    rows = torch.zeros(2, len(shape.numbers) + len(shape.categories))
    outputs = ["variable"] if network.task == "regression" else ["label", "probabilities"]
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program: Any = torch.onnx.export(
            _Graph(network).eval(),
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
    """The exporter notes source files and line numbers beside every node: the same network, other bytes."""
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        value.ClearField("metadata_props")
    model.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.ClearField("producer_version")
