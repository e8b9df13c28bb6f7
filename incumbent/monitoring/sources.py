"""The sources of an exporter: the projects of a folder, and the machine that it runs on."""

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from incumbent.errors import IncumbentError
from incumbent.monitoring.collector import Source
from incumbent.monitoring.metrics import Sample
from incumbent.monitoring.model import TIMEOUT, Project
from incumbent.storage.s3.address import open_store
from incumbent.storage.s3.probe import seconds_ahead


class Disk:
    """The file system of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> list[Sample]:
        usage = shutil.disk_usage(self._folder)
        return [Sample("incumbent_disk_free_ratio", (str(self._folder),), usage.free / usage.total)]

    def unread(self) -> list[Sample]:
        return []


class Clock:
    """This machine's clock against that of the S3 server, which is one for all projects of a folder."""

    def __init__(self, addresses: Callable[[], list[str]]) -> None:
        self._addresses = addresses

    def read(self) -> list[Sample]:
        return [
            Sample("incumbent_clock_offset_seconds", (), -seconds_ahead(open_store(address, TIMEOUT)))
            for address in self._addresses()[:1]
        ]

    def unread(self) -> list[Sample]:
        return []


class Sources:
    """All sources of a folder; projects may come and go."""

    def __init__(
        self, folder: Path, projects: Callable[[], list[Path]], others: Mapping[str, Source]
    ) -> None:
        self._find, self._projects = projects, dict[Path, Project]()
        self._fixed: dict[str, Source] = {"disk": Disk(folder), "clock": Clock(self._addresses), **others}

    def __call__(self) -> Mapping[str, Source]:
        known = self._projects
        self._projects = {path: known.get(path) or Project(path) for path in self._find()}
        for project in self._projects.values():
            with suppress(IncumbentError, OSError):  # its own reading says so
                project.look()  # the other sources need the names
        return {**{str(path): each for path, each in self._projects.items()}, **self._fixed}

    @property
    def projects(self) -> Mapping[Path, Project]:
        """As the last call gave them."""
        return self._projects

    def _addresses(self) -> list[str]:
        return [address for project in self._projects.values() if (address := project.address)]
