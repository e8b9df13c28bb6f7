"""A person's word: the challenger that waits becomes champion, or is refused."""

from pathlib import Path
from typing import Any

from prefect import flow

from tasks.approval import Word, announce, answer


@flow(name="approve")
def approve(version: str, decision: Word, reason: str, by: str, project: Path = Path()) -> dict[str, Any]:
    """Returns what `incumbent models approve --json` prints.

    Args:
        version: The version that waits, such as v17; the artifact "decision" of its run has the figures.
        decision: Make it champion, or refuse it for good.
        reason: Why; the registry keeps it.
        by: Your name. Prefect's open server knows one login only, so it can't tell who you are.
        project: Folder of the project; as the deployment has it.
    """
    answered = answer(project, version, decision, reason, by)
    announce(project, answered)
    return answered
