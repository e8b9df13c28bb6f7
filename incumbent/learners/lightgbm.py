"""Gradient-boosted trees by LightGBM (Ke et al. 2017), kept in its text format."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import lightgbm as lgb
import numpy as np

from incumbent.compare import score
from incumbent.errors import BadParams, Tampered
from incumbent.features.schema import Schema
from incumbent.learners.devices import lightgbm_device
from incumbent.learners.lightgbm_update import Update, look_up
from incumbent.learners.protocol import Batch, Point
from incumbent.learners.space import draw
from incumbent.params import LightGBMParams, PromotionParams, Space, Task
from incumbent.tables.atomic import atomic_write

if TYPE_CHECKING:
    import optuna

# Rounds; computing the AUC after every tree would cost a fifth of the training time.
EVALUATE_EVERY = 10

# Rows; fewer can't fill two leaves of min_child_samples = 20, the least that the search tries.
TINY = 50

# Metric that stops a fold and ranks trials: promotion.metric where LightGBM has it, else a similar one.
STOPS_BY = {
    "roc_auc": "auc",
    "average_precision": "average_precision",
    "roc_auc_macro": "auc_mu",
    "roc_auc_weighted": "auc_mu",
    "mae": "l1",
    "rmse": "rmse",
    "r2": "rmse",
}
# Network addresses of a group's processes, which LightGBM writes into the model.
_ADDRESSES = re.compile(r"^\[(machines|local_listen_port): .*\]$", re.MULTILINE)
LIKELIHOOD: dict[Task, str] = {
    "binary": "binary_logloss",
    "multiclass": "multi_logloss",
    "regression": "rmse",
}


@dataclass(frozen=True)
class Trees:
    booster: lgb.Booster
    threads: int

    @property
    def rounds(self) -> int:
        return int(self.booster.current_iteration())

    def predict(self, X: np.ndarray) -> np.ndarray:
        # LightGBM's number of threads is global to the process. A call without it resets it to all cores,
        # and crashes folds that train in parallel, as their buffers are for fewer threads.
        return np.asarray(self.booster.predict(X, num_threads=self.threads), dtype=np.float64)

    def gains(self) -> np.ndarray:
        return np.asarray(self.booster.feature_importance("gain"), dtype=np.float64)

    def save(self, path: Path) -> None:
        self.booster.save_model(path)

    def to_onnx(self) -> Any:
        from incumbent.learners.lightgbm_onnx import to_onnx

        return to_onnx(self.booster)


class LightGBM:
    file: ClassVar = "model.txt"

    def __init__(self, learner: LightGBMParams, seed: int, schema: Schema, metric: str, space: Space) -> None:
        self._learner, self._seed, self._space = learner, seed, space
        self._schema, self._metric = schema, metric
        self._categorical = schema.categorical
        self._options: dict[str, Any] = {
            "objective": schema.task,
            "metric": STOPS_BY.get(metric, LIKELIHOOD[schema.task]),
            "verbosity": -1,
            "seed": seed,
            "deterministic": True,
            "num_threads": learner.threads,
            # Trials with different min_child_samples share the bins.
            "feature_pre_filter": False,
        }
        # A GPU must sum in double precision, or runs differ; force_row_wise is for the CPU only.
        self.device = lightgbm_device(learner.device)
        if self.device.used == "cpu":
            self._options["force_row_wise"] = True
        else:
            self._options |= {"device_type": self.device.used, "gpu_use_dp": True}
        if schema.task == "multiclass":
            self._options["num_class"] = len(schema.classes)

    def reseeded(self, seed: int) -> "LightGBM":
        return LightGBM(self._learner, seed, self._schema, self._metric, self._space)

    def bin(self, X: np.ndarray, y: np.ndarray) -> lgb.Dataset:
        """(n, features) float32 and (n,) labels -> one Dataset; its bins depend on X alone."""
        with refusals():
            binned = lgb.Dataset(
                X, y, categorical_feature=self._categorical, params=self._params({}), free_raw_data=False
            )
            return binned.construct()

    def search_space(self, trial: "optuna.Trial") -> dict[str, Any]:
        return draw(self._space, trial)

    def curve(
        self,
        binned: lgb.Dataset,
        options: dict[str, Any],
        fit: np.ndarray | None,
        held: np.ndarray,
        weights: np.ndarray | None = None,
    ) -> Iterator[Point]:
        """Boost on rows `fit`; yield the score on rows `held` every EVALUATE_EVERY rounds."""
        params, last = self._params(_splitting(options, binned)), self._learner.rounds
        with refusals():
            booster = lgb.Booster(params, part_of(binned, params, fit, weights))
            booster.add_valid(part_of(binned, params, held), "fold")
        rank = self._ranking(binned, held)
        for done in range(1, last + 1):
            booster.update()
            if done % EVALUATE_EVERY == 0 or done == last:
                _, _, value, greater_is_better, *_ = booster.eval_valid(rank)[-1]
                yield Point(done, value if greater_is_better else -value)

    def fit(
        self,
        binned: lgb.Dataset,
        options: dict[str, Any],
        rounds: int,
        rows: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        checkpoint: Path | None = None,
    ) -> Trees:
        """Train in stretches of learner.checkpoint rounds, each with its own seed, on top of the last model.
        So the result is the same whether that model is in memory or was read from the checkpoint."""
        params, every = self._params(_splitting(options, binned)), self._learner.checkpoint
        model = lgb.Booster(model_file=checkpoint) if checkpoint and checkpoint.exists() else None
        done = model.current_iteration() if model else 0
        # A stretch ends early only if no split gains anything; then training is complete.
        while done < rounds and done % every == 0:
            goal = min(done + every, rounds)
            with refusals():
                part = part_of(binned, params, rows, weights)
                if model is not None:
                    part.get_data()  # init_model predicts from the raw features
                its_own = {**params, "seed": (self._seed + done) % 2**31}
                model = lgb.train(its_own, part, goal - done, init_model=model)
            if checkpoint:
                with atomic_write(checkpoint) as part:
                    model.save_model(part)
            if model.current_iteration() < goal:
                break
            done = goal
        return Trees(model, self._learner.threads)

    def fit_share(self, share: Batch, options: dict[str, Any], rounds: int, start: Path) -> Trees:
        """LightGBM's data-parallel learner: sums the histograms of all shares before each split.

        It computes bins from all shares together, so trees need no `start`.
        """
        params = self._params(options)
        with refusals():
            data = lgb.Dataset(share.X, share.y, categorical_feature=self._categorical, params=params)
            model = lgb.train(params, data, rounds)
        whole = _ADDRESSES.sub(r"[\1: ]", model.model_to_string())
        return Trees(lgb.Booster(model_str=whole), self._learner.threads)

    def update(
        self, champion: Path, fresh: Batch, replay: Batch, options: dict[str, Any], known: int
    ) -> Trees:
        """Refit the leaves on the new rows, then grow a few trees at a low rate on new rows and history."""
        grown = self._update(options).grow(lgb.Booster(model_file=champion), fresh, replay, known)
        return Trees(grown, self._learner.threads)

    def predict_updated(
        self, champion: Path, fresh: Batch, replay: Batch, options: dict[str, Any], known: int, held: Batch
    ) -> np.ndarray:
        old = lgb.Booster(model_file=champion)
        return self._update(options).predict(old, fresh, replay, known, held)

    def look_up(self, champion: Path, X: np.ndarray) -> np.ndarray | None:
        return look_up(lgb.Booster(model_file=champion), X, self._learner.threads)

    def _update(self, options: dict[str, Any]) -> Update:
        params = self._params({**options, "learning_rate": self._learner.update_rate})
        return Update(self._learner, params, self._categorical, self._seed)

    @staticmethod
    def load(path: Path, threads: int) -> Trees:
        try:
            return Trees(lgb.Booster(model_file=path), threads)
        except lgb.basic.LightGBMError as error:
            raise Tampered(f"LightGBM can't read {path.name}: {error}") from error

    def _ranking(
        self, binned: lgb.Dataset, held: np.ndarray | slice = slice(None)
    ) -> Callable[[np.ndarray, lgb.Dataset], tuple[str, float, bool]] | None:
        """One-vs-rest AUC over the classes that have rows, if some have none: LightGBM's own would be NaN."""
        if self._options["metric"] != "auc_mu":
            return None
        y = binned.get_label()[held].astype(int)
        if len(np.unique(y)) == len(self._schema.classes):
            return None
        judging = PromotionParams(metric=self._metric)
        return lambda predicted, _: (self._metric, score(y, predicted, judging), True)

    def _params(self, options: dict[str, Any]) -> dict[str, Any]:
        """The user's learner.options override those of a trial."""
        return {**self._options, **options, **self._learner.options}


def _splitting(options: dict[str, Any], binned: lgb.Dataset) -> dict[str, Any]:
    """The options; for a table too small to split, with leaves of at least a tenth of the rows."""
    rows = binned.num_data()
    return {**options, "min_child_samples": max(1, rows // 10)} if rows < TINY else options


def part_of(
    binned: lgb.Dataset, params: dict[str, Any], rows: np.ndarray | None, weights: np.ndarray | None = None
) -> lgb.Dataset:
    """A Dataset of these rows, ascending, with weights of its own; the shared Dataset stays as it is.

    Only their bins are copied: the part would else keep the rows' features too, and their numbers as a list
    of Python's, ten times as large as the bins. `used_indices` is where subset() itself puts that list; no
    method takes an array. Without it a part has no rows, and nothing can be fitted on a fold.
    """
    part = binned.subset([], params)
    part.used_indices = np.arange(binned.num_data()) if rows is None else rows
    part.free_raw_data = True
    part.construct()
    return part if weights is None else part.set_weight(weights)


@contextmanager
def refusals() -> Iterator[None]:
    try:
        yield
    except lgb.basic.LightGBMError as error:
        raise BadParams(f"LightGBM refuses learner.options in params.yaml: {error}") from error
