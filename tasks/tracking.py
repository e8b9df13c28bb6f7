"""Tell the experiment trackers what a run did; whatever becomes of that, the run's decision stands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from prefect import get_run_logger, runtime
from prefect.utilities.urls import url_for

from incumbent.storage.dataset.versions import code_revision
from incumbent.storage.s3.documents import who
from incumbent.tracking.send import send, sinks_of
from incumbent.tracking.values import Dataset, Message, TrackedRun
from tasks.evidence import evidence_of
from tasks.runs import Run


def track(
    run: Run,
    outcome: dict[str, Any],
    cost: Mapping[str, Any],
    report: str,
    pictures: Mapping[str, bytes],
) -> None:
    """Tell the project's sinks; what fails is a warning. The sinks take 5 s at most. cost: as cost.json."""
    sinks = sinks_of(run.params)
    if not sinks or run.seq is None:
        return
    try:
        if "mlflow" in sinks and run.read("metrics") is not None:  # it made a version
            from incumbent.tracking.loadable import make_loadable  # brings pandas

            make_loadable(run.registry, run.version)
        problems = send(
            run.project, run.params, _message(run, run.seq, outcome, cost), _files(report, pictures)
        )
    except Exception as error:  # noqa: BLE001 - a tracker must not cost a run its result, for no reason at all
        problems = [f"the run is not tracked: {error!r}"]
    for problem in problems:
        get_run_logger().warning("%s", problem)


def _message(run: Run, seq: int, outcome: dict[str, Any], cost: Mapping[str, Any]) -> Message:
    from incumbent.tracking.collect import figures, parameters, resources, summary, trials
    from incumbent.tracking.state import run_id, state_after

    documents: dict[str, Any] = {"outcome": outcome, "live": run.read("live"), "drift": run.read("drift")}
    documents["challenger"] = run.read("challenger")
    page = _page()
    tracked = TrackedRun(
        id=run_id(run.registry, seq),
        seq=seq,
        model=run.params.dataset.name,
        began=_milliseconds(datetime.fromisoformat(run.began)),
        ended=_milliseconds(datetime.now(UTC)),
        summary=summary(outcome, {"The run in Prefect": page} if page else {}),
        metric=run.params.fold_metric,
        params=parameters(run.params.model_dump(mode="json")),
        metrics={
            **figures(documents, evidence_of(run)),
            **resources(cost),
            "system/cpus": float(os.cpu_count() or 0),
        },
        tags=_tags(run, outcome),
        dataset=_dataset(run),
        trials=trials(run.read("study")),
    )
    made = run.version if outcome["challenger"] else None
    return Message(f"run-{seq:012d}-{tracked.id[:8]}", tracked, state_after(run.registry, made))


def _tags(run: Run, outcome: dict[str, Any]) -> dict[str, str]:
    """Facts to search for; those of MLflow's own names show in its table of runs."""
    facts = {
        "mlflow.user": who(),
        "mlflow.source.name": "incumbent retrain",
        "mlflow.source.type": "JOB",
        "mlflow.source.git.commit": code_revision(run.project).removesuffix("+changes"),
        "incumbent.run": run.seq,
        "incumbent.code": code_revision(run.project),
        "incumbent.started_by": run.started_by,
        "incumbent.gate": outcome["verdict"],
        "incumbent.plan": outcome["plan"] and outcome["plan"]["kind"],
        "incumbent.decision": outcome["decision"]["kind"],
        "incumbent.reasons": "; ".join(outcome["decision"]["reasons"]),
        "incumbent.version": outcome["challenger"],
        "incumbent.champion": outcome["champion"],
        "incumbent.data": run.data.short,
        "incumbent.data_rev": run.data.rev,
        "incumbent.resumed_from": outcome["resumed_from"],
        "incumbent.prefect_run": _page(),
    }
    return {name: str(value) for name, value in facts.items() if value is not None}


def _page() -> str | None:
    """The flow run in the Prefect UI."""
    return url_for("flow-run", obj_id=runtime.flow_run.get_id())


def _dataset(run: Run) -> Dataset:
    document = run.read("challenger")
    columns: dict[str, str] = {}
    if document:
        from incumbent.challenger import Challenger
        from incumbent.tracking.mlmodel import columns_of

        columns = columns_of(Challenger.from_json(document).schema)
    name, data = run.params.dataset.name, run.data
    return Dataset(name, data.md5, data.rev, columns, len(data.partitions))


def _files(report: str, pictures: Mapping[str, bytes]) -> dict[str, bytes]:
    named = {f"pictures/{name.lower().replace(' ', '-')}.png": body for name, body in pictures.items()}
    return {"report.html": report.encode(), **named}


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)
