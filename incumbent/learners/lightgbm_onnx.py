"""LightGBM's trees as an ONNX graph that decides every float32 row as LightGBM does.

Straight from the text format, whole trees at a time: docs/decisions/0006 tells what a converter cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
import onnx
from onnx import TensorProto, helper

from incumbent.learners.protocol import NotPortable

INPUT = "features"

# Of ai.onnx.ml and ONNX: the oldest that has all that the graph needs, so that old runtimes read it.
ML_OPSET, OPSET, IR = 1, 9, 4

# ONNX's name for what LightGBM does to the sum of the leaves.
TRANSFORMS = {"binary": "LOGISTIC", "multiclass": "SOFTMAX", "regression": "NONE"}

# The bits of LightGBM's decision_type; the two above these tell what is missing to the node.
CATEGORICAL, DEFAULT_LEFT, MISSING_SHIFT = 1, 2, 2


def to_onnx(booster: lgb.Booster) -> Any:
    """An onnx.ModelProto with the input `features`, float32 (n, features): the encoded matrix.

    The last output has the predictions: `probabilities`, float32 (n, classes), before it `label`; for a
    regression `variable`, float32 (n, 1). The same booster gives the same graph. NotPortable for an
    objective whose answer is no function of the leaves that ONNX knows. What it does not know of an exotic
    booster (linear leaves, a random forest's mean) shows when the graph is checked against LightGBM.
    """
    head, *trees = booster.model_to_string().split("\nTree=")
    objective = _fields(head)["objective"].split()[0]
    if objective not in TRANSFORMS:
        return NotPortable(f"ONNX's trees have no objective '{objective}'")
    width = booster.num_model_per_iteration()
    nodes, leaves = _ensemble([_nodes(_fields(tree)) for tree in trees], width)
    attributes = {**nodes, "post_transform": TRANSFORMS[objective]}
    answers = [("variable", TensorProto.FLOAT, [None, 1])]
    if objective == "regression":
        kind = "TreeEnsembleRegressor"
        attributes |= {f"target_{name}": values for name, values in leaves.items()} | {"n_targets": 1}
    else:
        kind, classes = "TreeEnsembleClassifier", max(2, width)
        attributes |= {f"class_{name}": values for name, values in leaves.items()}
        attributes["classlabels_int64s"] = range(classes)
        answers = [
            ("label", TensorProto.INT64, [None]),
            ("probabilities", TensorProto.FLOAT, [None, classes]),
        ]
    node = helper.make_node(kind, [INPUT], [name for name, _, _ in answers], domain="ai.onnx.ml")
    node.attribute.extend(_attribute(name, values) for name, values in attributes.items())
    graph = helper.make_graph(
        [node],
        "incumbent",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, booster.num_feature()])],
        [helper.make_tensor_value_info(*answer) for answer in answers],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="incumbent")


@dataclass(frozen=True)
class _Tree:
    """ONNX's nodes of one tree, numbered from 0; first `inner` deciding ones, then the leaves."""

    feature: np.ndarray
    value: np.ndarray
    equal: np.ndarray
    yes: np.ndarray
    no: np.ndarray
    missing_is_yes: np.ndarray
    leaf: np.ndarray

    @property
    def inner(self) -> int:
        return len(self.feature)


def _nodes(tree: Mapping[str, str]) -> _Tree:
    """LightGBM asks whether a category is in a set; ONNX asks for one category after the other."""

    def numbers(name: str, dtype: Any = np.int64) -> np.ndarray:
        return np.fromstring(tree.get(name, ""), dtype=dtype, sep=" ")

    threshold, kind = numbers("threshold", np.float64), numbers("decision_type")
    categorical = (kind & CATEGORICAL) > 0
    values = [np.array([each]) for each in _rounded_down(threshold)]
    words, bounds = numbers("cat_threshold", np.uint32), numbers("cat_boundaries")
    for place in np.flatnonzero(categorical):
        number = int(threshold[place])
        bits = words[bounds[number] : bounds[number + 1]].astype("<u4").view(np.uint8)
        values[place] = np.flatnonzero(np.unpackbits(bits, bitorder="little")).astype(np.float32)
    length = np.array([len(each) for each in values], dtype=np.int64)
    after = np.cumsum(length)
    inner = int(after[-1]) if len(after) else 0
    owner, chain = np.repeat(np.arange(len(values)), length), np.arange(inner)
    last = chain == after[owner] - 1

    def child(name: str) -> np.ndarray:
        to = numbers(name)
        return np.where(to < 0, inner + ~to, (after - length)[np.maximum(to, 0)])[owner]

    # Where nothing was missing in training LightGBM takes an empty cell for 0; no category is it either.
    defaults = np.where(kind >> MISSING_SHIFT == 0, threshold >= 0, (kind & DEFAULT_LEFT) > 0)
    return _Tree(
        feature=numbers("split_feature")[owner],
        value=np.concatenate(values) if values else np.empty(0, np.float32),
        equal=categorical[owner],
        yes=child("left_child"),
        no=np.where(last, child("right_child"), chain + 1),
        missing_is_yes=(defaults & ~categorical)[owner],
        leaf=numbers("leaf_value", np.float64),
    )


def _ensemble(trees: list[_Tree], width: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The attributes of the nodes and those of the leaves; tree t adds to the output t modulo `width`."""
    inner, leaves = ([f(tree) for tree in trees] for f in (lambda t: t.inner, lambda t: len(t.leaf)))
    sizes = np.add(inner, leaves)
    number = np.concatenate([np.arange(size) for size in sizes])
    is_leaf = number >= np.repeat(inner, sizes)

    def both(name: str, dtype: Any) -> np.ndarray:
        """A leaf decides nothing; what it has there is never looked at."""
        column = np.zeros(len(number), dtype)
        column[~is_leaf] = np.concatenate([getattr(tree, name) for tree in trees])
        return column

    of_tree = np.repeat(np.arange(len(trees)), sizes)
    modes = np.where(is_leaf, b"LEAF", np.where(both("equal", bool), b"BRANCH_EQ", b"BRANCH_LEQ"))
    nodes = {
        "nodes_treeids": of_tree,
        "nodes_nodeids": number,
        "nodes_featureids": both("feature", np.int64),
        "nodes_modes": modes,
        "nodes_values": both("value", np.float32),
        "nodes_truenodeids": both("yes", np.int64),
        "nodes_falsenodeids": both("no", np.int64),
        "nodes_missing_value_tracks_true": both("missing_is_yes", np.int64),
    }
    weights = np.concatenate([tree.leaf for tree in trees]).astype(np.float32)
    own = of_tree[is_leaf]
    return nodes, {"treeids": own, "nodeids": number[is_leaf], "ids": own % width, "weights": weights}


def _rounded_down(thresholds: np.ndarray) -> np.ndarray:
    """ONNX keeps a threshold t as float32. Rounded to the nearest it may pass t and take a row with it to the
    other side; with the greatest float32 that is not above t, x <= t stays true or false for every float32 x.
    """
    with np.errstate(over="ignore"):  # beyond float32's range it becomes infinity, which is right
        near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)


def _attribute(name: str, values: Any) -> Any:
    """As helper.make_attribute, which looks at each value of a list by itself."""
    if not isinstance(values, np.ndarray):
        return helper.make_attribute(name, values)
    attribute = onnx.AttributeProto(name=name, type=onnx.AttributeProto.INTS)
    if values.dtype.kind == "i":
        attribute.ints.extend(values.tolist())
    elif values.dtype.kind == "f":
        attribute.type = onnx.AttributeProto.FLOATS
        attribute.floats.extend(values.tolist())
    else:
        attribute.type = onnx.AttributeProto.STRINGS
        attribute.strings.extend(values.tolist())
    return attribute


def _fields(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
