"""MLflow's model registry as a mirror of ours, which stays the truth."""

from collections.abc import Callable
from functools import partial
from typing import Any

from incumbent.tracking.mlflow_api import MLflowApi, Taken, tag_list, tags_of
from incumbent.tracking.mlflow_owner import OWNER, claim
from incumbent.tracking.values import ModelVersion, RegistryState

VERSION, ENTRY = "incumbent.version", "incumbent.entry"
ALIASES = ("champion", "challenger")

RunOf = Callable[[str], str | None]
"""Our run's id -> the server's id of that run, None where it was not logged."""


def mirror(api: MLflowApi, registry: RegistryState, run_of: RunOf) -> list[str]:
    """Make versions, tags and aliases as ours are; returns a sentence for each change.

    Versions of the model that are not ours stay. The aliases stay, too, where a later entry of our log was
    mirrored already: what waited in an outbox may be old. Raises Refused for a model that is another
    project's.
    """
    model = _model(api, registry.model)
    set_tag = "registered-models/set-tag"
    claim(api, f"model '{registry.model}'", model, registry.owner, set_tag, name=registry.model)
    changes, known = [], _known(api, registry)
    for version in registry.versions:
        mirrored = known.get(version.version)
        if mirrored is None:
            known[version.version] = _create(api, registry, version, run_of)
            changes.append(f"'{version.version}' was not there")
        else:
            changes += _repair(api, registry, version, mirrored)
    if registry.complete:
        for name in sorted(known.keys() - {each.version for each in registry.versions}):
            mirrored = known.pop(name)
            if OWNER not in tags_of(mirrored):  # of an earlier release, so perhaps another project's
                continue
            _delete(api, registry.model, mirrored)
            changes.append(f"'{name}' is not in the registry any more; deleted")
    return changes + _aliases(api, registry, model, known)


def _model(api: MLflowApi, name: str) -> dict[str, Any]:
    try:
        return dict(api.post("registered-models/create", name=name)["registered_model"])
    except Taken:
        return dict(api.get("registered-models/get", name=name)["registered_model"])


def _known(api: MLflowApi, registry: RegistryState) -> dict[str, dict[str, Any]]:
    """Our version's name -> MLflow's version of that source that we made; the first of several, others go.

    What somebody else made stays as it is, also where it leads to our files.
    """
    known: dict[str, dict[str, Any]] = {}
    pages = api.pages("GET", "model-versions/search", "model_versions", filter=f"name='{registry.model}'")
    for each in sorted(filter(partial(_is_ours, registry), pages), key=lambda each: int(each["version"])):
        name = each["source"].removeprefix(registry.address)
        if name not in known:
            known[name] = each
        elif OWNER in tags_of(each):
            _delete(api, registry.model, each)
    return known


def _is_ours(registry: RegistryState, mirrored: dict[str, Any]) -> bool:
    """By its source, and its tags: those of earlier releases name no owner."""
    tags = tags_of(mirrored)
    made_here = tags[OWNER] == registry.owner if OWNER in tags else VERSION in tags
    return made_here and bool(mirrored["source"].startswith(registry.address))


def _wanted_tags(registry: RegistryState, version: ModelVersion) -> list[dict[str, str]]:
    owner = {OWNER: registry.owner} if registry.owner else {}
    return tag_list({**version.tags, VERSION: version.version, **owner})


def _create(api: MLflowApi, registry: RegistryState, version: ModelVersion, run_of: RunOf) -> dict[str, Any]:
    run = run_of(version.run) if version.run else None
    answer = api.post(
        "model-versions/create",
        name=registry.model,
        source=version.source,
        description=version.description,
        tags=_wanted_tags(registry, version),
        **({"run_id": run} if run else {}),
    )
    return dict(answer["model_version"])


def _repair(
    api: MLflowApi, registry: RegistryState, version: ModelVersion, mirrored: dict[str, Any]
) -> list[str]:
    model = registry.model
    wanted = {each["key"]: each["value"] for each in _wanted_tags(registry, version)}
    now, number = tags_of(mirrored), mirrored["version"]
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
    if int(tags_of(model).get(ENTRY, 0)) > registry.seq:
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
    if tags_of(model).get(ENTRY) != str(registry.seq):
        api.post("registered-models/set-tag", name=registry.model, key=ENTRY, value=str(registry.seq))
    return changes


def _delete(api: MLflowApi, model: str, mirrored: dict[str, Any]) -> None:
    api.delete("model-versions/delete", name=model, version=mirrored["version"])
