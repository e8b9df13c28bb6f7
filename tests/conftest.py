"""For all tests: one real S3 server a session, and how hard hypothesis tries."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from incumbent.local import processes
from incumbent.local import s3 as local_s3
from incumbent.local.stack import SETTLING
from incumbent.local.state import Stack, make_private_dirs
from incumbent.storage.s3.address import ensure_bucket

_SLOW_IS_FINE = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("usual", max_examples=100, **_SLOW_IS_FINE)
settings.register_profile("deep", max_examples=1200, **_SLOW_IS_FINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))

BUCKET = "incumbent"


@dataclass(frozen=True)
class S3:
    """The server of this session; the process's AWS_* variables lead to it."""

    endpoint: str
    environment: dict[str, str] = field(repr=False)
    address: str = f"s3://{BUCKET}"


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A real S3 server with an empty bucket; use a prefix of your own in it."""
    stack = Stack(tmp_path_factory.mktemp("s3"))
    make_private_dirs(stack)
    processes.start(stack, local_s3.prepare(stack))
    environment = local_s3.client_settings(stack)
    try:
        with pytest.MonkeyPatch.context() as patch:
            _forget_own_account(patch, stack.project)
            for name, value in environment.items():
                patch.setenv(name, value)
            ensure_bucket(BUCKET, environment)
            time.sleep(SETTLING)
            yield S3(environment["AWS_ENDPOINT_URL"], environment)
    finally:
        processes.stop(stack, local_s3.NAME, grace=2.0)  # its data is not needed any more
        local_s3.remove_sockets(stack)


def _forget_own_account(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """No test may ever reach the developer's own AWS account."""
    nothing = folder / "no-aws-configuration"
    nothing.touch()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    patch.setenv("AWS_CONFIG_FILE", str(nothing))
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nothing))
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
