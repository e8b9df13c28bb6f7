"""What a sink has not got yet: a folder for each message, complete or not there.

A message is removed only after its sink has taken all of it. After a process that dies in between, the next
one sends it again, which sinks allow.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from incumbent.tracking.sink import Refused, Sink, Undelivered
from incumbent.tracking.values import Message

LETTER, FILES = "message.json", "files"


@dataclass(frozen=True)
class Outbox:
    """The outbox of one sink. `temporary`: it is removed after one delivery, whatever became of that."""

    folder: Path
    temporary: bool = False

    def put(self, message: Message, files: Mapping[str, bytes]) -> None:
        """Keep a message with its files; one that waits under the same key stays. Raises OSError."""
        entry, part = self.folder / message.key, self.folder / f".{message.key}"
        shutil.rmtree(part, ignore_errors=True)  # of a process that died
        try:
            part.mkdir(parents=True)
            for name, body in files.items():
                _write(part / FILES / name, body)
            _write(part / LETTER, message.to_bytes())
            if not entry.exists():
                part.rename(entry)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def waiting(self) -> list[Path]:
        """The messages that wait, oldest first."""
        return sorted(entry.parent for entry in self.folder.glob(f"[!.]*/{LETTER}"))

    def deliver(self, sink: Sink) -> Iterator[str]:
        """Send the sink what waits, oldest first; yields a sentence for each that stays. Raises Undelivered
        when the sink does not answer."""
        with self._alone():
            for entry in self.waiting():
                try:
                    _send(sink, entry)
                except (Refused, ValueError, OSError) as error:
                    yield f"{entry} stays in the outbox: {error}"
                    continue
                (entry / LETTER).unlink()  # first: what is left of the folder is no message any more
                shutil.rmtree(entry, ignore_errors=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with FileLock(self.folder / ".lock", timeout=60):
                yield
        except Timeout as error:
            raise Undelivered(f"another process delivers what is in {self.folder}") from error


def _send(sink: Sink, entry: Path) -> None:
    message = Message.from_bytes((entry / LETTER).read_bytes())
    if message.run:
        sink.log(message.run, entry / FILES)
    if message.registry:
        sink.mirror(message.registry)


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
