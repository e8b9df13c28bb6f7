"""Our registry as a mirror shows it: who is champion and challenger, and what each version is."""

import hashlib
from collections.abc import Mapping
from typing import Any

from incumbent.storage.registry.registry import Champion, Registry
from incumbent.tracking.values import ModelVersion, RegistryState


def run_id(registry: Registry, run_seq: int) -> str:
    """A run's id among those of all registries, 32 hexadecimal digits."""
    address = f"{registry.store.url(registry.model)}/runs/{run_seq}"
    return hashlib.sha256(address.encode()).hexdigest()[:32]


def whole_state(registry: Registry) -> RegistryState:
    """Champion, challenger and all versions."""
    champion = registry.champion()
    versions = tuple(_version(registry, manifest) for manifest in registry.versions())
    return _state(registry, champion, _challenger(registry, champion), versions, complete=True)


def state_after(registry: Registry, version: str | None) -> RegistryState:
    """Champion, challenger, and the version that was just made, if any."""
    champion = registry.champion()
    challenger = _challenger(registry, champion)
    names = dict.fromkeys((champion.version if champion else None, challenger, version))
    versions = tuple(_version(registry, registry.manifest(name)) for name in names if name)
    return _state(registry, champion, challenger, versions)


def _state(
    registry: Registry,
    champion: Champion | None,
    challenger: str | None,
    versions: tuple[ModelVersion, ...],
    *,
    complete: bool = False,
) -> RegistryState:
    seq, name = (champion.seq, champion.version) if champion else (0, None)
    address = registry.store.url(f"{registry.model}/versions/")
    return RegistryState(registry.model, address, seq, name, challenger, versions, complete)


def _challenger(registry: Registry, champion: Champion | None) -> str | None:
    """As the alias of that name says: the winner that waits for a person, else the one held last."""
    if waiting := registry.approvals.waiting():
        return waiting.version
    return registry.last_held(champion) if champion else None


def _version(registry: Registry, manifest: Mapping[str, Any]) -> ModelVersion:
    run, parent, data = manifest.get("run_seq"), manifest.get("parent"), manifest.get("data") or {}
    lineage = {
        "incumbent.learner": manifest.get("learner"),
        "incumbent.kind": manifest.get("kind"),
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
        None if run is None else run_id(registry, run),
        _description(manifest),
        {name: str(value) for name, value in lineage.items() if value is not None},
    )


def _description(manifest: Mapping[str, Any]) -> str:
    parent, metrics = manifest.get("parent"), manifest.get("metrics") or {}
    words = f"update of {parent}" if parent else "full training"
    rows = manifest.get("training_rows")
    lines = [f"{manifest['version']}: {words}" + (f" on {rows:,} rows" if rows is not None else "")]
    if judged := metrics.get("holdout"):
        figures = f"{judged['value']:.4f} [{judged['low']:.4f}, {judged['high']:.4f}]"
        lines.append(f"{metrics['metric']} {figures} on judging rows")
    return "; ".join(lines)
