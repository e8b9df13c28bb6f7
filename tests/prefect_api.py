"""The API of a stack's Prefect server, for its owner."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx


@contextmanager
def prefect_api(environment: Mapping[str, str]) -> Iterator[httpx.Client]:
    """A client that is logged in, and has the token without which the server takes no change."""
    user, _, password = environment["PREFECT_API_AUTH_STRING"].partition(":")
    with httpx.Client(base_url=environment["PREFECT_API_URL"], auth=(user, password), timeout=60) as client:
        me = str(uuid.uuid4())
        token = client.get("csrf-token", params={"client": me}).raise_for_status().json()["token"]
        client.headers.update({"Prefect-Csrf-Client": me, "Prefect-Csrf-Token": token})
        yield client
