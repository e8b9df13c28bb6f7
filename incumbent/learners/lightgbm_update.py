"""An update of LightGBM's trees: refit the leaves on new rows, then grow a few trees on new rows and history.

Most of an update's time goes into finding each row's way through the old trees. A row ends in the same leaves
in every update of a champion, so they are looked up once for all. LightGBM's own `refit` and `init_model`
look them up again; the rest of what they do is done here by the same calls, to the same bytes.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np

from incumbent.learners.protocol import Batch, joined
from incumbent.params import LightGBMParams

# Most new rows for the refit; many are sampled.
MOST_TO_REFIT = 100_000

# Bounds for the rows of each side, new rows and history, that the new trees are grown on.
FEWEST_TO_GROW, MOST_TO_GROW = 10_000, 20_000

# Rows that are looked up or summed at once: LightGBM takes eight bytes for each of them and each tree.
AT_ONCE = 4096

# Rows that a refit makes bins of.
FEW = 1000

# Most cells, rows times trees, to keep for all updates: a byte or two each.
MOST_CELLS = 2**28


@dataclass(frozen=True)
class Update:
    """Plain continuation (`init_model` alone) forgets history; see docs/decisions/0003.

    params: LightGBM's, for the new trees; seed: chooses the rows where there are many.
    """

    learner: LightGBMParams
    params: dict[str, Any]
    categorical: Sequence[int]
    seed: int

    def grow(self, old: lgb.Booster, fresh: Batch, replay: Batch, known: int) -> lgb.Booster:
        """Arguments as in Learner.update."""
        _, _, grown = self._grown(old, fresh, replay, known)
        return lgb.Booster(model_str=grown.model_to_string())

    def predict(self, old: lgb.Booster, fresh: Batch, replay: Batch, known: int, held: Batch) -> np.ndarray:
        """Arguments as in Learner.predict_updated. LightGBM adds what the new trees say to the raw scores of
        validation rows as it grows, and turns them into predictions."""
        refitted, rows, grown = self._grown(old, fresh, replay, known)
        grown.add_valid(self._scored(refitted, held).set_reference(rows), "held")
        predicted: list[np.ndarray] = []

        def keep(predictions: np.ndarray, _: lgb.Dataset) -> tuple[str, float, bool]:
            predicted.append(predictions.copy())
            return "kept", 0.0, True

        grown.eval_valid(keep)
        return predicted[0]

    def _grown(
        self, old: lgb.Booster, fresh: Batch, replay: Batch, known: int
    ) -> tuple[lgb.Booster, lgb.Dataset, lgb.Booster]:
        """The refitted old trees; the rows that the new trees were grown on; the booster with both."""
        rng, threads = np.random.default_rng(self.seed), self.learner.threads
        read = _located(old, _some(fresh, MOST_TO_REFIT, rng), threads)
        # Weight all rows, old and new, equally. With a long history refit_decay limits the weight of the old
        # ones, so that the model can still follow a change.
        decay = min(self.learner.refit_decay, known / (known + len(fresh.y)))
        refitted = _refit(old, read, decay)
        fresh = read if len(read.y) == len(fresh.y) else fresh
        chosen = (_some(each, _enough_to_grow(each), rng) for each in (fresh, replay))
        more = joined(*(_located(old, each, threads) for each in chosen))
        rows = self._scored(refitted, more, weight=more.weights)
        grown = lgb.train(
            self.params, rows, self.learner.update_rounds, init_model=refitted, keep_training_booster=True
        )
        return refitted, rows, grown

    def _scored(self, refitted: lgb.Booster, batch: Batch, **about: Any) -> "_Scored":
        scores = _raw_scores(refitted, batch, self.learner.threads)
        return _Scored(
            scores, batch.X, batch.y, categorical_feature=[*self.categorical], params=self.params, **about
        )


def look_up(trees: lgb.Booster, X: np.ndarray, threads: int) -> np.ndarray | None:
    """The leaf of each tree in which the rows X end, (n, trees) unsigned; None if too many to keep."""
    if len(X) * trees.num_trees() > MOST_CELLS:
        return None
    return _leaves(trees, X, threads)


class _Scored(lgb.Dataset):
    """Rows whose raw scores by init_model are known."""

    def __init__(self, scores: np.ndarray, *rows: np.ndarray, **about: Any) -> None:
        super().__init__(*rows, **about)
        self._scores = scores

    def _set_init_score_by_predictor(self, *_: Any, **__: Any) -> lgb.Dataset:
        """Where LightGBM would predict them."""
        return self.set_init_score(self._scores)


def _refit(trees: lgb.Booster, batch: Batch, decay: float) -> lgb.Booster:
    """Booster.refit, for rows whose leaves are known; decay: what the old values weigh."""
    params = {**trees.params, "refit_decay_rate": decay}
    categorical = params.pop("categorical_feature", None) or "auto"
    # A refit reads leaves, never bins: few rows do to make these.
    rows = lgb.Dataset(
        batch.X,
        batch.y,
        weight=batch.weights,
        categorical_feature=categorical,
        params={**params, "bin_construct_sample_cnt": FEW},
    )
    refitted = lgb.Booster(params, rows)
    leaves = np.ascontiguousarray(batch.leaves, dtype=np.int32)
    pointer = leaves.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
    lgb.basic._safe_call(lgb.basic._LIB.LGBM_BoosterMerge(refitted._handle, trees._handle))
    lgb.basic._safe_call(
        lgb.basic._LIB.LGBM_BoosterRefit(refitted._handle, pointer, *map(ctypes.c_int32, leaves.shape))
    )
    return refitted


def _raw_scores(trees: lgb.Booster, batch: Batch, threads: int) -> np.ndarray:
    """Sums of leaves in the order of the trees, as LightGBM sums: (n,) or (n, classes)."""
    if batch.leaves is None or trees.params.get("linear_tree"):
        return np.asarray(trees.predict(batch.X, raw_score=True, num_threads=threads))
    width, leaves = trees.num_model_per_iteration(), batch.leaves
    values = [_values(trees, tree, last) for tree, last in enumerate(leaves.max(axis=0, initial=0))]
    scores = np.zeros((width, len(leaves)))
    for start in range(0, len(leaves), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        for tree, column in enumerate(np.ascontiguousarray(leaves[part].T)):
            scores[tree % width, part] += values[tree][column]
    return scores[0] if width == 1 else scores.T


def _values(trees: lgb.Booster, tree: int, last: int) -> np.ndarray:
    return np.array([trees.get_leaf_output(tree, leaf) for leaf in range(last + 1)])


def _located(trees: lgb.Booster, batch: Batch, threads: int) -> Batch:
    """The batch with its rows' leaves."""
    if batch.leaves is not None:
        return batch
    return batch._replace(leaves=_leaves(trees, batch.X, threads))


def _leaves(trees: lgb.Booster, X: np.ndarray, threads: int) -> np.ndarray:
    parts = [np.zeros((0, trees.num_trees()), dtype=np.uint8)]
    for start in range(0, len(X), AT_ONCE):
        leaves = trees.predict(X[start : start + AT_ONCE], pred_leaf=True, num_threads=threads)
        leaves = np.asarray(leaves).reshape(-1, trees.num_trees())
        parts.append(leaves.astype(np.min_scalar_type(int(leaves.max(initial=0)))))
    return np.concatenate(parts)


def _enough_to_grow(batch: Batch) -> int:
    """Half of the rows, within bounds: the refit has used them all, and only a few trees are grown."""
    return min(max(len(batch.y) // 2, FEWEST_TO_GROW), MOST_TO_GROW)


def _some(batch: Batch, most: int, rng: np.random.Generator) -> Batch:
    if len(batch.y) <= most:
        return batch
    return batch.take(np.sort(rng.choice(len(batch.y), most, replace=False)))
