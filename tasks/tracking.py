"""Tell the experiment trackers what a run did; whatever becomes of that, the run's decision stands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from prefect import get_run_logger, runtime
from prefect.utilities.urls import url_for

from incumbent.params import SinkName
from incumbent.storage.dataset.versions import code_revision
from incumbent.storage.s3.documents import who
from incumbent.tracking.outbox import Outbox
from incumbent.tracking.send import deliver_kept, keep, sinks_of
from incumbent.tracking.values import Dataset, Message, TrackedRun
from tasks.evidence import evidence_of
from tasks.runs import Run

Outboxes = Mapping[SinkName, Outbox]


def keep_for_trackers(
    run: Run,
    outcome: dict[str, Any],
    cost: Mapping[str, Any],
    report: str,
    pictures: Mapping[str, bytes],
) -> Outboxes:
    """Put the run into the outbox of each of the project's sinks; what fails is a warning.

    cost: as cost.json.
    """
    if not sinks_of(run.params) or run.seq is None:
        return {}
    try:
        message = _message(run, run.seq, outcome, cost)
        outboxes, problems = keep(run.project, run.params, message, _files(report, pictures))
    except Exception as error:  # noqa: BLE001 - a tracker must not cost a run its result, for no reason at all
        outboxes, problems = {}, [f"the run is not tracked: {error!r}"]
    _warn(problems)
    return outboxes


def tell_trackers(run: Run, outboxes: Outboxes) -> None:
    """Send the sinks what waits in their outboxes; what fails is a warning. They take 5 s at most."""
    if not outboxes:
        return
    try:
        if "mlflow" in outboxes and run.read("metrics") is not None:  # it made a version
            from incumbent.tracking.loadable import make_loadable  # brings pandas

            make_loadable(run.registry, run.version)
        problems = deliver_kept(run.project, outboxes)
    except Exception as error:  # noqa: BLE001 - as above
        problems = [f"the trackers are not told now, and the next run tells them: {error!r}"]
    _warn(problems)


def _warn(problems: list[str]) -> None:
    for problem in problems:
        get_run_logger().warning("%s", problem)


def _message(run: Run, seq: int, outcome: dict[str, Any], cost: Mapping[str, Any]) -> Message:
    from incumbent.tracking.collect import decisive, figures, parameters, resources, summary, trials
    from incumbent.tracking.state import run_id, state_after

    made = run.version if outcome["challenger"] else None
    state = state_after(run.registry, made, held=outcome["decision"]["kind"] == "hold")

    documents: dict[str, Any] = {"outcome": outcome, "live": run.read("live"), "drift": run.read("drift")}
    documents["challenger"] = run.read("challenger")
    page, evidence = _page(), evidence_of(run)
    tracked = TrackedRun(
        id=run_id(run.registry, state.owner, seq),
        seq=seq,
        model=run.params.dataset.name,
        began=_milliseconds(datetime.fromisoformat(run.began)),
        ended=_milliseconds(datetime.now(UTC)),
        summary=summary(outcome, {"The run in Prefect": page} if page else {}),
        metric=run.params.fold_metric,
        params=parameters(run.params.model_dump(mode="json")),
        metrics={
            **figures(documents, evidence),
            **decisive(evidence, run.params.promotion),
            **resources(cost),
            "system/cpus": float(os.cpu_count() or 0),
        },
        tags=_tags(run, outcome),
        dataset=_dataset(run),
        trials=trials(run.read("study")),
        owner=state.owner,
    )
    return Message(f"run-{seq:012d}-{tracked.id[:8]}", tracked, state)


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
