"""Alert people when something needs attention."""

from prefect import flow

from tasks.alerts import send_alert


@flow(name="alert")
def alert(subject: str, details: str = "") -> None:
    """Started by the automations of prefect.yaml: silence, a crashed or failed run, a decayed model."""
    send_alert(subject, details)
