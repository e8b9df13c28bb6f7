"""LightGBM's trees as an ONNX graph that decides every float32 row as LightGBM does."""

import re
from typing import Any

import lightgbm as lgb
import numpy as np

from incumbent.learners import NotPortable

INPUT = "features"


def to_onnx(booster: lgb.Booster) -> Any:
    """An onnx.ModelProto with the input `features`, float32 (n, features): the encoded matrix.

    The last output has the predictions: `probabilities`, float32 (n, classes), before it `label`; for a
    regression `variable`, float32 (n, 1). The same booster gives the same graph. NotPortable says why the
    converter (onnxmltools.convert_lightgbm) can't.
    """
    from onnxmltools import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    shape = [(INPUT, FloatTensorType([None, booster.num_feature()]))]
    try:
        # Without a name of ours the converter draws one at random, and no two exports are equal.
        model = convert_lightgbm(_rounded_down(booster), name="incumbent", initial_types=shape, zipmap=False)
    except RuntimeError as error:  # also NotImplementedError and RecursionError, of very long vocabularies
        return NotPortable(f"the converter refuses: {type(error).__name__}: {error}")
    for output in model.graph.output:
        # The converter states one row for `label`; onnxruntime warns of that at every other number.
        output.type.tensor_type.shape.dim[0].Clear()
    # The converter collects these in a set, whose order is drawn anew in every process.
    opsets = sorted(model.opset_import, key=lambda opset: opset.domain)
    model.ClearField("opset_import")
    model.opset_import.extend(opsets)
    return model


def _rounded_down(booster: lgb.Booster) -> lgb.Booster:
    """The same decisions by thresholds that are float32.

    ONNX keeps a threshold t as float32. Rounded to the nearest it may pass t and take a row with it to the
    other side; with the greatest float32 that is not above t, x <= t stays true or false for every float32 x.
    """
    text = re.sub(r"^tree_sizes=.*\n", "", booster.model_to_string(), flags=re.MULTILINE)
    text = re.sub(r"(?<=^threshold=).*$", _round_line, text, flags=re.MULTILINE)
    return lgb.Booster(model_str=text)


def _round_line(thresholds: re.Match[str]) -> str:
    exact = np.array(thresholds[0].split(), dtype=np.float64)
    with np.errstate(over="ignore"):  # beyond float32's range it becomes infinity, which is right
        near = exact.astype(np.float32)
    below = np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)
    return " ".join(repr(float(threshold)) for threshold in below)
