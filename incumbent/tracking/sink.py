"""A sink: what every experiment tracker does for us, and which ones a project has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from incumbent.errors import IncumbentError
from incumbent.params import SinkName
from incumbent.tracking.values import RegistryState, TrackedRun


class Undelivered(IncumbentError):
    """A tracker did not answer, or refused; what was for it stays in the outbox."""


class Refused(Undelivered):
    """The tracker answered, and does not take this; it may take the next."""


class Sink(Protocol):
    """One tracker. Both methods may be repeated, also after a crash half way: each figure arrives once.

    They raise Undelivered when the tracker does not answer, Refused when it says no.
    """

    def log(self, run: TrackedRun, files: Path) -> None:
        """Log a run with everything in the folder `files`; a run that is logged stays as it is."""

    def mirror(self, registry: RegistryState) -> list[str]:
        """Make the tracker's model registry show ours; returns what was changed, in sentences."""


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
