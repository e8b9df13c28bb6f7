"""Closes the inner doors of the S3 server: whoever has no certificate of this stack speaks to none of them.

SeaweedFS asks for credentials at its S3 port alone. Its master, volume, filer and admin servers would serve
every user of this machine, in HTTP and gRPC: a loopback address tells machines apart, not users. Tokens
(JWT) are no answer, for the master signs one for whoever asks. With mutual TLS, the handshake itself fails.
"""

from datetime import UTC, datetime
from ipaddress import ip_address

from incumbent.local.state import HOST, Stack, write_private_bytes

# Relative to the server's working directory.
_CERTIFICATE, _KEY = "s3-inner.crt", "s3-inner.key"
_GRPC = ("master", "volume", "filer", "s3", "admin", "worker", "client")
_HTTPS = ("master", "volume", "filer", "admin", "client")


def make(stack: Stack) -> None:
    """Make the certificate, which is its own authority, and its key; once, for it never expires."""
    if (stack.state_dir / _CERTIFICATE).exists():
        return
    # Slow to import, and needed at the first start alone.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "incumbent")])
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))  # also where the clock is behind
        .not_valid_after(datetime(9999, 12, 31, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private_bytes(stack.state_dir / _KEY, plain)
    write_private_bytes(stack.state_dir / _CERTIFICATE, certificate.public_bytes(pem))


def settings() -> dict[str, str]:
    """The server's settings, as `weed scaffold -config=security` names them."""
    pair = {"CERT": _CERTIFICATE, "KEY": _KEY}
    grpc = {f"WEED_GRPC_{who.upper()}_{name}": file for who in _GRPC for name, file in pair.items()}
    pair["CA"] = _CERTIFICATE
    https = {f"WEED_HTTPS_{who.upper()}_{name}": file for who in _HTTPS for name, file in pair.items()}
    return {"WEED_GRPC_CA": _CERTIFICATE, "WEED_HTTPS_CLIENT_ENABLED": "true", **grpc, **https}
