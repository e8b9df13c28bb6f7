"""Model versions on S3: immutable, visible once their manifest exists, verified before use."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, Field, TypeAdapter

from incumbent.errors import BadParams, NotFound, Tampered
from incumbent.storage.registry.signing import FIELD, Signatures
from incumbent.storage.registry.tombstones import TOMBSTONE, Tombstones
from incumbent.storage.s3.documents import NAME, check_name, dump, load, parse
from incumbent.storage.s3.store import Store

MANIFEST = "manifest.json"
SHA256 = re.compile(r"[0-9a-f]{64}")

# A pickle can run any code when it is opened; these formats hold only text, tensors, tables and pages.
SAFE = (".txt", ".json", ".safetensors", ".onnx", ".parquet", ".html")


@dataclass(frozen=True)
class _Shape:
    """The fields of a manifest that the registry relies on; the others are the learner's."""

    version: str
    files: dict[str, dict[str, str | int]]
    created: AwareDatetime | None = None
    parent: str | None = None
    run_seq: Annotated[int, Field(ge=1)] | None = None
    data: dict[str, Any] | None = None


_SHAPE = TypeAdapter(_Shape)


@dataclass(frozen=True)
class Stored:
    """The objects below a version's prefix: their names, and when S3 wrote them by its own clock."""

    written: Mapping[str, datetime]

    @property
    def files(self) -> tuple[str, ...]:
        """All but the tombstone."""
        return tuple(name for name in self.written if name != TOMBSTONE)

    @property
    def newest(self) -> datetime:
        """When the last of the files was written."""
        return max(self.written[name] for name in self.files)

    @property
    def complete(self) -> bool:
        return MANIFEST in self.written

    @property
    def has_tombstone(self) -> bool:
        """The tombstone may be withdrawn; see tombstones."""
        return TOMBSTONE in self.written


