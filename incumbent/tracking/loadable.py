"""Let MLflow load a version: put its file `MLmodel` beside the version's own."""

from incumbent.storage.registry.attachments import attach
from incumbent.storage.registry.registry import Registry
from incumbent.tracking.mlmodel import FILE, mlmodel


def make_loadable(registry: Registry, version: str) -> None:
    """Safe to repeat. Raises NotFound for no such version."""
    attach(registry, version, FILE, mlmodel(registry.manifest(version)))
