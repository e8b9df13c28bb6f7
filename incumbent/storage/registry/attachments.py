"""Files for other tools beside a version's own. They are no part of it: nothing of ours verifies them."""

from incumbent.errors import BadParams
from incumbent.storage.registry.registry import Registry
from incumbent.storage.s3.documents import check_name


def attach(registry: Registry, version: str, name: str, body: bytes) -> None:
    """Put the file there, unless it is there with these bytes. Raises NotFound for no such version, BadParams
    for the name of one of its own files."""
    own = registry.manifest(version)["files"]
    if check_name(name, "file name") in own or name.endswith(".json"):
        raise BadParams(f"{name} is a file of version '{version}' itself")
    key = f"{registry.model}/versions/{version}/{name}"
    present = registry.store.find(key)
    if present is None or present.body != body:
        registry.store.put(key, body)
