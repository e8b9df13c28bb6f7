"""A sink: what every experiment tracker does for us."""

from pathlib import Path
from typing import Protocol

from incumbent.errors import IncumbentError
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
