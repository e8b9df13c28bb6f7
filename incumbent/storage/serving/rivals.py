"""What a challenger has to beat: the champion, or former champions when the champion is broken."""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path

from incumbent.challenger import OUT_OF_SAMPLE
from incumbent.challenger.contest import OfficeGain, Rival
from incumbent.errors import NotFound, Tampered
from incumbent.evaluation.judging_rows import Learned
from incumbent.features.out_of_sample import OutOfSample
from incumbent.models.model import Model
from incumbent.storage.dataset.versions import fetch
from incumbent.storage.registry.champion import Champion
from incumbent.storage.registry.registry import Registry
from incumbent.storage.serving.model_cache import load_model, pull_cached
from incumbent.tables.partitions import DataVersion


def rivals_of(project: Path, registry: Registry, champion: Champion | None) -> Iterator[Rival]:
    """The champion, then former champions that are not blocked, the latest first; loaded lazily."""
    if champion is None:
        return
    first = _rival(project, registry, champion.version)
    yield replace(first, provisional=champion.provisional, office=partial(_office, registry, champion))
    former = [entry.version for entry in reversed(registry.history())]
    excluded = {champion.version, *champion.blocked}
    yield from (_rival(project, registry, name) for name in dict.fromkeys(former) if name not in excluded)


def _office(registry: Registry, champion: Champion) -> list[OfficeGain]:
    """What the challengers of this time in office gained over the champion, in the order of their runs."""
    contests = (json.loads(body) for body in registry.records("comparison.json", since=champion.run_seq))
    gains = (each["office"] for each in contests if each["txid"] == champion.txid and each.get("office"))
    return [OfficeGain.from_json(each) for each in gains]


def predicted_by(project: Path, registry: Registry, version: str) -> OutOfSample:
    """What a version, its parent, and so on back to the full training predicted out of sample."""
    folders = (pull_cached(project, registry, each["version"])[0] for each in registry.lineage(version))
    return reduce(OutOfSample.and_of, (OutOfSample.load(folder / OUT_OF_SAMPLE) for folder in folders))


def _rival(project: Path, registry: Registry, version: str) -> Rival:
    def load() -> tuple[Model, Learned]:
        model = load_model(project, registry, version)
        folder, manifest = pull_cached(project, registry, version)
        data = DataVersion.from_json(manifest["data"])

        def earlier(name: str) -> Path | None:
            try:
                return fetch(project, data, [name])[0]
            except (NotFound, Tampered):
                return None

        return model, Learned.from_manifest(manifest, OutOfSample.load(folder / OUT_OF_SAMPLE), earlier)

    return Rival(version, load)
