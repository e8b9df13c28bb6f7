"""Which project owns a model: two of one name in a registry would overwrite each other's champion.

<model>/project.json names the repository by its first commit, which all of its clones share, and the folder
in it. It is written at a project's first run, and never again.
"""

import socket
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import TypeAdapter

from incumbent.errors import BadInput
from incumbent.params import Params
from incumbent.storage.dataset.git import folder_of, git
from incumbent.storage.registry.registry import Registry
from incumbent.storage.s3.address import open_store
from incumbent.storage.s3.documents import dump, now, parse, who
from incumbent.storage.s3.store import Store

KEY = "project.json"
SHORT = 10  # characters of a commit's id in messages


@dataclass(frozen=True)
class Belonging:
    """`root`: the repository's first commit; `folder`: the project's in it, "" at its top.

    `place` is the git remote, or a host and path without one; `nonce` makes each document unique.
    """

    root: str
    folder: str
    place: str
    by: str
    at: str
    nonce: str

    @property
    def owner(self) -> str:
        """Who owns the model, in a line that no other registry has; for places that only compare it."""
        return f"{self}, {self.nonce}"

    def __str__(self) -> str:
        return (
            f"{self.place} (repository {self.root[:SHORT]}{f', folder {self.folder}' if self.folder else ''})"
        )


DOCUMENT = TypeAdapter(Belonging)


def register_project(params: Params, project: Path) -> None:
    """Note that the registry's model is this project's, unless that was noted before.

    Raises BadInput if it is another project's. A shallow clone, which lacks its first commit, notes nothing.
    """
    store = _open(params)
    noted = _noted(store)
    if noted is None and (own := _describe(project)) is not None:
        store.put_if_absent(KEY, dump(asdict(own)))
        noted = _noted(store)
    _require(store, noted, project)


def owner_of(registry: Registry) -> str:
    """As Belonging.owner; "" where no project was noted."""
    noted = _noted(registry.store, f"{registry.model}/{KEY}")
    return noted.owner if noted else ""


def require_own_model(params: Params, project: Path) -> None:
    """Raise BadInput if the registry's model is another project's. Writes nothing.

    Passes where the project can't be identified: a shallow clone, and a folder that is no repository.
    """
    store = _open(params)
    _require(store, _noted(store), project)


def _require(store: Store, noted: Belonging | None, project: Path) -> None:
    if noted is None or _is_of(project, noted):
        return
    own = _describe(project)
    if own is not None:
        raise BadInput(
            f"{store.url().rstrip('/')} belongs to the project at {noted}, and this is {own}; choose another "
            "dataset.name or registry.address in params.yaml. If it is one project whose history or folder "
            f"changed, delete {store.url(KEY)}"
        )


def _open(params: Params) -> Store:
    # Not open_registry, which loads the signing key: a machine that only ingests has none.
    return open_store(f"{params.registry.address.rstrip('/')}/{params.dataset.name}")


def _noted(store: Store, key: str = KEY) -> Belonging | None:
    stored = store.find(key)
    return parse(DOCUMENT, stored.body, store.url(key)) if stored else None


def _is_of(project: Path, noted: Belonging) -> bool:
    """Look up one commit only: walking a long history takes seconds."""
    try:
        git(project, "cat-file", "-e", f"{noted.root}^{{commit}}")
        return folder_of(project) == noted.folder
    except BadInput:
        return False


def _describe(project: Path) -> Belonging | None:
    """This project; None where git does not know the first commit."""
    try:
        if git(project, "rev-parse", "--is-shallow-repository") == "true":
            return None
        root = git(project, "rev-list", "--max-parents=0", "--first-parent", "HEAD")
        folder = folder_of(project)
    except BadInput:
        return None
    return Belonging(root, folder, _place(project), who(), now(), uuid.uuid4().hex)


def _place(project: Path) -> str:
    """The remote's address, without any password in it."""
    try:
        remote = git(project, "remote", "get-url", "origin")
    except BadInput:
        return f"{socket.gethostname()}:{project.resolve()}"
    parts = urlsplit(remote)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.netloc else remote
