"""Published versions: whole or invisible, verified before use."""

import json
from pathlib import Path

import pytest

from incumbent.errors import BadInput, BadParams, NotFound, Tampered
from incumbent.storage.registry.registry import Registry
from tests.storage.conftest import Publish

MANIFEST = "flights/versions/a/manifest.json"
MODEL = "flights/versions/a/model.txt"


def alter_manifest(registry: Registry, **changes: object) -> None:
    """Write the manifest of version a anew with other fields."""
    manifest = json.loads(registry.store.get(MANIFEST).body)
    registry.store.put(MANIFEST, json.dumps({**manifest, **changes}).encode())


def names_in(folder: Path) -> list[str]:
    """What is there, hidden files too."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_version_is_what_was_published(registry: Registry, publish: Publish, tmp_path: Path) -> None:
    published = publish("a", "tree\n")
    assert published == registry.manifest("a") == registry.pull("a", tmp_path / "new" / "pulled")
    assert published["version"] == "a"
    assert published["learner"] == "lightgbm"
    assert published["files"]["model.txt"]["size"] == 5  # type: ignore[index]
    assert (tmp_path / "new" / "pulled" / "model.txt").read_text() == "tree\n"


def test_a_version_without_manifest_is_invisible(registry: Registry) -> None:
    registry.store.put(MODEL, b"a")
    assert registry.versions() == []
    with pytest.raises(
        NotFound, match=rf"{registry.store.url(MANIFEST)}; list them with `incumbent models list`"
    ):
        registry.manifest("a")


def test_publishing_goes_on_after_a_crash(registry: Registry, publish: Publish) -> None:
    registry.store.put(MODEL, b"a")
    publish("a")
    assert registry.verify("a") == registry.manifest("a")


def test_publishing_the_same_again_changes_nothing(registry: Registry, publish: Publish) -> None:
    first = publish("a")
    before = registry.store.get(MANIFEST)
    assert publish("a") == publish("a", created="2026-11-02T00:00:00+00:00") == first
    assert registry.store.get(MANIFEST) == before


def test_a_version_is_never_overwritten(registry: Registry, publish: Publish) -> None:
    publish("a")
    with pytest.raises(Tampered, match="version 'a' was published with other content"):
        publish("a", "other bytes")
    assert registry.verify("a")


def test_half_a_version_with_other_bytes_is_not_completed(registry: Registry, publish: Publish) -> None:
    registry.store.put(MODEL, b"of an earlier try")
    with pytest.raises(Tampered, match=r"versions/a/model.txt holds other bytes already"):
        publish("a")
    assert registry.versions() == []


def test_versions_are_listed_newest_first(registry: Registry, publish: Publish) -> None:
    for version, day in (("a", 2), ("b", 3), ("c", 1)):
        publish(version, created=f"2026-11-0{day}T00:00:00+00:00")
    registry.store.put("flights/versions/half/model.txt", b"")
    registry.store.put("flights/versions/c/nested/manifest.json", b"not ours")
    assert [manifest["version"] for manifest in registry.versions()] == ["b", "a", "c"]


@pytest.mark.parametrize("version", ["", ".", "..", "../a", "a/b", "-a", "a b", "a\n", "ä", "x" * 129])
def test_a_bad_version_name_is_refused(version: str, registry: Registry, tmp_path: Path) -> None:
    for use in (
        lambda: registry.publish(version, {}, {}),
        lambda: registry.manifest(version),
        lambda: registry.pull(version, tmp_path),
        lambda: registry.promote(version, 1, None, ""),
    ):
        with pytest.raises(BadParams, match="bad version"):
            use()


@pytest.mark.parametrize("name", ["manifest.json", "../model.txt", "/etc/passwd", "a/b", ".hidden", ""])
def test_a_bad_file_name_is_not_published(name: str, registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(BadParams):
        registry.publish("a", {name: tmp_path / "x"}, {})
    assert list(registry.store.list()) == []


def test_nan_does_not_get_into_a_manifest(registry: Registry) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        registry.publish("a", {}, {"auc": float("nan")})
    assert list(registry.store.list()) == []


@pytest.mark.parametrize(
    "about",
    [
        {"created": "yesterday"},
        {"created": "2026-11-01T00:00:00"},
        {"run_seq": "7"},
        {"run_seq": 0},
        {"data": []},
    ],
    ids=str,
)
def test_a_manifest_that_could_not_be_read_again_is_not_published(
    about: dict[str, object], registry: Registry
) -> None:
    with pytest.raises(BadParams, match=f"cannot publish 'a': .*: {next(iter(about))}: "):
        registry.publish("a", {}, about)
    assert list(registry.store.list()) == []


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "model.pt", "model", "model.txt.exe"])
def test_a_file_that_may_run_code_when_opened_is_not_published(
    name: str, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(BadParams, match=f"'{name}' is no format that is safe to open: a pickle, for example"):
        registry.publish("a", {name: tmp_path / name}, {})
    assert list(registry.store.list()) == []


# --- pull


def test_pull_skips_what_is_there(registry: Registry, publish: Publish, tmp_path: Path) -> None:
    publish("a")
    target = tmp_path / "pulled"
    registry.pull("a", target)
    inode = (target / "model.txt").stat().st_ino
    registry.pull("a", target)
    assert (target / "model.txt").stat().st_ino == inode
    (target / "model.txt").write_text("b")
    registry.pull("a", target)
    assert (target / "model.txt").read_text() == "a"


def test_a_flipped_bit_is_refused_and_nothing_stays(
    registry: Registry, publish: Publish, tmp_path: Path
) -> None:
    publish("a", "0123456789")
    registry.store.put(MODEL, b"0123456788")
    for use in (lambda: registry.pull("a", tmp_path / "pulled"), lambda: registry.verify("a")):
        with pytest.raises(Tampered, match=rf"{registry.store.url(MODEL)} is not what was published"):
            use()
    assert names_in(tmp_path / "pulled") == []


def test_of_two_files_one_bad_leaves_none(registry: Registry, tmp_path: Path) -> None:
    for name in ("good.txt", "late.txt"):
        (tmp_path / name).write_text(name)
    registry.publish("a", {name: tmp_path / name for name in ("good.txt", "late.txt")}, {})
    registry.store.put("flights/versions/a/late.txt", b"LATE")
    with pytest.raises(Tampered):
        registry.pull("a", tmp_path / "pulled")
    assert names_in(tmp_path / "pulled") == []


@pytest.mark.parametrize("body", [b"", b"01234"], ids=["emptied", "truncated"])
def test_a_truncated_file_is_refused(
    body: bytes, registry: Registry, publish: Publish, tmp_path: Path
) -> None:
    publish("a", "0123456789")
    registry.store.put(MODEL, body)
    with pytest.raises(Tampered, match="the manifest says 10 bytes"):
        registry.pull("a", tmp_path)


def test_a_missing_file_is_refused(registry: Registry, publish: Publish, tmp_path: Path) -> None:
    publish("a")
    registry.store.delete(MODEL)
    for use in (lambda: registry.pull("a", tmp_path / "pulled"), lambda: registry.verify("a")):
        with pytest.raises(Tampered, match=r"model.txt is missing, though the manifest lists it"):
            use()


LISTED = {"sha256": "0" * 64, "size": 1}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"version": "b"}, id="of another version"),
        pytest.param({"files": []}, id="files is a list"),
        pytest.param({"files": None}, id="no files"),
        pytest.param({"files": {"../../evil": LISTED}}, id="parent folder"),
        pytest.param({"files": {"/etc/cron.d/evil": LISTED}}, id="absolute"),
        pytest.param({"files": {"a/b": LISTED}}, id="sub-folder"),
        pytest.param({"files": {"..": LISTED}}, id="dots"),
        pytest.param({"files": {"manifest.json": LISTED}}, id="itself"),
        pytest.param({"files": {"model.txt": "0" * 64}}, id="no listing"),
        pytest.param({"files": {"model.txt": {"sha256": "0" * 64}}}, id="no size"),
        pytest.param({"files": {"model.txt": {"sha256": "short", "size": 1}}}, id="no digest"),
        pytest.param({"files": {"model.txt": {"sha256": "0" * 64, "size": True}}}, id="size is a bool"),
    ],
)
def test_an_edited_manifest_is_refused(
    changes: dict[str, object], registry: Registry, publish: Publish, tmp_path: Path
) -> None:
    publish("a")
    alter_manifest(registry, **changes)
    for use in (
        lambda: registry.pull("a", tmp_path / "pulled"),
        lambda: registry.promote("a", 1, None, ""),
        registry.versions,
    ):
        with pytest.raises(Tampered, match=registry.store.url(MANIFEST)):
            use()
    assert names_in(tmp_path / "pulled") == []


def test_a_manifest_of_a_newer_format_asks_for_an_upgrade(
    registry: Registry, publish: Publish, tmp_path: Path
) -> None:
    publish("a")
    alter_manifest(registry, format=2)
    with pytest.raises(BadInput, match="upgrade"):
        registry.pull("a", tmp_path)


def test_a_manifest_that_is_no_json_is_refused(registry: Registry) -> None:
    registry.store.put(MANIFEST, b"{")
    with pytest.raises(Tampered, match=registry.store.url(MANIFEST)):
        registry.manifest("a")
