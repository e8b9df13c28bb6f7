"""Tell people and the record what went wrong in a training; the run's decision stays what it is."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prefect import get_run_logger

from incumbent.errors import NotFinite
from incumbent.machine.resources import memory_limits
from incumbent.training.anomalies import Anomaly, joined, of_gpu, of_memory
from tasks.runs import Run
from tasks.usage import usage_of

RECORD = "anomalies.json"


def tell(run: Run, anomalies: Iterable[Anomaly]) -> None:
    """Log each as a warning, keep them with the run and record them at once: the run may fail next."""
    new = list(anomalies)
    if not new:
        return
    for each in new:
        get_run_logger().warning("anomaly in training (%s): %s", each.kind, each.what)
    run.write("anomalies", joined(run.read("anomalies") or (), new))
    if run.seq is not None:
        run.registry.record(run.seq, RECORD, json.dumps(run.read("anomalies"), indent=2).encode())


def tell_of_machine(run: Run) -> None:
    """Was the memory nearly full, and the GPU idle? Only of a run that trained."""
    if run.read("challenger") is not None:
        tell(run, (*of_memory(memory_limits()), *of_gpu(usage_of(run).resources)))


@contextmanager
def telling_not_finite(run: Run) -> Iterator[None]:
    """Tell of a model that predicts NaN, which ends the run."""
    try:
        yield
    except NotFinite as error:
        tell(run, [Anomaly("nan_loss", str(error))])
        raise
