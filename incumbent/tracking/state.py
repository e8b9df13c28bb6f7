"""Our registry as a mirror shows it: who is champion and challenger, and what each version is."""

import hashlib
from collections.abc import Mapping
from typing import Any

from incumbent.storage.registry.identity import owner_of
from incumbent.storage.registry.registry import Champion, Registry
from incumbent.tracking.values import ModelVersion, RegistryState


def run_id(registry: Registry, owner: str, run_seq: int) -> str:
    """A run's id among those of all registries, 32 hexadecimal digits. owner: as owner_of."""
    # The address alone is no name: each local stack has an S3 of its own with the same addresses.
    address = f"{owner}{registry.store.url(registry.model)}/runs/{run_seq}"
    return hashlib.sha256(address.encode()).hexdigest()[:32]


def whole_state(registry: Registry) -> RegistryState:
    """Champion, challenger and all versions, oldest first."""
    champion, owner = registry.champion(), owner_of(registry)
    versions = tuple(_version(registry, owner, manifest) for manifest in reversed(registry.versions()))
    return _state(registry, owner, champion, _challenger(registry, champion), versions, complete=True)


def state_after(registry: Registry, version: str | None, *, held: bool = False) -> RegistryState:
    """Champion, challenger, and the version that was just made, if any.

    held: its run holds it, and has yet to record that.
    """
    champion, owner = registry.champion(), owner_of(registry)
    challenger = _challenger(registry, champion, version if held else None)
    names = dict.fromkeys((champion.version if champion else None, challenger, version))
    versions = tuple(_version(registry, owner, registry.manifest(name)) for name in names if name)
    return _state(registry, owner, champion, challenger, versions)


def _state(
    registry: Registry,
    owner: str,
    champion: Champion | None,
    challenger: str | None,
    versions: tuple[ModelVersion, ...],
    *,
    complete: bool = False,
) -> RegistryState:
    seq, name = (champion.seq, champion.version) if champion else (0, None)
    address = registry.store.url(f"{registry.model}/versions/")
    return RegistryState(registry.model, address, seq, name, challenger, versions, complete, owner)


def _challenger(registry: Registry, champion: Champion | None, held: str | None = None) -> str | None:
    """As the alias of that name says: the winner that waits for a person, else the one held last."""
    if waiting := registry.approvals.waiting():
        return waiting.version
    return (held or registry.last_held(champion)) if champion else None


def _version(registry: Registry, owner: str, manifest: Mapping[str, Any]) -> ModelVersion:
    run, parent, data = manifest.get("run_seq"), manifest.get("parent"), manifest.get("data") or {}
    adopted = manifest.get("adopted")
    lineage = {
        "incumbent.learner": manifest.get("learner"),
        "incumbent.kind": "adopted" if adopted else manifest.get("kind"),
        "incumbent.adopted_from": adopted and f"{adopted['from']}, version {adopted['version']}",
        "incumbent.parent": parent,
        "incumbent.run": run,
        "incumbent.data_rev": data.get("rev"),
        "incumbent.data_md5": data.get("md5"),
        "incumbent.code": manifest.get("code"),
        "incumbent.created": manifest.get("created"),
    }
    return ModelVersion(
        manifest["version"],
        registry.url(manifest["version"]).rstrip("/"),
        None if run is None else run_id(registry, owner, run),
        _description(manifest),
        {name: str(value) for name, value in lineage.items() if value is not None},
    )


def _description(manifest: Mapping[str, Any]) -> str:
    if adopted := manifest.get("adopted"):
        return f"{manifest['version']}: taken over from {adopted['from']}, version {adopted['version']} there"
    parent, metrics = manifest.get("parent"), manifest.get("metrics") or {}
    words = f"update of {parent}" if parent else "full training"
    rows = manifest.get("training_rows")
    lines = [f"{manifest['version']}: {words}" + (f" on {rows:,} rows" if rows is not None else "")]
    if judged := metrics.get("holdout"):
        figures = f"{judged['value']:.4f} [{judged['low']:.4f}, {judged['high']:.4f}]"
        lines.append(f"{metrics['metric']} {figures} on judging rows")
    return "; ".join(lines)
