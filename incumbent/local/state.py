"""State of the local stack between commands: folders, ports and private files in `.incumbent/`."""

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
# These and their companions are below every system's range for outgoing connections, so that no client
# takes one while the stack is down.
PORTS = range(10_000, 22_000)


@dataclass(frozen=True)
class Stack:
    """The local stack of a project, or of a workspace; `root` is its folder. A frozen value."""

    root: Path

    @property
    def state_dir(self) -> Path:
        """All state of the stack; delete it, while stopped, to reset the stack."""
        return self.root / ".incumbent"

    @property
    def run_dir(self) -> Path:
        """Records of running processes."""
        return self.state_dir / "run"

    @property
    def log_dir(self) -> Path:
        """One log per process."""
        return self.state_dir / "logs"

    @property
    def exists(self) -> bool:
        """Whether it was ever started, and its addresses and credentials are still there."""
        known = self.known_ports("s3") and self.known_ports("prefect")
        return bool(known) and read_json(self.state_dir / "s3.json") is not None

    @property
    def ui_url(self) -> str:
        """URL of Prefect's UI."""
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
        """Name -> port of a service. Raises BadInput when it never started."""
        ports = self.known_ports(service)
        if not ports:
            raise BadInput(f"no local stack in {self.root}; start it with 'incumbent up'")
        return ports

    def known_ports(self, service: str) -> dict[str, int]:
        """The same; empty when the service never started."""
        known = read_json(self.state_dir / "stack.json") or {}
        ports: dict[str, int] = known.get(service, {})
        return ports

    def settle_ports(self, service: str, names: Sequence[str], companion: int = 0) -> None:
        """Keep the ports of a stopped service if they are free, so that addresses survive a restart; else
        choose new ones.

        companion: the service also listens on each port plus this number.
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
    """Create the folders, readable by their owner only and ignored by git."""
    for folder in (stack.state_dir, stack.run_dir, stack.log_dir):
        make_private(folder)
    (stack.state_dir / ".gitignore").write_text("*\n")


def make_private(folder: Path) -> None:
    """Create the folder, or restrict an existing one, so that only its owner can read it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Write JSON atomically, to a file that only its owner can read at any time."""
    write_private_bytes(path, json.dumps(content, indent=1).encode())


def write_private_bytes(path: Path, content: bytes) -> None:
    """The same for bytes."""
    with atomic_write(path, private=True) as part:
        part.write_bytes(content)


def read_json(path: Path) -> dict[str, Any] | None:
    """The content; None for a file that is absent or damaged, which callers write anew."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _free_ports(count: int, taken: set[int], companion: int) -> list[int]:
    ports: list[int] = []
    while len(ports) < count:
        port = secrets.choice(PORTS)
        if port not in taken and port not in ports and _is_free(port, companion):
            ports.append(port)
    return ports


def _is_free(port: int, companion: int) -> bool:
    for each in {port, port + companion}:
        with socket.socket() as probe:
            # As servers do, so that connections of our last run in TIME_WAIT do not block the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, each))
            except OSError:
                return False
    return True
