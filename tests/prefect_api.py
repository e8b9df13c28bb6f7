"""The API of a stack's Prefect server, for its owner."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.schemas.automations import Automation, AutomationCore


@contextmanager
def prefect_api(environment: Mapping[str, str]) -> Iterator[httpx.Client]:
    """A client that is logged in, and has the token without which the server takes no change."""
    user, _, password = environment["PREFECT_API_AUTH_STRING"].partition(":")
    with httpx.Client(base_url=environment["PREFECT_API_URL"], auth=(user, password), timeout=60) as client:
        me = str(uuid.uuid4())
        token = client.get("csrf-token", params={"client": me}).raise_for_status().json()["token"]
        client.headers.update({"Prefect-Csrf-Client": me, "Prefect-Csrf-Token": token})
        yield client


@contextmanager
def impatient(client: SyncPrefectClient, automation: Automation) -> Iterator[None]:
    """For a while, the automation waits the fewest seconds that Prefect takes for an event to stay away."""
    kept = AutomationCore.model_validate(automation.model_dump(exclude={"owner_resource"}))
    soon = kept.trigger.model_copy(update={"within": timedelta(seconds=10)})
    client.update_automation(automation.id, kept.model_copy(update={"trigger": soon}))
    try:
        yield
    finally:
        client.update_automation(automation.id, kept)
