"""Start a flow in this process, with its errors as ours."""

import logging
from pathlib import Path
from typing import Any

import httpx
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.logging.handlers import PrefectConsoleHandler
from prefect.settings import PREFECT_API_URL

from incumbent.errors import BadInput, StorageUnavailable
from incumbent.local.hand_runs import by_hand
from incumbent.storage.dataset.new_project import require_project
from tasks.step import without_tracebacks


def in_this_process(flow: Flow[Any, Any], *, project: Path, **parameters: Any) -> Any:
    """Run the flow here; it shows in the UI of the configured server like any other run.

    Raises BadInput when the folder is no project, before a server is asked or started, and when the server
    wants another login; StorageUnavailable when the configured Prefect server does not answer, StackStopped
    when `incumbent down` ends the run.
    """
    require_project(project)
    _require_server()
    without_tracebacks()
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_is_no_interrupt)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, PrefectConsoleHandler):
            handler.addFilter(_is_no_echo)
    with by_hand(project):
        return flow(project=project, **parameters)


def _is_no_interrupt(record: logging.LogRecord) -> bool:
    # Who interrupts the run knows it, and the command's last line says it.
    return not str(record.msg).startswith("Crash detected!")


def _is_no_echo(record: logging.LogRecord) -> bool:
    # Prefect logs a failure four times, of task and flow; the command's last line says it once more.
    return not (getattr(record, "explained", False) or str(record.msg).startswith("Finished in state Failed"))


def _require_server() -> None:
    if not PREFECT_API_URL.value():
        return  # Prefect starts a temporary server for this one run
    with get_client(sync_client=True) as client:
        try:
            client.request("GET", "/health").raise_for_status()
            # The server is healthy for everybody; this it tells only whom it lets in.
            client.request("POST", "/flow_runs/count", json={}).raise_for_status()
        except httpx.HTTPError as error:
            raise explained(error) from error


def explained(error: httpx.HTTPError) -> BadInput | StorageUnavailable:
    """What to raise where the configured server does not answer, or refuses the login."""
    address = PREFECT_API_URL.value()
    refused = isinstance(error, httpx.HTTPStatusError) and error.response.status_code in {401, 403}
    if refused:
        return BadInput(
            f"the Prefect server at {address} refuses the login; set PREFECT_API_AUTH_STRING to its "
            "USER:PASSWORD (for a local stack 'incumbent ui' prints it, in the stack's project)"
        )
    return StorageUnavailable(
        f"the Prefect server at {address} does not answer ({error}); start the local stack with "
        "'incumbent up', or correct PREFECT_API_URL"
    )
