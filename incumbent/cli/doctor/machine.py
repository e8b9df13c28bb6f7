"""This machine: versions, room on its disks, the device to train on, and where its variables lead."""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from incumbent.cli.doctor.finding import Doubtful, Finding, tried, warning
from incumbent.errors import BadInput
from incumbent.errors.machine import RESERVE, VOLUMES, explain
from incumbent.local.environment import environment, led_elsewhere
from incumbent.params import Params
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.remotes import dvc_cache

TIGHT = 2 << 30  # bytes free; a large arrival or a search could fill the rest
PACKAGES = ("incumbent", "prefect", "dvc")


def variables(project: Path) -> list[Finding]:
    """Those of the shell that lead away from the project's own stack; to be asked before `enter` sets any."""
    if not environment(project):
        return []  # nothing here to be led away from
    return [
        warning(
            name,
            f"the commands go to {os.environ[name]}, not to the project's own stack; 'unset {name}' leads "
            "them back, where that is not what you want",
        )
        for name in led_elsewhere(project)
    ]


def check_machine(project: Path) -> Iterator[Finding]:
    """What any machine needs."""
    yield tried("versions", lambda: _versions(project))
    yield tried("disk: project", lambda: _room(project / ".incumbent"))
    yield tried("disk: temporary files", lambda: _room(Path(tempfile.gettempdir())))


def check_for_project(project: Path, params: Params) -> Iterator[Finding]:
    """What this project needs beside."""
    yield tried("disk: DVC cache", lambda: _room(dvc_cache(project)))
    yield tried("device", lambda: _device(params))


def _versions(project: Path) -> str:
    packages = [f"{name} {metadata.version(name)}" for name in PACKAGES]
    return ", ".join([f"Python {platform.python_version()}", *packages, git(project, "--version")])


def _room(folder: Path) -> str:
    """Write a file there, and look at what is free."""
    place = next(each for each in (folder, *folder.parents) if each.is_dir())
    usage = shutil.disk_usage(place)
    free = f"{usage.free / 1e9:,.1f} of {usage.total / 1e9:,.1f} GB are free at {place}"
    if usage.free < max(RESERVE * usage.total, VOLUMES):
        raise BadInput(f"only {free}; free some, or nothing can be written there")
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".doctor-") as file:
            file.write(b"written\n")
    except OSError as error:
        why = explain(error) or f"{error.strerror}; check who owns it, and whether its disk may be written"
        raise BadInput(f"nothing can be written to {place}: {why}") from error
    if usage.free < TIGHT:
        raise Doubtful(f"only {free}; free some before a large arrival or a search")
    return free


def _device(params: Params) -> str:
    from incumbent.learners.devices import lightgbm_device, torch_device

    asked = params.learner.device
    device = (torch_device if params.learner.name == "torch" else lightgbm_device)(asked)
    if device.fell_back:
        raise Doubtful(
            f"learner.device is {asked}, and this machine would train on the CPU ({device.fell_back}); train "
            "on a machine that has the device, or set learner.device: cpu in params.yaml"
        )
    return f"learner.device is {asked}"
