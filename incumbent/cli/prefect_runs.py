"""Start a flow in this process, with its errors as ours."""

from typing import Any

import httpx
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL

from incumbent.errors import StorageUnavailable
from tasks.step import without_tracebacks


def in_this_process(flow: Flow[Any, Any], **parameters: Any) -> Any:
    """Run the flow here; it shows in the UI of the configured server like any other run.

    Raises StorageUnavailable when the configured Prefect server does not answer.
    """
    _require_server()
    without_tracebacks()
    return flow(**parameters)


def _require_server() -> None:
    if not PREFECT_API_URL.value():
        return  # Prefect starts a temporary server for this one run
    with get_client(sync_client=True) as client:
        try:
            client.request("GET", "/health").raise_for_status()
        except httpx.HTTPError as error:
            raise StorageUnavailable(
                f"the Prefect server at {PREFECT_API_URL.value()} does not answer ({error}); start the local "
                "stack with 'incumbent up', or correct PREFECT_API_URL"
            ) from error
