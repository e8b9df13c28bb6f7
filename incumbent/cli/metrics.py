"""incumbent metrics: what a person on call asks, for Prometheus."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import typer

from incumbent.cli.options import Json, Project, enter, say, show, use_stack
from incumbent.errors import BadInput
from incumbent.local.dashboard_server import Server, behind_login
from incumbent.local.workspace import PARAMS, is_workspace, place_of, projects_of

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from incumbent.monitoring.collector import Source
    from incumbent.monitoring.sources import Sources

Listen = Annotated[
    str | None,
    typer.Option(
        "--listen", metavar="HOST:PORT", help="Serve them at http://HOST:PORT/metrics until stopped."
    ),
]


def metrics(project: Project = Path(), listen: Listen = None, as_json: Json = False) -> None:
    """Print the project's metrics in Prometheus' text format; in a workspace those of all its models.

    They are read from the registry, the git repository and the Prefect server; nothing is changed. A model
    that can't be read has incumbent_up 0, and stderr says why.
    """
    sources = _sources(project.resolve())
    from prometheus_client import CollectorRegistry, generate_latest, make_wsgi_app

    from incumbent.monitoring.collector import Samples

    samples = Samples(sources, say)
    registry = CollectorRegistry()
    registry.register(samples)
    if listen is not None:
        _serve(_pages(make_wsgi_app(registry)), listen)
    elif as_json:
        show([each._asdict() for each in samples.samples()], as_json, str)
    else:
        print(generate_latest(registry).decode(), end="")


def _sources(folder: Path) -> "Sources":
    """Raises BadInput where the folder is neither a project nor a workspace."""
    if is_workspace(folder) or (folder / PARAMS).exists():
        use_stack(folder)  # a project whose params.yaml is broken is one that can't be read
    else:
        enter(folder)
    # Prefect reads its settings when it is imported.
    from prefect.settings import PREFECT_API_URL

    from incumbent.cli.flow_runs import FlowRuns
    from incumbent.monitoring.sources import Sources

    def projects() -> list[Path]:
        return projects_of(folder) if is_workspace(folder) else [folder]

    def models() -> Mapping[str, str]:
        named = {path: each.name for path, each in sources.projects.items()}
        places = {place_of(path): name for path, name in named.items()}
        return {**places, **{str(path): name for path, name in named.items()}}

    others: dict[str, Source] = {"Prefect": FlowRuns(models)} if PREFECT_API_URL.value() else {}
    sources = Sources(folder, projects, others)
    return sources


def _pages(exposition: "WSGIApplication") -> "WSGIApplication":
    """The metrics at /metrics; any other page costs nothing, and tells that the server lives."""

    def page(request: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        if request["PATH_INFO"] == "/metrics":
            return exposition(request, start)
        start("200 OK", [("Content-Type", "text/plain")])
        return [b"the metrics are at /metrics\n"]

    login = os.environ.get("INCUMBENT_LOGIN")
    return behind_login(page, login) if login else page


class _Quiet(WSGIRequestHandler):
    """Logs no request: Prometheus sends thousands a day."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _serve(app: "WSGIApplication", listen: str) -> None:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit():
        raise BadInput(f"--listen {listen}: give host and port, such as 127.0.0.1:9464")
    try:
        server = make_server(host, int(port), app, Server, _Quiet)
    except (OSError, OverflowError) as error:
        raise BadInput(f"--listen {listen}: {error}; give another host or port") from error
    say(f"metrics at http://{listen}/metrics")
    server.serve_forever()
