"""With keys, only what their owner signed is used; and a key is never told."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from incumbent.errors import BadParams, Tampered, Untrusted
from incumbent.params import RegistryParams
from incumbent.storage.registry.registry import Registry
from incumbent.storage.registry.signing import Signatures
from incumbent.storage.s3.store import Store
from incumbent.storage.serving.model_cache import pull_cached

MANIFEST = "flights/versions/b/manifest.json"


def private_pem(key: object, secret: bytes | None = None) -> bytes:
    """As openssl writes it."""
    how = BestAvailableEncryption(secret) if secret else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)  # type: ignore[attr-defined]


def public_pem(key: object) -> bytes:
    """Its other half."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]


def keys(folder: Path, signing: bytes | None = None, public: bytes | None = None) -> Signatures:
    """What a project with these files works with."""
    for name, pem in (("signing.pem", signing), ("signing.pub.pem", public)):
        if pem is not None:
            (folder / name).write_bytes(pem)
    params = RegistryParams(
        address="s3://bucket/registry",
        signing_key="signing.pem" if signing is not None else None,
        public_key="signing.pub.pem" if public is not None else None,
    )
    return Signatures.of(params, folder)


@pytest.fixture(scope="module")
def key() -> Ed25519PrivateKey:
    """The trainer's."""
    return Ed25519PrivateKey.generate()


@pytest.fixture
def signed(store: Store, tmp_path: Path, key: Ed25519PrivateKey) -> Registry:
    """A registry with both keys; a in office, b published."""
    registry = Registry(store, "flights", keys(tmp_path, private_pem(key), public_pem(key)))
    (tmp_path / "model.txt").write_text("tree")
    for version in "ab":
        registry.publish(version, {"model.txt": tmp_path / "model.txt"}, {"learner": "lightgbm"})
    registry.promote("a", registry.start_run({}), None, "")
    return registry


def uses(registry: Registry, folder: Path) -> list[Callable[[], object]]:
    """Every way to use version b."""
    return [
        lambda: registry.manifest("b"),
        lambda: registry.pull("b", folder / "pulled"),
        lambda: registry.verify("b"),
        lambda: registry.promote("b", registry.start_run({}), registry.champion(), ""),
        lambda: registry.force("b", "by hand"),
        lambda: pull_cached(folder, registry, "b"),
    ]


def test_what_its_owner_signed_is_used_with_the_public_key_alone(
    signed: Registry, store: Store, tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    reader = Registry(store, "flights", keys(tmp_path, public=public_pem(key)))
    assert reader.pull("b", tmp_path / "pulled")["signature"]
    assert reader.promote("b", reader.start_run({}), reader.champion(), "").version == "b"
    assert reader.rollback(None, "").version == "a"
    assert reader.problems() == []


def altered(manifest: dict[str, object]) -> dict[str, object]:
    return {**manifest, "learner": "another"}


def unsigned(manifest: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in manifest.items() if name != "signature"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(unsigned, "is not signed, and registry.public_key", id="unsigned"),
        pytest.param(altered, "was altered since", id="altered after signing"),
        pytest.param(lambda m: {**m, "signature": "AAAA"}, "was not signed by", id="too short"),
        pytest.param(lambda m: {**m, "signature": "é!"}, "was not signed by", id="no base64"),
        pytest.param(lambda m: {**m, "signature": None}, "was not signed by", id="null"),
        pytest.param(
            lambda m: {**m, "files": {"model.txt": {"sha256": "0" * 64, "size": 4}}},
            "was altered since",
            id="another file",
        ),
    ],
)
def test_another_manifest_is_refused_everywhere(
    change: Callable[[dict[str, object]], dict[str, object]], message: str, signed: Registry, tmp_path: Path
) -> None:
    champion = signed.champion()
    manifest = json.loads(signed.store.get(MANIFEST).body)
    signed.store.put(MANIFEST, json.dumps(change(manifest)).encode())
    for use in uses(signed, tmp_path):
        with pytest.raises(Untrusted, match=rf"{signed.store.url(MANIFEST)}.*{message}"):
            use()
    assert signed.champion() == champion
    assert not (tmp_path / "pulled").exists()


