"""The configured Prefect server, asked with little patience."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from incumbent.cli.doctor.finding import TIMEOUT
from incumbent.cli.prefect_runs import explained
from incumbent.errors import BadInput

PAGE = 200  # the most that the server returns at once


@dataclass(frozen=True)
class PrefectServer:
    """`is_own`: it belongs to the project's local stack, so that `incumbent up` mends what is missing."""

    client: SyncPrefectClient
    is_own: bool

    def request(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Raises BadInput when the login is refused, StorageUnavailable when the server does not answer."""
        try:
            return self.client.request(method, path, json=body).raise_for_status()  # type: ignore[arg-type]
        except httpx.HTTPError as error:
            raise explained(error) from error

    def all(self, path: str, **filters: Any) -> list[dict[str, Any]]:
        """All pages of a filter's answer."""
        answers: list[dict[str, Any]] = []
        while True:
            page = self.request("POST", path, {**filters, "limit": PAGE, "offset": len(answers)}).json()
            answers += page
            if len(page) < PAGE:
                return answers

    def command(self, otherwise: str) -> str:
        """What to type to mend something: on a server that is not ours, `otherwise`."""
        return "'incumbent up'" if self.is_own else f"'{otherwise}'"


@contextmanager
def prefect_server(own_url: str | None) -> Iterator[PrefectServer]:
    """own_url: the API of the project's local stack. Raises BadInput when no server is configured."""
    url = PREFECT_API_URL.value()
    if not url:
        raise BadInput(
            "no Prefect server is configured, so no event or schedule starts anything; run 'incumbent up', "
            "or set PREFECT_API_URL to your team's"
        )
    with (
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
        get_client(sync_client=True, httpx_settings={"timeout": TIMEOUT}) as client,
    ):
        yield PrefectServer(client, url == own_url)
