"""An update with each new month against a full training on all months so far: CPU time, next month's AUC.

Flights of 2013: five months make the first model; June to November arrive one by one. Both are scored on all
rows of the month that follows. The full training uses the options that the first study found, without search
or cross-validation of its own, so it is the cheapest one there is; `stale` is the first model, never updated.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd

from incumbent.challenger import Challenger, make_full, make_update, open_challenger, search
from incumbent.compare import score
from incumbent.demo.flights import load_flights, write_months
from incumbent.model import Model
from incumbent.params import Params, load_params

ROOT = Path(__file__).parents[1]
FIRST, LAST = 5, 11


def timed(work: Callable[[], Challenger]) -> tuple[Challenger, float]:
    start = time.process_time()
    made = work()
    return made, time.process_time() - start


def auc(model: Model, month: Path, params: Params) -> float:
    frame = pd.read_parquet(month)
    return score(model.schema.labels(frame), model.predict(frame), params.promotion)


def opened(made: Challenger, params: Params, folder: Path) -> Model:
    return open_challenger(made, params, folder, folder.name)


def run(months: Sequence[Path], params: Params, home: Path) -> list[dict[str, Any]]:
    def folder(name: str) -> Path:
        (home / name).mkdir()
        return home / name

    study = search(months[:FIRST], params)
    place = folder("first")
    first = opened(make_full(months[:FIRST], params, study, place, estimate=False), params, place)
    updated, rows = first, []
    for count in range(FIRST + 1, LAST + 1):
        now, following = folder(f"update-{count}"), months[count]
        before, source = updated, place
        made, cheap = timed(
            lambda before=before, source=source, now=now, count=count: make_update(
                before, source, study.options, [months[count - 1]], params, now
            )
        )
        updated, place = opened(made, params, now), now
        whole = folder(f"full-{count}")
        made, dear = timed(
            lambda whole=whole, count=count: make_full(months[:count], params, study, whole, estimate=False)
        )
        full = opened(made, params, whole)
        rows.append(
            {
                "arrives": months[count - 1].stem,
                "update s": cheap,
                "full s": dear,
                "ratio": dear / cheap,
                "stale": auc(first, following, params),
                "updated": auc(updated, following, params),
                "full": auc(full, following, params),
                "trees": updated.trained.rounds,
            }
        )
    return rows


def main() -> None:
    params = load_params(ROOT)
    with tempfile.TemporaryDirectory() as scratch:
        rows = run(write_months(load_flights(), Path(scratch) / "months"), params, Path(scratch))
    for row in rows:
        print("  ".join(f"{name} {value:.4g}" if name != "arrives" else value for name, value in row.items()))
    figures = {name: mean(row[name] for row in rows) for name in ("ratio", "stale", "updated", "full")}
    print("mean     " + "  ".join(f"{name} {value:.4f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