class ModelVersions:
    """The versions of one model."""

    def __init__(self, store: Store, model: str, signatures: Signatures) -> None:
        self._store, self._model, self._signatures = store, model, signatures
        self._top, self._tombstones = f"{model}/versions/", Tombstones(store, model)

    def publish(self, version: str, files: Mapping[str, Path], manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Upload the files, then the manifest, which makes the version visible; return the whole manifest.

        `version` and `files` (name: sha256, size) are added to it. Publishing the same again changes
        nothing, so a task may be retried, even with a later `created`. Raises BadParams for a manifest that
        could not be read again, Tampered if the version holds other bytes, NotFound if it was deleted: a
        version's name is never reused.
        """
        for name in files:
            if check_name(name, "file name") in (MANIFEST, TOMBSTONE):
                raise BadParams(f"{name} is written by the registry and cannot be one of the files")
            if not name.endswith(SAFE):
                raise BadParams(
                    f"'{name}' is no format that is safe to open: a pickle, for example, can run any code; "
                    f"a version holds only {', '.join(SAFE)}"
                )
        self._signatures.require_signing()
        digests = {name: file_digest(path) for name, path in files.items()}
        listed = {name: {"sha256": sha256, "size": size} for name, (sha256, size) in digests.items()}
        full = {**manifest, "version": check_name(version, "version"), "files": listed}
        body = dump(self._signatures.signed(full))
        try:
            parse(_SHAPE, body, f"the manifest of '{version}'")
        except Tampered as error:  # no reader would accept it
            raise BadParams(f"cannot publish '{version}': {error}") from error
        known = self._find(version)
        if known is not None:
            return self._require_same(known, full)
        self._tombstones.require_none(version)
        for name, path in files.items():
            self._upload(self._key(version, name), path, digests[name])
        if self._store.put_if_absent(self._key(version, MANIFEST), body):
            return load(body, self._store.url(self._key(version, MANIFEST)))
        return self._require_same(self.manifest(version), full)

    def manifest(self, version: str) -> dict[str, Any]:
        """Read a version's manifest. Raises NotFound, or Tampered if it is not what was published."""
        manifest = self._find(version)
        if manifest is None:
            raise self._absent(version)
        return manifest

    def stored(self, version: str | None = None) -> dict[str, Stored]:
        """The objects of each version, or of one, complete or not. One request per 1000 keys."""
        top = self._top if version is None else f"{self._top}{check_name(version, 'version')}/"
        written: dict[str, dict[str, datetime]] = {}
        for each in self._store.listing(top):
            name, _, file = each.key.removeprefix(self._top).partition("/")
            written.setdefault(name, {})[file] = each.written
        return {name: Stored(files) for name, files in written.items()}

    def require_promotable(self, version: str) -> None:
        """Raise NotFound or Tampered unless complete, signed and not marked for deletion. Two requests."""
        stored = self.stored(version).get(version)
        if stored is not None and stored.has_tombstone:
            self._tombstones.require_none(version)
        if stored is None or not stored.complete:
            raise self._absent(version)
        self.manifest(version)

    def url(self, version: str) -> str:
        """Where a version is, for messages."""
        return self._store.url(self._key(version, ""))

    def is_deleted(self, version: str) -> bool:
        """Did a gc decide to delete it? Its files may still be there."""
        tombstone = self._tombstones.find(version)
        return tombstone is not None and tombstone.state == "deleted"

    def delete(self, version: str, names: Sequence[str]) -> None:
        """Remove these files, the manifest first: half a version must not look like a whole one.

        The tombstone stays for good: somebody may still have the bytes, so the name is never reused.
        """
        for name in sorted(names, key=lambda name: name != MANIFEST):
            self._store.delete(self._key(version, name))

    def all(self) -> list[dict[str, Any]]:
        """The manifests of all complete versions, the last created first."""
        ours = re.compile(f"{re.escape(self._top)}([^/]+)/{re.escape(MANIFEST)}")
        keys = {key: match[1] for key in self._store.list(self._top) if (match := ours.fullmatch(key))}
        manifests = [self.checked(keys[key], item.body) for key, item in self._store.find_all(keys)]
        return sorted(manifests, key=lambda it: (str(it.get("created", "")), it["version"]), reverse=True)

    def since(self, run_seq: int) -> Iterator[dict[str, Any]]:
        """The manifests of versions made by later runs than this one, the newest first, read one by one."""
        ours = re.compile(f"{re.escape(self._top)}(v([0-9]+))/{re.escape(MANIFEST)}")
        matches = [match for key in self._store.list(self._top) if (match := ours.fullmatch(key))]
        newest = sorted(((int(match[2]), match[1]) for match in matches), reverse=True)
        yield from (self.manifest(version) for number, version in newest if number > run_seq)

    def verify(self, version: str) -> dict[str, Any]:
        """Read every file of a version where it is; return the manifest. Raises NotFound, Tampered."""
        manifest = self.manifest(version)
        for problem in self.problems(manifest):
            raise problem
        return manifest

    def problems(self, manifest: Mapping[str, Any]) -> Iterator[Tampered]:
        """What is wrong with the files that a manifest lists; reads all of them where they are."""
        for name, listed in manifest["files"].items():
            key = self._key(manifest["version"], name)
            try:
                self._require_digest(key, listed, self._store.digest(key))
            except NotFound:
                yield self._missing(key)
            except Tampered as error:
                yield error

    def pull(self, version: str, folder: Path) -> dict[str, Any]:
        """Download a version's files into a folder; return the manifest. Raises NotFound, Tampered.

        A file already there with the right digest stays. The others appear only after all of them
        were verified, so a refused version leaves nothing behind.
        """
        manifest = self.manifest(version)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=folder) as staging:
            fetched = []
            for name, listed in manifest["files"].items():
                if not is_there(folder / name, listed):
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
        stored = self._store.find(self._key(check_name(version, "version"), MANIFEST))
        return None if stored is None else self.checked(version, stored.body)

    def checked(self, version: str, body: bytes) -> dict[str, Any]:
        """The manifest in `body`, if it is this version's, and signed where params.yaml requires it."""
        address = self._store.url(self._key(version, MANIFEST))
        manifest = load(body, address)
        if parse(_SHAPE, body, address).version != version:
            raise Tampered(f"{address} is not the manifest of version '{version}'")
        self._signatures.check(manifest, address)
        for name, listed in manifest["files"].items():
            # Names become paths on this machine, so none may lead out of the folder;
            # and opening a file must not run code.
            safe = NAME.fullmatch(name) and name not in (MANIFEST, TOMBSTONE) and name.endswith(SAFE)
            if not safe or not _is_listing(listed):
                raise Tampered(f"{address} lists a file that incumbent never would: {name!r}")
        return manifest

    def _require_same(self, known: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
        # A retried task composes its manifest anew, at a later time.
        later = {"created": None, FIELD: None}
        if dump({**known, **later}) != dump({**ours, **later}):
            version = ours["version"]
            raise Tampered(
                f"version '{version}' was published with other content at "
                f"{self._store.url(self._key(version, MANIFEST))}; publish under another version"
            )
        return known

    def _require_digest(self, key: str, listed: dict[str, Any], actual: tuple[str, int]) -> None:
        if actual != (listed["sha256"], listed["size"]):
            raise Tampered(
                f"{self._store.url(key)} is not what was published: it has {actual[1]} bytes with SHA-256 "
                f"{actual[0]}, the manifest says {listed['size']} bytes with {listed['sha256']}"
            )

    def _absent(self, version: str) -> NotFound:
        return NotFound(
            f"no version '{version}' of model '{self._model}' at "
            f"{self._store.url(self._key(version, MANIFEST))}; list them with `incumbent models list`"
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


def is_there(path: Path, listed: dict[str, Any]) -> bool:
    """Does the file have the size and SHA-256 that a manifest lists?"""
    return path.is_file() and file_digest(path) == (listed["sha256"], listed["size"])


def _is_listing(listed: object) -> bool:
    return (
        isinstance(listed, dict)
        and isinstance(listed.get("sha256"), str)
        and SHA256.fullmatch(listed["sha256"]) is not None
        and type(listed.get("size")) is int
    )
