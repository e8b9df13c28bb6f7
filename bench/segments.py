"""200 segments of one table, some with their own behaviour: who is served by a correction, and at what cost.

The target leans on eight columns; in the planted segments with weights of their own. Beside it the same
training without segments. New rows judge both.

    python bench/segments.py [--segments 200] [--planted 40] [--rows 1000] [--metric roc_auc]
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from incumbent.challenger import make_full, open_challenger
from incumbent.models.segments import FILE
from incumbent.params import Params
from incumbent.search.tune import StudyResult

FEATURES = [f"x{number}" for number in range(8)]
STUDY = StudyResult({"num_leaves": 31, "learning_rate": 0.1, "min_child_samples": 20}, 120, ())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--segments", type=int, default=200)
    arguments.add_argument("--planted", type=int, default=40)
    arguments.add_argument("--rows", type=int, default=1000, help="of each segment")
    arguments.add_argument("--metric", default="roc_auc")
    asked = arguments.parse_args()
    with TemporaryDirectory() as folder:
        history = Path(folder) / "history.parquet"
        table(asked, asked.rows, seed=0).to_parquet(history, index=False)
        new = table(asked, 500, seed=1)
        print(f"{asked.segments} segments of {asked.rows:,} rows, {asked.planted} planted, by {asked.metric}")
        for by in (None, "segment"):
            train(history, new, params(asked, by), asked.planted)


def train(history: Path, new: pd.DataFrame, params: Params, planted: int) -> None:
    with TemporaryDirectory() as place:
        folder = Path(place)
        before = time.process_time()
        made = make_full([history], params, STUDY, folder)
        spent = time.process_time() - before
        model = open_challenger(made, params, folder, "v1")
        before = time.process_time()
        auc = roc_auc_score(new["y"], model.predict(new))
        print(f"\n{'with' if made.segments else 'without'} segments: {spent:.1f} CPU s")
        took = time.process_time() - before
        print(f"ROC AUC of {len(new):,} new rows {auc:.4f}, predicted in {took:.2f} CPU s")
        if made.segments:
            served = {value for value, each in made.segments["tried"].items() if each["serves"]}
            right = len(served & {f"s{number:03d}" for number in range(planted)})
            size = (folder / FILE).stat().st_size
            print(f"served by a correction: {len(served)}, planted ones: {right} of {planted}")
            print(f"{FILE}: {size / 1e6:.1f} MB")


def params(asked: argparse.Namespace, by: str | None) -> Params:
    return Params.model_validate(
        {
            "dataset": {"name": "segments", "target": "y", "positive": 1},
            "split": {"holdout": 0.0},
            "registry": {"address": "s3://nowhere/registry"},
            "promotion": {"metric": asked.metric},
            "segments": {"by": by, "min_rows": asked.rows // 2},
        }
    )


def table(asked: argparse.Namespace, rows: int, seed: int) -> pd.DataFrame:
    """`rows` of each segment; the same weights for every seed."""
    weights = np.random.default_rng(7).normal(size=(asked.segments + 1, len(FEATURES))) * 0.75
    segment = np.repeat(np.arange(asked.segments), rows)
    rng = np.random.default_rng([8, seed])
    X = rng.normal(size=(len(segment), len(FEATURES)))
    leaning = np.where((segment < asked.planted)[:, None], weights[segment], weights[-1])
    y = rng.random(len(segment)) < expit((X * leaning).sum(axis=1))
    frame = pd.DataFrame(X, columns=FEATURES)
    return frame.assign(segment=[f"s{number:03d}" for number in segment], y=y.astype(int))


if __name__ == "__main__":
    main()
