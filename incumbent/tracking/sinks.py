"""Which sinks a project has, and how each is opened."""

from collections.abc import Mapping
from pathlib import Path

from incumbent.params import SinkName
from incumbent.tracking.sink import Sink


def chosen_sinks(named: tuple[SinkName, ...] | None, environment: Mapping[str, str]) -> list[SinkName]:
    """The sinks that params.yaml names; without it, those whose own variables are set."""
    if named is not None:
        return list(named)
    by_environment: list[SinkName] = []
    if environment.get("MLFLOW_TRACKING_URI"):
        by_environment.append("mlflow")
    if environment.get("WANDB_MODE", "disabled") in ("online", "offline", "shared"):
        by_environment.append("wandb")
    return by_environment


def open_sink(name: SinkName, project: Path, environment: Mapping[str, str]) -> Sink:
    """Open a sink; imports its client now. Raises BadParams for a bad address or a missing library."""
    if name == "mlflow":
        from incumbent.tracking.mlflow import open_mlflow

        return open_mlflow(environment)
    if name == "wandb":
        from incumbent.tracking.wandb import open_wandb

        return open_wandb(project)
    from incumbent.tracking.dvclive import open_dvclive

    return open_dvclive(project)
