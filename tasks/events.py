"""Send events to the Prefect server, so that automations can act on them."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from incumbent.errors import StorageUnavailable
from incumbent.local.workspace import place_of

NAMESPACE = uuid.UUID("8f9dbd0a-9a3c-5c0e-9d5a-6b5a6f1d2c11")
# After 0.2, 1 and 5 seconds.
RETRYING = Retrying(
    retry=retry_if_exception_type(httpx.HTTPError),
    stop=stop_after_attempt(4),
    wait=wait_exponential(multiplier=0.2, exp_base=5),
    reraise=True,
)


def emit(project: Path, event: str, resource: str, name: str, once: str, payload: Mapping[str, Any]) -> None:
    """Post an event and wait until the server has accepted it.

    Prefect's own emitter returns before the event is sent and loses it when the process dies. `once`
    identifies the event: posting it again triggers nothing twice. The payload gets the project's folder in
    its workspace, for the run that it starts. Raises StorageUnavailable when the server does not accept it.
    """
    document = {
        "id": str(uuid.uuid5(NAMESPACE, f"{event} {resource} {once}")),
        "occurred": datetime.now(UTC).isoformat(),
        "event": event,
        "resource": {"prefect.resource.id": resource, "prefect.resource.name": name},
        "payload": {"project": place_of(project), **payload},
    }
    with get_client(sync_client=True) as client:
        try:
            for attempt in RETRYING:
                with attempt:
                    client.request("POST", "/events", json=[document]).raise_for_status()
        except httpx.HTTPError as error:
            raise StorageUnavailable(
                f"the Prefect server did not take the event {event}: {error}; check it with "
                "'incumbent status' and run this again"
            ) from error
