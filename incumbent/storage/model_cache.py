"""Versions of models on this machine: downloaded once, verified every time."""

import hashlib
from pathlib import Path
from typing import Any

from incumbent.model import Model, open_model
from incumbent.storage.registry import Registry


def pull_cached(project: Path, registry: Registry, version: str) -> tuple[Path, dict[str, Any]]:
    """The folder with a version's verified files, and its manifest. Raises NotFound, Tampered."""
    # Two registries may both have a v1: the address is part of the folder's name.
    address = hashlib.sha256(registry.store.url().encode()).hexdigest()[:8]
    folder = project / ".incumbent" / "cache" / "models" / f"{registry.model}-{address}" / version
    folder.mkdir(parents=True, exist_ok=True)
    return folder, registry.pull(version, folder)


def load_model(project: Path, registry: Registry, version: str) -> Model:
    """A version ready to predict. Raises NotFound, Tampered."""
    return open_model(*pull_cached(project, registry, version))
