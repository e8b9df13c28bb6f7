"""Is the champion as it was written? Its entry, the copy of that in the log, and its signed manifest."""

from typing import Any

from incumbent.errors import Tampered
from incumbent.storage.registry.champion import Champion
from incumbent.storage.registry.registry import Registry


def require_standing(registry: Registry, champion: Champion | None) -> dict[str, Any]:
    """The champion's manifest, which is empty without a champion. Two requests; reads no model.

    Raises Tampered where the log or the manifest says something else, NotFound where the manifest is gone.
    """
    store, log = registry.store, f"{registry.model}/log/"
    if champion is None:
        if store.exists(f"{log}{1:012d}.json") and registry.champion() is None:
            raise Tampered(
                f"{store.url(log)} has entries, and champion.json beside it is gone; 'incumbent models "
                "verify' says how to repair it"
            )
        return {}
    logged = store.find(f"{log}{champion.seq:012d}.json")
    # A copy that is missing is written by the next promotion.
    if logged is not None and logged.body != champion.body():
        raise Tampered(
            f"entry {champion.seq} of {store.url(log)} differs from champion.json, whose copy it should be; "
            "see 'incumbent models verify'"
        )
    return registry.manifest(champion.version)
