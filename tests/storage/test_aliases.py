"""Which version an alias names: the champion, the challenger held last, the one before."""

import json

import pytest

from incumbent.errors import NotFound
from incumbent.storage.registry.aliases import Alias, version_of
from incumbent.storage.registry.registry import Registry
from tests.storage.conftest import Publish


def decided(registry: Registry, publish: Publish, kind: str) -> str:
    """A run whose challenger was decided on; returns the version."""
    run = registry.start_run({})
    publish(f"v{run}", run_seq=run, created=f"2026-11-01T00:00:{run:02d}+00:00")
    if kind == "promote":
        registry.promote(f"v{run}", run, registry.champion(), "better")
    registry.record(run, "decision.json", json.dumps({"decision": {"kind": kind}}).encode())
    return f"v{run}"


@pytest.mark.parametrize(
    ("decisions", "alias", "version"),
    [
        pytest.param(["promote"], "champion", "v1", id="champion"),
        pytest.param(["promote", "promote"], "previous", "v1", id="previous"),
        pytest.param(["promote", "hold", "hold", "reject"], "challenger", "v3", id="the last held"),
        pytest.param(["promote", "hold", "promote", "hold"], "challenger", "v4", id="under this champion"),
    ],
)
def test_an_alias_names_a_version(
    decisions: list[str], alias: Alias, version: str, registry: Registry, publish: Publish
) -> None:
    for kind in decisions:
        decided(registry, publish, kind)
    assert version_of(registry, alias) == version


@pytest.mark.parametrize(
    ("decisions", "alias", "why"),
    [
        pytest.param([], "champion", "model 'flights' has no champion yet", id="nothing yet"),
        pytest.param([], "challenger", "model 'flights' has no champion yet", id="no champion to challenge"),
        pytest.param(["promote", "reject"], "challenger", "'v1' held no challenger since", id="rejected"),
        pytest.param(
            ["promote", "hold", "promote"], "challenger", "'v3' held no challenger", id="an older one"
        ),
        pytest.param(["promote", "hold"], "previous", "'v1' has no unblocked predecessor", id="the first"),
    ],
)
def test_an_alias_that_none_bears_is_told(
    decisions: list[str], alias: Alias, why: str, registry: Registry, publish: Publish
) -> None:
    for kind in decisions:
        decided(registry, publish, kind)
    with pytest.raises(NotFound, match=why):
        version_of(registry, alias)


def test_a_shadow_that_took_office_and_was_rolled_back_is_no_challenger(
    registry: Registry, publish: Publish
) -> None:
    first, shadow = decided(registry, publish, "promote"), decided(registry, publish, "hold")
    registry.promote(shadow, 2, registry.champion(), "in hindsight")
    assert version_of(registry, "previous") == first
    registry.rollback(None, "a person knows better")
    assert version_of(registry, "champion") == first
    with pytest.raises(NotFound, match="held no challenger"):
        version_of(registry, "challenger")
