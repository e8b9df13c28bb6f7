"""LightGBM's trees as an ONNX graph that takes the same branch as LightGBM for every float32 row.

Converts the text format directly, a whole tree at a time; docs/decisions/0006 has the figures of a converter.
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

# The oldest opsets of ai.onnx.ml and ONNX that have all that the graph needs, so that old runtimes read it.
ML_OPSET, OPSET, IR = 1, 9, 4

# ONNX's name for the transformation of the sum of the leaves, by LightGBM's objective.
TRANSFORMS = {"binary": "LOGISTIC", "multiclass": "SOFTMAX", "regression": "NONE"}

# The bits of LightGBM's decision_type; the two bits from MISSING_SHIFT on say what counts as missing.
CATEGORICAL, DEFAULT_LEFT, MISSING_SHIFT = 1, 2, 2


def to_onnx(booster: lgb.Booster) -> Any:
    """An onnx.ModelProto with the input `features`, float32 (n, features): the encoded matrix.

    The last output has the predictions: `probabilities`, float32 (n, classes), before it `label`; for a
    regression `variable`, float32 (n, 1). The same booster gives the same graph. NotPortable for an
    objective whose transformation ONNX does not have. Other unsupported kinds of booster (linear leaves, a
    random forest's mean) are detected when the graph's predictions are checked against LightGBM's.
    """
    head, *trees = booster.model_to_string().split("\nTree=")
    objective = _fields(head)["objective"].split()[0]
    if objective not in TRANSFORMS:
        return NotPortable(f"ONNX's trees have no objective '{objective}'")
    width = booster.num_model_per_iteration()
    nodes, leaves = _ensemble([_nodes(_fields(tree)) for tree in trees], width)
    attributes = {**nodes, "post_transform": TRANSFORMS[objective]}
    outputs = [("variable", TensorProto.FLOAT, [None, 1])]
    if objective == "regression":
        kind = "TreeEnsembleRegressor"
        attributes |= {f"target_{name}": values for name, values in leaves.items()} | {"n_targets": 1}
    else:
        kind, classes = "TreeEnsembleClassifier", max(2, width)
        attributes |= {f"class_{name}": values for name, values in leaves.items()}
        attributes["classlabels_int64s"] = range(classes)
        outputs = [
            ("label", TensorProto.INT64, [None]),
            ("probabilities", TensorProto.FLOAT, [None, classes]),
        ]
    node = helper.make_node(kind, [INPUT], [name for name, _, _ in outputs], domain="ai.onnx.ml")
    node.attribute.extend(_attribute(name, values) for name, values in attributes.items())
    graph = helper.make_graph(
        [node],
        "incumbent",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, booster.num_feature()])],
        [helper.make_tensor_value_info(*output) for output in outputs],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="incumbent")


@dataclass(frozen=True)
class _Tree:
    """ONNX's nodes of one tree, numbered from 0: first `inner` decision nodes, then the leaves."""

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
    """LightGBM tests whether a category is in a set; ONNX needs a chain of nodes, one for each category."""

    def numbers(name: str, dtype: Any = np.int64) -> np.ndarray:
        return np.fromstring(tree.get(name, ""), dtype=dtype, sep=" ")

    threshold, kind = numbers("threshold", np.float64), numbers("decision_type")
    categorical = (kind & CATEGORICAL) > 0
    values = [np.array([each]) for each in _rounded_down(threshold)]
    words, bounds = numbers("cat_threshold", np.uint32), numbers("cat_boundaries")
    for node in np.flatnonzero(categorical):
        number = int(threshold[node])
        bits = words[bounds[number] : bounds[number + 1]].astype("<u4").view(np.uint8)
        values[node] = np.flatnonzero(np.unpackbits(bits, bitorder="little")).astype(np.float32)
    length = np.array([len(each) for each in values], dtype=np.int64)
    after = np.cumsum(length)
    inner = int(after[-1]) if len(after) else 0
    owner, chain = np.repeat(np.arange(len(values)), length), np.arange(inner)
    last = chain == after[owner] - 1

    def child(name: str) -> np.ndarray:
        to = numbers(name)
        return np.where(to < 0, inner + ~to, (after - length)[np.maximum(to, 0)])[owner]

    # If training had no missing values, LightGBM treats one as 0; for a category it is never in the set.
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
        """The attribute of all nodes; 0 for leaves, where ONNX ignores it."""
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
    """The greatest float32 values that are not above the thresholds. With them, x <= t has the same result
    for every float32 x; a threshold rounded to the nearest float32 could be above t and change a branch.
    """
    with np.errstate(over="ignore"):  # beyond float32's range it becomes infinity, which is right
        near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)


def _attribute(name: str, values: Any) -> Any:
    """As helper.make_attribute, but faster for arrays: that one inspects each value."""
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
