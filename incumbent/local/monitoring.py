"""The exporter of the models' metrics, and a real Prometheus that reads it: on the loopback interface, behind
the stack's login."""

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import incumbent.monitoring as monitoring
from incumbent.errors import BadInput
from incumbent.local import prefect_server, s3
from incumbent.local.login import login
from incumbent.local.loopback import is_healthy
from incumbent.local.processes import Service, is_noted, running
from incumbent.local.state import HOST, Stack, make_private, write_private

EXPORTER, PROMETHEUS = NAMES = ("exporter", "prometheus")
RULES = Path(monitoring.__file__).with_name("alerts.yml")
UNPACKED = Path(".prometheus", "usr", "bin")
"""In the project: where Debian's package is, unpacked without root's rights."""
EVERY = "30s"
KEPT = "90d"


def find_prometheus(root: Path) -> str:
    """Path of the program. Raises BadInput where there is none."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), str(root / UNPACKED)])
    path = shutil.which("prometheus", path=places)
    if path is None:
        raise BadInput(
            "there is no program 'prometheus' on PATH: install Debian's package 'prometheus' (apt install "
            f"prometheus), or unpack it into {root / UNPACKED.parts[0]} as docs/monitoring.md says"
        )
    return path


def is_wanted(stack: Stack) -> bool:
    """Was it asked for since the last `down`?"""
    return is_noted(stack, PROMETHEUS)


def prepare(stack: Stack) -> list[Service]:
    """Choose the ports, write Prometheus' files; return both services. Raises BadInput without Prometheus."""
    program = find_prometheus(stack.root)
    for name in NAMES:
        if running(stack, name) is None:
            stack.settle_ports(name, ["http"])
    return [_exporter(stack), _prometheus(stack, program)]


def url(stack: Stack, name: str) -> str | None:
    """Address of its page; None before the first start."""
    ports = stack.known_ports(name)
    page = "metrics" if name == EXPORTER else "graph"
    return f"http://{_host(stack, name)}/{page}" if ports else None


def addresses(stack: Stack) -> dict[str, str | None]:
    """What `status` and `ui` name: the pages of both, once they were asked for."""
    if not is_wanted(stack):
        return {}
    return {"prometheus": url(stack, PROMETHEUS), "metrics": url(stack, EXPORTER)}


def healthy(stack: Stack, name: str) -> bool:
    """Whether it answers; the exporter's health page reads no metrics."""
    return bool(stack.known_ports(name)) and is_healthy(
        f"http://{_host(stack, name)}/-/healthy", login(stack)
    )


def _host(stack: Stack, name: str) -> str:
    return f"{HOST}:{stack.ports(name)['http']}"


def _inherited() -> dict[str, str]:
    # The user's other S3 and Prefect are not what is to be watched.
    return {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "AWS_"))}


def _exporter(stack: Stack) -> Service:
    command = (sys.executable, "-P", "-m", "incumbent", "metrics", "--project", str(stack.root))
    settings = {
        **prefect_server.client_settings(stack),
        **s3.client_settings(stack),
        "INCUMBENT_LOGIN": login(stack),
    }
    return Service(
        EXPORTER, (*command, "--listen", _host(stack, EXPORTER)), stack.state_dir, _inherited(), settings
    )


def _prometheus(stack: Stack, program: str) -> Service:
    folder = stack.state_dir / "prometheus"
    make_private(folder)
    config = _config(stack)
    write_private(folder / "prometheus.yml", config)  # JSON is YAML
    write_private(folder / "web.yml", {"basic_auth_users": _users(stack)})
    command = (
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--web.config.file={folder / 'web.yml'}",
        f"--web.listen-address={_host(stack, PROMETHEUS)}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--storage.tsdb.retention.time={KEPT}",
        "--log.level=warn",
    )
    # It reads its files at the start: with others it has to start again.
    digest = hashlib.sha256(json.dumps(config).encode()).hexdigest()
    return Service(PROMETHEUS, command, folder, _inherited(), {"INCUMBENT_CONFIG": digest})


def _config(stack: Stack) -> dict[str, Any]:
    """prometheus.yml; the rules are read where the package has them."""
    user, _, password = login(stack).partition(":")
    known = {"basic_auth": {"username": user, "password": password}}
    api = f"{HOST}:{stack.ports(prefect_server.NAME)['api']}"
    jobs = {
        "incumbent": (_host(stack, EXPORTER), "/metrics"),
        "prefect": (api, "/api/metrics"),
        "prometheus": (_host(stack, PROMETHEUS), "/metrics"),
    }
    return {
        "global": {"scrape_interval": EVERY, "evaluation_interval": EVERY},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {
                "job_name": job,
                "metrics_path": path,
                "static_configs": [{"targets": [target]}],
                **known,
            }
            for job, (target, path) in jobs.items()
        ],
    }


def _users(stack: Stack) -> dict[str, str]:
    """User -> hash of the password, as Prometheus wants it."""
    try:
        import bcrypt
    except ImportError:
        raise BadInput("bcrypt is not installed: pip install 'incumbent[local]'") from None
    user, _, password = login(stack).partition(":")
    # The fewest rounds: nobody guesses 160 random bits, and each request would pay for more.
    return {user: bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4)).decode()}
