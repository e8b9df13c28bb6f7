"""What a project needs of its Prefect server."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

import prefect
from packaging.version import Version

from incumbent.cli.doctor import clocks
from incumbent.cli.doctor.deployments import check_deployments, declared
from incumbent.cli.doctor.finding import Doubtful, Finding, failed, tried
from incumbent.cli.doctor.pools import check_pools
from incumbent.cli.doctor.prefect_api import PrefectServer, prefect_server
from incumbent.errors import BadInput, IncumbentError
from incumbent.local.environment import environment
from incumbent.local.workspace import root_of
from tasks.alerts import BLOCK


def check_prefect(project: Path, searchers: int | None) -> Iterator[Finding]:
    """First of all, whether it answers: where it does not, nothing else is asked of it.

    searchers: the most workers of one search in the project, or the workspace; None outside of both.
    """
    try:
        with prefect_server(environment(project).get("PREFECT_API_URL")) as server:
            reached = tried("Prefect", lambda: _version(server))
            yield reached
            if reached.state == "failed":
                return
            yield tried("Prefect clock", lambda: _clock(server))
            if searchers is not None:
                yield from _check_set_up(server, project, searchers)
            yield tried("alerts", lambda: _alerts(server))
    except IncumbentError as error:
        yield failed("Prefect", str(error))


def _check_set_up(server: PrefectServer, project: Path, searchers: int) -> Iterator[Finding]:
    root = root_of(project)
    deployments = declared(root)
    yield from check_pools(server, deployments, searchers)
    yield from check_deployments(server, deployments, root)


def _version(server: PrefectServer) -> str:
    there, here = Version(server.request("GET", "/admin/version").json()), Version(prefect.__version__)
    both = f"{server.client.api_url} has Prefect {there}, this machine {here}"
    if there.major != here.major:
        raise BadInput(f"{both}, which don't understand each other; pip install 'prefect=={there}' here")
    if there < here:
        raise Doubtful(f"{both}: a server has to be as new as its clients; upgrade the server")
    return both


def _clock(server: PrefectServer) -> str:
    before = time.time()
    header = server.request("GET", "/admin/version").headers["date"]
    theirs = parsedate_to_datetime(header).timestamp() + 0.5  # it has whole seconds
    return clocks.compare("Prefect's", theirs - (before + time.time()) / 2)


def _alerts(server: PrefectServer) -> str:
    blocks = server.all("/block_documents/filter")
    if not any(block["name"] == BLOCK for block in blocks):
        raise Doubtful(
            f"no notification block '{BLOCK}', so alerts are only in Prefect's UI and logs; "
            "'prefect block register -m prefect.blocks.notifications', then 'prefect block create "
            "slack-webhook' (or another service)"
        )
    return f"sent by the block '{BLOCK}'"
