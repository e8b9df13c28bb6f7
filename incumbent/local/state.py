"""What the local stack remembers between two commands: folders, ports, private files in `.incumbent/`."""

import json
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from incumbent.errors import BadInput
from incumbent.tables.atomic import atomic_write

HOST = "127.0.0.1"
# These and their companions stay below every system's range for outgoing connections, so that no client
# takes one while we are down.
PORTS = range(10_000, 22_000)


@dataclass(frozen=True)
class Stack:
    """The local stack of one project; a value that only reads."""

    project: Path

    @property
    def state_dir(self) -> Path:
        """Everything the stack keeps; deleting it (when stopped) forgets the stack."""
        return self.project / ".incumbent"

    @property
    def run_dir(self) -> Path:
        """Which processes run."""
        return self.state_dir / "run"

    @property
    def log_dir(self) -> Path:
        """One log per process."""
        return self.state_dir / "logs"

    @property
    def exists(self) -> bool:
        """Was it ever started, and are its addresses and credentials still known?"""
        known = self.known_ports("s3") and self.known_ports("prefect")
        return bool(known) and read_json(self.state_dir / "s3.json") is not None

    @property
    def ui_url(self) -> str:
        """Where a browser sees flows and runs."""
        return f"http://{HOST}:{self.ports('prefect')['api']}"

    @property
    def api_url(self) -> str:
        """For PREFECT_API_URL."""
        return f"{self.ui_url}/api"

    @property
    def s3_url(self) -> str:
        """For AWS_ENDPOINT_URL."""
        return f"http://{HOST}:{self.ports('s3')['s3']}"

    def ports(self, service: str) -> dict[str, int]:
        """The ports of a service, by what listens on them."""
        ports = self.known_ports(service)
        if not ports:
            raise BadInput(f"no local stack in {self.project}; start it with 'incumbent up'")
        return ports

    def known_ports(self, service: str) -> dict[str, int]:
        """The same, or nothing when the service never started."""
        known = read_json(self.state_dir / "stack.json") or {}
        ports: dict[str, int] = known.get(service, {})
        return ports

    def settle_ports(self, service: str, names: Sequence[str], companion: int = 0) -> None:
        """Keep the ports of a stopped service while they are free, so that addresses outlive a restart.

        The service also listens this far above each of them.
        """
        known = read_json(self.state_dir / "stack.json") or {}
        kept = known.get(service, {})
        if set(kept) == set(names) and all(_is_free(port, companion) for port in kept.values()):
            return
        taken = {port for ports in known.values() for port in ports.values()}
        known[service] = dict(zip(names, _free_ports(len(names), taken, companion), strict=True))
        write_private(self.state_dir / "stack.json", known)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One `up` or `down` at a time; the second waits."""
        with FileLock(self.state_dir / "lock"):
            yield


def make_private_dirs(stack: Stack) -> None:
    """Make the folders, readable by their owner only and invisible to git."""
    for folder in (stack.state_dir, stack.run_dir, stack.log_dir):
        make_private(folder)
    (stack.state_dir / ".gitignore").write_text("*\n")


def make_private(folder: Path) -> None:
    """Make the folder, or close one that is there: nobody but its owner looks in."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Write JSON that only its owner ever could read, whole or not at all."""
    write_private_bytes(path, json.dumps(content, indent=1).encode())


def write_private_bytes(path: Path, content: bytes) -> None:
    """The same for bytes."""
    with atomic_write(path, private=True) as part:
        part.write_bytes(content)


def read_json(path: Path) -> dict[str, Any] | None:
    """The content; None for a file that is absent or damaged, which is then made anew."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _free_ports(count: int, taken: set[int], companion: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        port = secrets.choice(PORTS)
        if port not in taken and port not in found and _is_free(port, companion):
            found.append(port)
    return found


def _is_free(port: int, companion: int) -> bool:
    for each in {port, port + companion}:
        with socket.socket() as probe:
            # As servers do: connections of our last run that linger in TIME_WAIT are no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, each))
            except OSError:
                return False
    return True
