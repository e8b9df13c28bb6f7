"""Alert people when something needs attention."""

from prefect import flow

from tasks.alerts import send_alert


@flow(name="alert")
def alert(subject: str, details: str = "") -> None:
    """Started by the automations of prefect.yaml; docs/runbook.md has a section for each."""
    send_alert(subject, details)
