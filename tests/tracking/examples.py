"""A run to tell, and a place to tell it from."""

from dataclasses import replace
from pathlib import Path

from incumbent.params import Params
from incumbent.tracking.deliver import outbox_of
from incumbent.tracking.outbox import Outbox
from incumbent.tracking.send import deliver_kept, keep
from incumbent.tracking.values import Dataset, Message, ModelVersion, RegistryState, TrackedRun, Trial

OWNER = "ada:/home/ada/flights (repository 1a2b3c4d5e), 00112233"
RUN = TrackedRun(
    id="5e1d" * 8,
    seq=17,
    model="flights",
    began=1_764_000_000_000,
    ended=1_764_000_060_000,
    summary="**promote**\n\n- better than v3",
    metric="roc_auc",
    params={"learner.name": "lightgbm", "search.space": "{}", **{f"many.{n}": str(n) for n in range(120)}},
    metrics={
        "judging/roc_auc": 0.7421,
        "slices/city/München/gain": 0.01,
        "slices/city/a=b/gain": 0.02,
        "slices/city/a?b/gain": 0.03,
        "slices/city/../gain": 0.04,
    },
    tags={"incumbent.decision": "promote", "incumbent.plan": "full"},
    dataset=Dataset("flights", "0123456789abcdef0123456789abcdef.dir", "1a2b3c", {"distance": "double"}, 6),
    trials=(
        Trial(0, 0.71, {"num_leaves": 31, "learning_rate": 0.1}, 20, False, ((10, 0.7), (20, 0.71))),
        Trial(1, 0.68, {"num_leaves": 7, "learning_rate": 0.3}, 10, True, ((10, 0.68),)),
    ),
    owner=OWNER,
)
VERSION = ModelVersion(
    "v17",
    "s3://incumbent/registry/flights/versions/v17",
    RUN.id,
    "v17: full training",
    {"incumbent.kind": "full"},
)
REGISTRY = RegistryState(
    "flights", "s3://incumbent/registry/flights/versions/", 5, "v17", None, (VERSION,), owner=OWNER
)
PICTURE = {"pictures/roc.png": b"\x89PNG\r\n\x1a\n", "report.html": b"<h1>Run 17</h1>"}


def numbered(seq: int) -> TrackedRun:
    """The same as another run."""
    return replace(RUN, id=f"{seq:032x}", seq=seq)


def message(run: TrackedRun = RUN, registry: RegistryState | None = REGISTRY) -> Message:
    return Message(f"run-{run.seq:012d}-{run.id[:8]}", run, registry)


def send(project: Path, params: Params, message: Message, files: dict[str, bytes]) -> list[str]:
    """Keep a message and deliver it at once; returns what went wrong."""
    outboxes, problems = keep(project, params, message, files)
    return problems + deliver_kept(project, outboxes)


def waiting_for(project: Path, *runs: TrackedRun, model: str = "flights") -> Outbox:
    """MLflow's outbox in the project, with these runs of the model."""
    outbox = outbox_of(project, "mlflow")
    for run in runs:
        outbox.put(message(run, replace(REGISTRY, model=model)), PICTURE)
    return outbox