def test_a_signature_by_another_key_or_of_another_version_is_refused(
    signed: Registry, store: Store, tmp_path: Path
) -> None:
    stranger = Ed25519PrivateKey.generate()
    forger = Registry(store, "flights", keys(tmp_path, private_pem(stranger), public_pem(stranger)))
    forger.publish("c", {"model.txt": tmp_path / "model.txt"}, {})
    with pytest.raises(Untrusted, match="was not signed by"):
        signed.pull("c", tmp_path / "pulled")
    signed.store.put(MANIFEST, signed.store.get("flights/versions/a/manifest.json").body)
    with pytest.raises(Tampered, match="is not the manifest of version 'b'"):
        signed.pull("b", tmp_path / "pulled")


def test_a_rollback_to_an_altered_version_is_refused(signed: Registry) -> None:
    signed.promote("b", signed.start_run({}), signed.champion(), "")
    key = "flights/versions/a/manifest.json"
    signed.store.put(key, json.dumps(altered(json.loads(signed.store.get(key).body))).encode())
    with pytest.raises(Untrusted):
        signed.rollback(None, "")
    assert signed.champion().version == "b"  # type: ignore[union-attr]


def test_a_manifest_forged_in_the_cache_is_fetched_again(signed: Registry, tmp_path: Path) -> None:
    folder, manifest = pull_cached(tmp_path, signed, "b")
    (folder / "manifest.json").write_text(json.dumps(altered(manifest)))
    assert pull_cached(tmp_path, signed, "b")[1] == manifest


def test_a_retry_signs_again_and_changes_nothing(signed: Registry, tmp_path: Path) -> None:
    files = {"model.txt": tmp_path / "model.txt"}
    first = signed.publish("d", files, {"created": "2026-11-01T00:00:00+00:00"})
    assert signed.publish("d", files, {"created": "2026-11-02T00:00:00+00:00"}) == first


def test_with_a_public_key_nothing_is_published_that_could_not_be_read(
    store: Store, tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    reader = Registry(store, "flights", keys(tmp_path, public=public_pem(key)))
    (tmp_path / "model.txt").write_text("tree")
    with pytest.raises(BadParams, match=r"set registry.signing_key.*openssl genpkey -algorithm ed25519"):
        reader.publish("a", {"model.txt": tmp_path / "model.txt"}, {})
    assert list(store.list()) == []


ED25519 = Ed25519PrivateKey.generate()
BAD_KEYS = [
    pytest.param(b"", id="empty"),
    pytest.param(b"not PEM", id="not PEM"),
    pytest.param(private_pem(generate_private_key(SECP256R1())), id="of another kind"),
    pytest.param(private_pem(ED25519, b"secret"), id="with a password"),
    pytest.param(private_pem(ED25519)[:60], id="truncated"),
    pytest.param(public_pem(ED25519), id="the public half"),
]


@pytest.mark.parametrize("pem", BAD_KEYS)
def test_a_bad_signing_key_is_named_with_the_way_to_make_one(pem: bytes, tmp_path: Path) -> None:
    with pytest.raises(
        BadParams, match=r"registry.signing_key: .*`openssl genpkey -algorithm ed25519"
    ) as seen:
        keys(tmp_path, signing=pem)
    for line in pem.decode().splitlines()[1:-1]:
        assert line not in str(seen.value)


@pytest.mark.parametrize(
    "pem",
    [
        pytest.param(b"not PEM", id="not PEM"),
        pytest.param(public_pem(generate_private_key(SECP256R1())), id="of another kind"),
        pytest.param(private_pem(ED25519), id="the private half"),
    ],
)
def test_a_bad_public_key_is_named_with_the_way_to_make_one(pem: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadParams, match=r"registry.public_key: .*`openssl pkey -in signing.pem -pubout"):
        keys(tmp_path, public=pem)


def test_a_missing_key_file_and_two_halves_of_different_keys_are_refused(
    tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    params = RegistryParams(address="s3://bucket/registry", signing_key="nowhere.pem")
    with pytest.raises(BadParams, match=r"nowhere.pem: No such file"):
        Signatures.of(params, tmp_path)
    with pytest.raises(BadParams, match=r"is not the other half of registry.signing_key"):
        keys(tmp_path, private_pem(key), public_pem(ED25519))


def test_no_key_is_ever_printed(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    assert "Private" not in repr(keys(tmp_path, private_pem(key), public_pem(key)))
