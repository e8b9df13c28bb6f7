"""MLflow's model registry as a mirror of ours, which stays the truth."""

from collections.abc import Callable
from typing import Any

from incumbent.tracking.mlflow_api import MLflowApi, Taken, tag_list
from incumbent.tracking.values import ModelVersion, RegistryState

VERSION, ENTRY = "incumbent.version", "incumbent.entry"
ALIASES = ("champion", "challenger")

RunOf = Callable[[str, str], str | None]
"""(model, our run's id) -> the server's id of that run, None where it was not logged."""


def mirror(api: MLflowApi, registry: RegistryState, run_of: RunOf) -> list[str]:
    """Make versions, tags and aliases as ours are; returns a sentence for each change.

    Versions of the model that are not ours stay. The aliases stay, too, where a later entry of our log was
    mirrored already: what waited in an outbox may be old.
    """
    model = _model(api, registry.model)
    changes, known = [], _known(api, registry)
    for version in registry.versions:
        mirrored = known.get(version.version)
        if mirrored is None:
            known[version.version] = _create(api, registry.model, version, run_of)
            changes.append(f"'{version.version}' was not there")
        else:
            changes += _repair(api, registry.model, version, mirrored)
    if registry.complete:
        for name in sorted(known.keys() - {each.version for each in registry.versions}):
            _delete(api, registry.model, known.pop(name))
            changes.append(f"'{name}' is not in the registry any more; deleted")
    return changes + _aliases(api, registry, model, known)


def _model(api: MLflowApi, name: str) -> dict[str, Any]:
    try:
        return dict(api.post("registered-models/create", name=name)["registered_model"])
    except Taken:
        return dict(api.get("registered-models/get", name=name)["registered_model"])


def _known(api: MLflowApi, registry: RegistryState) -> dict[str, dict[str, Any]]:
    """Our version's name -> MLflow's version of that source; the first of several, others go.

    Another registry may have a model of the same name: what leads there stays as it is.
    """
    known: dict[str, dict[str, Any]] = {}
    pages = api.pages("GET", "model-versions/search", "model_versions", filter=f"name='{registry.model}'")
    for each in sorted(pages, key=lambda each: int(each["version"])):
        name = each["source"].removeprefix(registry.address)
        if name in known:
            _delete(api, registry.model, each)
        elif name != each["source"]:
            known[name] = each
    return known


def _create(api: MLflowApi, model: str, version: ModelVersion, run_of: RunOf) -> dict[str, Any]:
    run = run_of(model, version.run) if version.run else None
    answer = api.post(
        "model-versions/create",
        name=model,
        source=version.source,
        description=version.description,
        tags=tag_list({**version.tags, VERSION: version.version}),
        **({"run_id": run} if run else {}),
    )
    return dict(answer["model_version"])


def _repair(api: MLflowApi, model: str, version: ModelVersion, mirrored: dict[str, Any]) -> list[str]:
    wanted = {each["key"]: each["value"] for each in tag_list(version.tags)}
    now, number = _tags(mirrored), mirrored["version"]
    changed = [key for key, value in wanted.items() if now.get(key) != value]
    for key in changed:
        api.post("model-versions/set-tag", name=model, version=number, key=key, value=wanted[key])
    repaired = [f"'{version.version}' had other tags: {', '.join(changed)}"] if changed else []
    if mirrored.get("description", "") != version.description:
        api.patch("model-versions/update", name=model, version=number, description=version.description)
        repaired.append(f"'{version.version}' had another description")
    return repaired


def _aliases(
    api: MLflowApi, registry: RegistryState, model: dict[str, Any], known: dict[str, dict[str, Any]]
) -> list[str]:
    if int(_tags(model).get(ENTRY, 0)) > registry.seq:
        return []
    now = {each["alias"]: str(each["version"]) for each in model.get("aliases", ())}
    changes = []
    for alias, version in zip(ALIASES, (registry.champion, registry.challenger), strict=True):
        wanted = str(known[version]["version"]) if version in known else None
        if now.get(alias) == wanted:
            continue
        if wanted is None:
            api.delete("registered-models/alias", name=registry.model, alias=alias)
        else:
            api.post("registered-models/alias", name=registry.model, alias=alias, version=wanted)
        changes.append(f"'{alias}' is {version or 'nobody'} now")
    if _tags(model).get(ENTRY) != str(registry.seq):
        api.post("registered-models/set-tag", name=registry.model, key=ENTRY, value=str(registry.seq))
    return changes


def _delete(api: MLflowApi, model: str, mirrored: dict[str, Any]) -> None:
    api.delete("model-versions/delete", name=model, version=mirrored["version"])


def _tags(thing: dict[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in thing.get("tags", ())}
