"""Versions of models on this machine: downloaded once, verified every time, first parsed in a subprocess."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from incumbent.errors import IncumbentError, Tampered
from incumbent.models.model import Model, open_model
from incumbent.params import own_code
from incumbent.storage.registry.champion import Champion, parse_champion
from incumbent.storage.registry.model_versions import MANIFEST, is_there
from incumbent.storage.registry.registry import Registry
from incumbent.storage.s3.documents import dump
from incumbent.storage.serving.first_parse import first_parse
from incumbent.tables.atomic import atomic_write


def pull_cached(project: Path, registry: Registry, version: str) -> tuple[Path, dict[str, Any]]:
    """The folder with a version's verified files, and its manifest. Raises NotFound, Tampered.

    A version never changes: one that is here as a whole costs no request.
    """
    folder = _home(project, registry) / version
    manifest = _manifest_here(folder, registry, version)
    if manifest is None or not all(is_there(folder / name, each) for name, each in manifest["files"].items()):
        manifest = registry.pull(version, folder)
        _write(folder / MANIFEST, dump(manifest))
    return folder, manifest


def load_model(project: Path, registry: Registry, version: str) -> Model:
    """A version ready to predict; the first time on this machine it is opened in a subprocess.

    Raises NotFound, and Tampered for a version that differs from what was published, does not open, or does
    not predict as it did then. Nothing of a refused version stays here.
    """
    own_code.look_in(project)  # the model may compute its features with the project's own function
    folder, manifest = pull_cached(project, registry, version)
    try:
        first_parse(folder, manifest)
    except Tampered:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return open_model(folder, manifest)


def load_champion(project: Path, registry: Registry) -> Model | None:
    """The champion ready to predict, None when there is none. One request when the cache is warm."""
    champion = champion_cached(project, registry)
    return None if champion is None else load_model(project, registry, champion.version)


def champion_cached(project: Path, registry: Registry) -> Champion | None:
    """The current champion: one request, without a body when it is still the cached one."""
    path = _home(project, registry) / "champion.json"
    known = _champion_here(path)
    champion = registry.champion(known)
    if champion is not None and champion != known:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, json.dumps({"etag": champion.etag, "body": champion.body().decode()}).encode())
    return champion


def _home(project: Path, registry: Registry) -> Path:
    # Two registries may both have a v1: the address is part of the folder's name.
    address = hashlib.sha256(registry.store.url().encode()).hexdigest()[:8]
    return project / ".incumbent" / "cache" / "models" / f"{registry.model}-{address}"


def _manifest_here(folder: Path, registry: Registry, version: str) -> dict[str, Any] | None:
    try:
        return registry.checked(version, (folder / MANIFEST).read_bytes())
    except (OSError, IncumbentError):
        return None  # missing or altered here: pull it from the registry


def _champion_here(path: Path) -> Champion | None:
    try:
        kept = json.loads(path.read_bytes())
        return parse_champion(kept["body"].encode(), kept["etag"], str(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IncumbentError):
        return None


def _write(path: Path, body: bytes) -> None:
    with atomic_write(path) as part:
        part.write_bytes(body)
