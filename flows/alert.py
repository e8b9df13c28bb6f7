"""Something needs a person."""

from prefect import flow

from tasks.alerts import tell


@flow(name="alert")
def alert(subject: str, details: str = "") -> None:
    """Started by the automations of prefect.yaml: silence, a crashed or failed run, a decayed model."""
    tell(subject, details)
