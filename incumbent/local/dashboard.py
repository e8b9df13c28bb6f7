"""The project's studies in the browser: optuna-dashboard, on the loopback interface and behind a login."""

import os
import sys
from importlib.util import find_spec

from incumbent.errors import BadInput
from incumbent.local.login import login
from incumbent.local.loopback import is_healthy
from incumbent.local.processes import Service, running
from incumbent.local.state import HOST, Stack
from incumbent.params import load_params

NAME = "dashboard"


def prepare(stack: Stack) -> Service:
    """Choose the port and create the storage; return the service to run."""
    from incumbent.search.studies import address_of, make_storage

    if find_spec("optuna_dashboard") is None:
        raise BadInput("the view of the studies is not installed: pip install 'incumbent[local]'")
    if running(stack, NAME) is None:
        stack.settle_ports(NAME, ["http"])
    has_params = (stack.root / "params.yaml").is_file()
    address = address_of(stack.root, load_params(stack.root).search.storage if has_params else None)
    make_storage(address)
    command = (sys.executable, "-P", "-m", "incumbent.local.dashboard_server")
    listen = (HOST, str(stack.ports(NAME)["http"]))
    settings = {"INCUMBENT_STUDIES": address, "INCUMBENT_LOGIN": login(stack)}
    return Service(NAME, command + listen, stack.state_dir, os.environ, settings)


def url(stack: Stack) -> str | None:
    """URL of the studies' page; None before the first start."""
    ports = stack.known_ports(NAME)
    return f"http://{HOST}:{ports['http']}/dashboard/" if ports else None


def healthy(stack: Stack) -> bool:
    """Whether it answers."""
    address = url(stack)
    return address is not None and is_healthy(address, login(stack))
