"""Model versions on S3: immutable, visible once their manifest exists, verified before use."""

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from incumbent.errors import BadParams, NotFound, Tampered
from incumbent.storage.documents import NAME, check_name, dump, load
from incumbent.storage.store import Store

MANIFEST = "manifest.json"
SHA256 = re.compile(r"[0-9a-f]{64}")


class ModelVersions:
    """The versions of one model."""

    def __init__(self, store: Store, model: str) -> None:
        self._store, self._model = store, model
        self._top = f"{model}/versions/"

    def publish(self, version: str, files: Mapping[str, Path], manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Upload the files, then the manifest, which makes the version visible; return the whole manifest.

        `version` and `files` (name: sha256, size) are added to it. Publishing the same again changes
        nothing, so a retried task may, also with a later `created`. Raises Tampered if the version holds
        other bytes: a version's name is used once.
        """
        for name in files:
            if check_name(name, "file name") == MANIFEST:
                raise BadParams(f"{MANIFEST} is written by the registry and cannot be one of the files")
        digests = {name: file_digest(path) for name, path in files.items()}
        listed = {name: {"sha256": sha256, "size": size} for name, (sha256, size) in digests.items()}
        full = {**manifest, "version": check_name(version, "version"), "files": listed}
        body = dump(full)
        known = self._find(version)
        if known is not None:
            return self._require_same(known, full)
        for name, path in files.items():
            self._upload(self._key(version, name), path, digests[name])
        if self._store.put_if_absent(self._key(version, MANIFEST), body):
            return load(body, self._store.url(self._key(version, MANIFEST)))
        return self._require_same(self.manifest(version), full)

    def manifest(self, version: str) -> dict[str, Any]:
        """Read a version's manifest. Raises NotFound, or Tampered if it is not what was published."""
        found = self._find(version)
        if found is None:
            raise NotFound(
                f"no version '{version}' of model '{self._model}' at "
                f"{self._store.url(self._key(version, MANIFEST))}; list them with `incumbent models list`"
            )
        return found

    def all(self) -> list[dict[str, Any]]:
        """The manifests of all complete versions, the last created first."""
        ours = re.compile(f"{re.escape(self._top)}([^/]+)/{re.escape(MANIFEST)}")
        keys = {key: match[1] for key in self._store.list(self._top) if (match := ours.fullmatch(key))}
        found = [self._checked(keys[key], item.body) for key, item in self._store.find_all(keys)]
        return sorted(found, key=lambda it: (str(it.get("created", "")), it["version"]), reverse=True)

    def verify(self, version: str) -> dict[str, Any]:
        """Read every file of a version where it is; return the manifest. Raises NotFound, Tampered."""
        manifest = self.manifest(version)
        for name, listed in manifest["files"].items():
            key = self._key(version, name)
            try:
                found = self._store.digest(key)
            except NotFound as error:
                raise self._missing(key) from error
            self._require_digest(key, listed, found)
        return manifest

    def pull(self, version: str, folder: Path) -> dict[str, Any]:
        """Bring a version's files into a folder; return the manifest. Raises NotFound, Tampered.

        A file that is there with the right digest stays. The others appear only after all of them
        were verified, so a refused version leaves nothing behind.
        """
        manifest = self.manifest(version)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=folder) as staging:
            fetched = []
            for name, listed in manifest["files"].items():
                if not _is_there(folder / name, listed):
                    self._fetch(self._key(version, name), listed, Path(staging) / name)
                    fetched.append(name)
            for name in fetched:
                os.replace(Path(staging) / name, folder / name)
        return manifest

    def _fetch(self, key: str, listed: dict[str, Any], path: Path) -> None:
        try:
            self._store.download(key, path)
        except NotFound as error:
            raise self._missing(key) from error
        self._require_digest(key, listed, file_digest(path))

    def _upload(self, key: str, path: Path, digest: tuple[str, int]) -> None:
        if not self._store.upload(key, path, digest[0]) and self._store.digest(key) != digest:
            raise Tampered(f"{self._store.url(key)} holds other bytes already; publish under another version")

    def _find(self, version: str) -> dict[str, Any] | None:
        found = self._store.find(self._key(check_name(version, "version"), MANIFEST))
        return None if found is None else self._checked(version, found.body)

    def _checked(self, version: str, body: bytes) -> dict[str, Any]:
        address = self._store.url(self._key(version, MANIFEST))
        manifest = load(body, address)
        if manifest.get("version") != version or not isinstance(manifest.get("files"), dict):
            raise Tampered(f"{address} is not the manifest of version '{version}'")
        for name, listed in manifest["files"].items():
            # Names become paths on this machine: none may lead out of its folder.
            if not NAME.fullmatch(name) or name == MANIFEST or not _is_listing(listed):
                raise Tampered(f"{address} lists a file that incumbent never would: {name!r}")
        return manifest

    def _require_same(self, known: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
        # A retried task composes its manifest anew, at a later time.
        if dump({**known, "created": None}) != dump({**ours, "created": None}):
            version = ours["version"]
            raise Tampered(
                f"version '{version}' was published with other content at "
                f"{self._store.url(self._key(version, MANIFEST))}; publish under another version"
            )
        return known

    def _require_digest(self, key: str, listed: dict[str, Any], found: tuple[str, int]) -> None:
        if found != (listed["sha256"], listed["size"]):
            raise Tampered(
                f"{self._store.url(key)} is not what was published: it has {found[1]} bytes with SHA-256 "
                f"{found[0]}, the manifest says {listed['size']} bytes with {listed['sha256']}"
            )

    def _missing(self, key: str) -> Tampered:
        return Tampered(f"{self._store.url(key)} is missing, though the manifest lists it")

    def _key(self, version: str, name: str) -> str:
        return f"{self._top}{version}/{name}"


def file_digest(path: Path) -> tuple[str, int]:
    """The SHA-256 and size of a local file."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return sha256, file.tell()


def _is_there(path: Path, listed: dict[str, Any]) -> bool:
    return path.is_file() and file_digest(path) == (listed["sha256"], listed["size"])


def _is_listing(listed: object) -> bool:
    return (
        isinstance(listed, dict)
        and isinstance(listed.get("sha256"), str)
        and SHA256.fullmatch(listed["sha256"]) is not None
        and type(listed.get("size")) is int
    )
