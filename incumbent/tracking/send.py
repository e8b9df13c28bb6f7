"""Send a message to the project's sinks: keep it first, then deliver it and everything that waits."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from incumbent.errors import IncumbentError
from incumbent.params import Params, SinkName
from incumbent.storage.registry.registry import Registry
from incumbent.tracking.deliver import deliver, outbox_of
from incumbent.tracking.outbox import Outbox
from incumbent.tracking.sinks import chosen_sinks
from incumbent.tracking.state import state_after
from incumbent.tracking.values import Message


def sinks_of(params: Params) -> list[SinkName]:
    """The sinks of a project."""
    return chosen_sinks(params.tracking.sinks, os.environ)


def keep(
    project: Path, params: Params, message: Message, files: Mapping[str, bytes]
) -> tuple[dict[SinkName, Outbox], list[str]]:
    """Put a message into every sink's outbox; returns these, and a sentence for each that has no room."""
    problems: list[str] = []
    outboxes: dict[SinkName, Outbox] = {}
    for sink in sinks_of(params):
        outboxes[sink] = outbox_of(project, sink)
        try:
            outboxes[sink].put(message, files)
        except OSError as error:
            problems.append(
                f"{sink}: nothing can be kept in {outboxes[sink].folder}: {error}; so it is sent now, "
                "and only now"
            )
            outboxes[sink] = Outbox(Path(tempfile.mkdtemp()), temporary=True)
            outboxes[sink].put(message, files)
    return outboxes, problems


def deliver_kept(project: Path, outboxes: Mapping[SinkName, Outbox]) -> list[str]:
    """Deliver what waits; returns a sentence for each sink that did not get it all. Takes 5 s at most."""
    problems: list[str] = []
    for sink, reason in deliver(project, outboxes).items():
        later = "the next run would not send it again"
        if not outboxes[sink].temporary:
            later = f"what remains is kept in {outboxes[sink].folder} for the next run"
        problems.append(f"{sink} did not get everything: {reason}; {later}")
    return problems


def send_champion(project: Path, params: Params, registry: Registry) -> list[str]:
    """Let the sinks know the champion, after a change that no run made.

    As `deliver_kept`, and never an error.
    """
    sinks = sinks_of(params)
    if not sinks:
        return []
    try:
        state = state_after(registry, None)
        # After "run-…": a version belongs to its run.
        key = f"state-{state.seq:012d}-{state.challenger or 'none'}"
        outboxes, problems = keep(project, params, Message(key, registry=state), {})
        if "mlflow" in sinks and state.champion:
            from incumbent.tracking.loadable import make_loadable  # brings pandas

            make_loadable(registry, state.champion)
        return problems + deliver_kept(project, outboxes)
    except (IncumbentError, OSError) as error:
        return [f"the trackers do not know the champion: {error}; mend it with 'incumbent models mirror'"]
