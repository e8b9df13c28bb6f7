"""Manifests signed with Ed25519: who made a version, provable with a public key alone (RFC 8032)."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from incumbent.errors import BadParams, Untrusted
from incumbent.params import RegistryParams
from incumbent.storage.s3.documents import dump

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

FIELD = "signature"
MAKE_PRIVATE = "openssl genpkey -algorithm ed25519 -out signing.pem"
MAKE_PUBLIC = "openssl pkey -in signing.pem -pubout -out signing.pub.pem"


@dataclass(frozen=True)
class Signatures:
    """`private` signs what is published, `public` verifies what is read; either may be absent."""

    private: "Ed25519PrivateKey | None" = field(default=None, repr=False)
    public: "Ed25519PublicKey | None" = None

    @classmethod
    def of(cls, registry: RegistryParams, project: Path) -> Self:
        """The keys that params.yaml names. Raises BadParams for a file that holds no such key."""
        private = None if registry.signing_key is None else _private(project / registry.signing_key)
        public = None if registry.public_key is None else _public(project / registry.public_key)
        if private and public and private.public_key() != public:
            raise BadParams(
                f"registry.public_key {registry.public_key} is not the other half of registry.signing_key "
                f"{registry.signing_key}: it would refuse what that one signs; make it with `{MAKE_PUBLIC}`"
            )
        return cls(private, public)

    def require_signing(self) -> None:
        """Raise BadParams if a version published now would be refused later, as it has no signature."""
        if self.public is not None and self.private is None:
            raise BadParams(
                "registry.public_key demands signed versions: set registry.signing_key where models are "
                f"trained; make one with `{MAKE_PRIVATE}`"
            )

    def signed(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """The manifest with a signature of its canonical form (which leaves out the signature itself)."""
        if self.private is None:
            return dict(manifest)
        signature = self.private.sign(_unsigned(manifest))
        return {**manifest, FIELD: base64.b64encode(signature).decode("ascii")}

    def check(self, manifest: Mapping[str, Any], address: str) -> None:
        """Raise Untrusted for a manifest that the public key's owner did not sign."""
        from cryptography.exceptions import InvalidSignature

        if self.public is None:
            return
        if FIELD not in manifest:
            raise Untrusted(
                f"{address} is not signed, and registry.public_key in params.yaml demands it; publish the "
                "version anew with registry.signing_key"
            )
        try:
            self.public.verify(base64.b64decode(str(manifest[FIELD]), validate=True), _unsigned(manifest))
        except (InvalidSignature, ValueError) as error:
            raise Untrusted(
                f"{address} was not signed by the owner of registry.public_key, or was altered since"
            ) from error


def _unsigned(manifest: Mapping[str, Any]) -> bytes:
    return dump({name: value for name, value in manifest.items() if name not in (FIELD, "format")})


def _private(path: Path) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_read(path, "signing_key", MAKE_PRIVATE), password=None)
    except (ValueError, TypeError) as error:
        raise _unusable(path, "signing_key", MAKE_PRIVATE) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(path, "signing_key", MAKE_PRIVATE)
    return key


def _public(path: Path) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_read(path, "public_key", MAKE_PUBLIC))
    except ValueError as error:
        raise _unusable(path, "public_key", MAKE_PUBLIC) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _unusable(path, "public_key", MAKE_PUBLIC)
    return key


def _read(path: Path, name: str, make: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadParams(f"registry.{name}: {path}: {error.strerror}; make one with `{make}`") from error


def _unusable(path: Path, name: str, make: str) -> BadParams:
    return BadParams(f"registry.{name}: {path} is no unencrypted Ed25519 key in PEM; make one with `{make}`")
