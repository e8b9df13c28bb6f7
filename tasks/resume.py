"""Resume where a run that died stopped: the documents of its finished steps become this run's."""

import shutil
from dataclasses import replace
from typing import Any

from prefect import get_run_logger

from tasks.runs import Document, Run

# In the order of the flow: a step's document, which marks it done, and those that it writes before.
STEPS: dict[Document, tuple[Document, ...]] = {
    "gate": (),
    "plan": ("live", "drift"),
    "window": (),
    "study": (),
    "challenger": (),
    "comparison": (),
}


def begin_or_resume(run: Run, heir_of: int | None) -> None:
    """Record what this run works on; take over the finished steps of the dead run `heir_of`.

    Only if that run began with the same champion and its folder is on this host; else this run starts over.
    Documents are copied last, so that a crash in between leaves no step that looks done.
    """
    beginning = {"work": run.work, "champion": run.champion}
    run.write("begun", beginning)
    if heir_of is None:
        return
    dead = replace(run, seq=heir_of)
    if dead.read("begun") != beginning:
        get_run_logger().warning("run %s left nothing here to go on with; starting over", heir_of)
        return
    left = {name: document for name in _documents() if (document := dead.read(name)) is not None}
    steps = [name for name in STEPS if name in left]
    if not steps:
        return
    for file in dead.folder.iterdir():
        if file.suffix != ".json" and not file.name.startswith("."):
            shutil.copyfile(file, run.folder / file.name)
    run.write("resumed", {"from": heir_of, "steps": steps})
    for name, document in left.items():
        run.write(name, document)
    get_run_logger().info("resumed from run %s, which had finished: %s", heir_of, ", ".join(steps))


def resumed_from(run: Run) -> int | None:
    """The run whose finished steps this one took over."""
    document: dict[str, Any] | None = run.read("resumed")
    return document["from"] if document else None


def _documents() -> list[Document]:
    return [name for step, before in STEPS.items() for name in (*before, step)]
