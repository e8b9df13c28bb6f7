"""The registry of the project that a command is about."""

from pathlib import Path

from incumbent.cli.options import enter
from incumbent.params import load_params
from incumbent.storage.registry.identity import require_own_model
from incumbent.storage.registry.registry import Registry, open_registry
from incumbent.storage.registry.verdicts import no_champion

CHAMPION = "champion"


def registry_of(project: Path) -> Registry:
    """Raises BadInput where it is another project's."""
    project = enter(project)
    params = load_params(project)
    require_own_model(params, project)
    return open_registry(params, project)


def require_registry(project: Path) -> None:
    """Raise StorageUnavailable or NotFound at once; in a flow an outage is retried for more than a minute."""
    registry_of(project).champion()


def version_named(registry: Registry, version: str) -> str:
    """The version itself, or the current champion's for 'champion'. Raises NotFound."""
    if version != CHAMPION:
        return version
    champion = registry.champion()
    if champion is None:
        raise no_champion(registry)
    return champion.version
