"""Rebuild a version from its manifest: its code from git, its data from DVC, then compare every byte."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from incumbent.errors import BadInput, IncumbentError
from incumbent.models.environment import describe_environment
from incumbent.rebuild import MANIFEST, Order, needed
from incumbent.storage.dataset.git import commit_of, folder_of, git
from incumbent.storage.dataset.versions import fetch
from incumbent.storage.registry.model_versions import file_digest
from incumbent.storage.registry.registry import Registry
from incumbent.storage.serving.model_cache import pull_cached
from incumbent.tables.partitions import DataVersion


@dataclass(frozen=True)
class Reproduction:
    """`files`: name -> (published, rebuilt) sha256; `environment`: what differs, name -> (then, now)."""

    version: str
    code: str
    files: dict[str, tuple[str, str]]
    environment: dict[str, tuple[str, str]]

    @property
    def same(self) -> bool:
        return all(published == rebuilt for published, rebuilt in self.files.values())

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "same": self.same}


def reproduce(project: Path, registry: Registry, version: str) -> Reproduction:
    """Check out the version's code beside the project, train again, compare digests.

    The project's work tree, branch and registry stay as they are. Raises BadInput when the version was
    taken over or its code was not committed, NotFound when code, data or parent are gone, IncumbentError
    when training fails.
    """
    manifest = registry.manifest(version)
    if adopted := manifest.get("adopted"):
        raise BadInput(
            f"version '{version}' was taken over from {adopted['from']}, version {adopted['version']} there; "
            "what it was trained on is not known here, so it can't be trained again"
        )
    code = _committed(project, version, manifest["code"])
    parent = pull_cached(project, registry, manifest["parent"]) if manifest["parent"] else None
    names = needed(manifest, parent[1] if parent else None)
    data = DataVersion.from_json(manifest["data"])
    files = dict(zip(names, fetch(project, data, names), strict=True))
    with tempfile.TemporaryDirectory(prefix="incumbent-reproduce-") as scratch:
        out = Path(scratch) / "out"
        out.mkdir()
        order = Order(manifest, files, _parent_folder(parent, Path(scratch)), out)
        order.write(Path(scratch) / "order.json")
        with _checked_out(project, code, Path(scratch) / "code") as tree:
            made = _run(tree, Path(scratch) / "order.json", version)
        digests = {name: (_listed(manifest, name), file_digest(out / name)[0]) for name in made}
    return Reproduction(version, code, digests, _changes(manifest["environment"]))


def _committed(project: Path, version: str, code: str) -> str:
    revision, _, changes = code.partition("+")
    if changes:
        raise BadInput(
            f"version '{version}' was made from files that differed from commit {revision[:10]}; "
            "commit before training to make versions that can be reproduced"
        )
    return commit_of(project, revision)


def _parent_folder(parent: tuple[Path, dict[str, Any]] | None, scratch: Path) -> Path | None:
    """The parent's verified files with its manifest beside them."""
    if parent is None:
        return None
    source, manifest = parent
    folder = scratch / "parent"
    folder.mkdir()
    for name in manifest["files"]:
        (folder / name).symlink_to(source.resolve() / name)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


@contextmanager
def _checked_out(project: Path, commit: str, folder: Path) -> Iterator[Path]:
    """The project's folder as it was at the commit."""
    git(project, "worktree", "add", "--quiet", "--detach", str(folder), commit)
    try:
        yield folder / folder_of(project)
    finally:
        git(project, "worktree", "remove", "--force", str(folder))


def _run(tree: Path, order: Path, version: str) -> list[str]:
    """Train in a process of its own; names of the files made. The project's own `incumbent` goes first."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run(
        [sys.executable, "-m", "incumbent.rebuild", str(order)],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise IncumbentError(f"version '{version}' could not be trained again: {reason}")
    return list(json.loads(done.stdout.splitlines()[-1])["files"])


def _listed(manifest: Mapping[str, Any], name: str) -> str:
    return str(manifest["files"].get(name, {}).get("sha256", "not published"))


def _changes(then: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    before, now = _flat(then), _flat(describe_environment())
    return {
        name: (before.get(name, "absent"), now.get(name, "absent"))
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    }


def _flat(environment: Mapping[str, Any]) -> dict[str, str]:
    packages = environment.get("packages", {})
    return {**{k: str(v) for k, v in environment.items() if k != "packages"}, **packages}
