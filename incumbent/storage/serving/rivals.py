"""What a challenger has to beat: the champion, or former champions when the champion is broken."""

from collections.abc import Iterator
from pathlib import Path

from incumbent.challenger.contest import Rival
from incumbent.evaluation.judge import Learned
from incumbent.models.model import Model
from incumbent.storage.registry.champion import Champion
from incumbent.storage.registry.registry import Registry
from incumbent.storage.serving.model_cache import load_model


def rivals_of(project: Path, registry: Registry, champion: Champion | None) -> Iterator[Rival]:
    """The champion, then former champions that are not blocked, the latest first; loaded lazily."""
    if champion is None:
        return
    yield _rival(project, registry, champion.version)
    former = [entry.version for entry in reversed(registry.history())]
    excluded = {champion.version, *champion.blocked}
    yield from (_rival(project, registry, name) for name in dict.fromkeys(former) if name not in excluded)


def _rival(project: Path, registry: Registry, version: str) -> Rival:
    def load() -> tuple[Model, Learned]:
        model = load_model(project, registry, version)
        return model, Learned.from_manifest(registry.manifest(version))

    return Rival(version, load)
