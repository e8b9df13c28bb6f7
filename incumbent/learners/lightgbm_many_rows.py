"""LightGBM on more rows than memory holds as features: binned part by part, trained on all cores.

By bytes of the model nobody can tell on how many: LightGBM's `deterministic` sums alike with any number of
threads, and the number is not kept in the file.
"""

import errno
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from incumbent.learners.lightgbm import EVALUATE_EVERY, LightGBM, Trees, part_of, refusals
from incumbent.machine.memory import release_memory

_THREADS = re.compile(r"^\[num_threads: .*\]$", re.MULTILINE)


class Part(lgb.Sequence):
    """Rows that are read once, together, when LightGBM bins them. `read` gives (count, features) float32."""

    def __init__(self, read: Callable[[], np.ndarray], count: int) -> None:
        self._read, self._count, self.batch_size = read, count, count

    def __getitem__(self, _: Any) -> np.ndarray:
        return self._read()

    def __len__(self) -> int:
        return self._count


class Bins:
    """All rows, binned. While a part of them is trained on, the whole waits in a file, not in memory."""

    def __init__(self, data: lgb.Dataset, file: Path, params: dict[str, Any], categorical: list[int]) -> None:
        self._data: lgb.Dataset | None = data
        self._file, self._params, self._categorical = file, params, categorical

    def part(self, rows: np.ndarray, weights: np.ndarray | None = None) -> lgb.Dataset:
        """These rows, ascending, as part_of; it does not keep the whole in memory."""
        part = part_of(self.whole(), dict(self._params), rows, weights)
        part.reference = part.used_indices = None
        return _slim(part)

    def put_aside(self) -> None:
        """Free the memory; `whole` reads the file. Raises OSError when the disk is full."""
        self._file.unlink(missing_ok=True)  # LightGBM would leave that of a run that died as it is
        try:
            self.whole().save_binary(self._file)
        except lgb.basic.LightGBMError as error:  # it gives no reason, and there is hardly another one
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._file)) from error
        self._data = None
        release_memory()

    def whole(self) -> lgb.Dataset:
        """All rows."""
        if self._data is None:
            release_memory()  # what the training of a part has left
            about = {"params": dict(self._params), "categorical_feature": self._categorical}
            self._data = _slim(lgb.Dataset(self._file, **about).construct())
            self._file.unlink()
        return self._data


class LightGBMOfManyRows(LightGBM):
    """Trains in one stretch: a second one would need all rows' features, to predict them by the first."""

    def reseeded(self, seed: int) -> "LightGBMOfManyRows":
        return LightGBMOfManyRows(self._learner, seed, self._schema, self._metric, self._space)

    def bin_parts(self, parts: Sequence[Part], y: np.ndarray, like: lgb.Dataset, file: Path) -> Bins:
        """The rows of all parts, with the bins of `like`. y: their labels, (n,), which reading may fill;
        file: see Bins."""
        params = self._params({})
        with refusals():
            data = lgb.Dataset(list(parts), y, reference=like, params=dict(params)).construct()
        return Bins(_slim(data), file, params, self._categorical)

    def confirm(
        self, fit: lgb.Dataset, watched: lgb.Dataset | None, options: dict[str, Any], most: int
    ) -> Trees:
        """Boost on rows `fit` for as long as it helps rows `watched`, `most` rounds without any."""
        with refusals():
            booster = lgb.Booster(self._on_all_cores(options), fit)
            if watched:
                booster.add_valid(watched, "watched")
        last = self._learner.rounds if watched else most
        best, rank = (0, -np.inf), self._ranking(watched) if watched else None
        for done in range(1, last + 1):
            ended = booster.update()  # no split gains anything
            if watched and (done % EVALUATE_EVERY == 0 or done == last or ended):
                _, _, value, greater_is_better, *_ = booster.eval_valid(rank)[-1]
                best = max(best, (done, value if greater_is_better else -value), key=lambda each: each[1])
            if ended or (watched and done - best[0] >= self._learner.patience):
                break
        return self._trees(booster, best[0] or last)

    def fit_all(
        self, binned: Bins, options: dict[str, Any], rounds: int, weights: np.ndarray | None = None
    ) -> Trees:
        """Train on all rows; their Dataset is this training's alone."""
        with refusals():
            data = binned.whole() if weights is None else _slim(binned.whole().set_weight(weights))
            booster = lgb.Booster(self._on_all_cores(options), data)
            for _ in range(rounds):
                if booster.update():
                    break
        return self._trees(booster, rounds)

    def _on_all_cores(self, options: dict[str, Any]) -> dict[str, Any]:
        params = {**self._params(options), "num_threads": os.cpu_count() or 1}
        if self.device.used == "cpu":  # the same trees, without a second copy of the bins, row by row
            params |= {"force_row_wise": False, "force_col_wise": True}
        return params

    def _trees(self, booster: lgb.Booster, rounds: int) -> Trees:
        text = booster.model_to_string(num_iteration=rounds)
        kept = _THREADS.sub(f"[num_threads: {self._learner.threads}]", text)
        return Trees(lgb.Booster(model_str=kept), self._learner.threads)


def _slim(data: lgb.Dataset) -> lgb.Dataset:
    """Without the copies that Python keeps of labels and weights."""
    data.label = data.weight = None
    return data
