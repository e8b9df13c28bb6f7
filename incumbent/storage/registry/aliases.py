"""Names that move from version to version: champion, challenger, previous."""

from typing import Literal

from incumbent.errors import NotFound
from incumbent.storage.registry.registry import Registry
from incumbent.storage.registry.verdicts import no_champion

Alias = Literal["champion", "challenger", "previous"]


def version_of(registry: Registry, alias: Alias) -> str:
    """The version that bears the alias now.

    challenger: the winner that waits for a person, else the shadow, which was held last. previous: who would
    be champion without the champion's promotion. Raises NotFound where there is none.
    """
    waiting, champion = registry.approvals.waiting(), registry.champion()
    if alias == "challenger" and waiting:
        return waiting.version
    if champion is None:
        raise no_champion(registry)
    if alias == "champion":
        return champion.version
    if alias == "challenger":
        version, why = registry.last_held(champion), "held no challenger since it became champion"
    else:
        version, why = registry.predecessor(champion), "has no unblocked predecessor"
    if version is None:
        raise NotFound(
            f"model '{registry.model}' has no '{alias}': its champion '{champion.version}' {why}; list "
            "versions with 'incumbent models list'"
        )
    return version
