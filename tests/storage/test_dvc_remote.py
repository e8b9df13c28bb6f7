"""Plain DVC reaches the local S3 by config.local; our own DVC goes where AWS_ENDPOINT_URL leads."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from incumbent.errors import IncumbentError
from incumbent.storage.dataset.arrivals import add_partitions
from incumbent.storage.dataset.dvc_remote import LOCAL, address_here, lead_to
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.new_project import push_what_is_here
from incumbent.storage.s3.address import open_store
from tests.conftest import BUCKET, S3
from tests.storage.clones import partition

OURS = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "INC0123456789ABCDEF",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def dvc(clone: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """DVC's own command, in a shell that knows nothing of the stack."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-m", "dvc", *args]
    return subprocess.run(command, cwd=clone, env=plain, capture_output=True, text=True, check=False)


def test_plain_dvc_pulls_what_the_stack_has(clone: Path, s3: S3) -> None:
    assert dvc(clone, "pull", "data.dvc").returncode != 0
    lead_to(clone, BUCKET, s3.environment)
    done = dvc(clone, "pull", "data.dvc")
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in (clone / "data").iterdir()) == ["month-1.parquet", "month-2.parquet"]


def test_the_credentials_are_their_owners_and_git_never_sees_them(clone: Path, s3: S3) -> None:
    before = git(clone, "status", "--porcelain")
    lead_to(clone, BUCKET, s3.environment)
    assert stat.S_IMODE((clone / LOCAL).stat().st_mode) == 0o600
    assert git(clone, "status", "--porcelain", "--untracked-files=all") == before
    git(clone, "add", "--all")
    assert s3.environment["AWS_SECRET_ACCESS_KEY"] not in git(clone, "diff", "--cached")


def test_what_the_user_wrote_stays_and_a_new_address_replaces_ours(clone: Path, s3: S3) -> None:
    (clone / LOCAL).write_text("[cache]\n    type = copy  # no links on this disk\n", encoding="utf-8")
    lead_to(clone, BUCKET, OURS)
    lead_to(clone, BUCKET, s3.environment)
    text = (clone / LOCAL).read_text(encoding="utf-8")
    assert "type = copy" in text
    assert "# no links on this disk" in text
    assert f"endpointurl = {s3.endpoint}" in text
    assert OURS["AWS_ENDPOINT_URL"] + "\n" not in text


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param("endpointurl = http://127.0.0.1:9000", id="a server"),
        pytest.param("profile = work", id="a profile"),
        pytest.param("access_key_id = AKIA0000", id="a key"),
    ],
)
def test_a_remote_that_the_user_configured_is_left_alone(clone: Path, theirs: str) -> None:
    text = f"['remote \"store\"']\n    {theirs}\n"
    (clone / LOCAL).write_text(text, encoding="utf-8")
    lead_to(clone, BUCKET, OURS)
    assert (clone / LOCAL).read_text(encoding="utf-8") == text


def test_a_remote_elsewhere_is_none_of_the_stacks_business(clone: Path) -> None:
    lead_to(clone, "another-bucket", OURS)
    assert not (clone / LOCAL).exists()


def test_our_own_dvc_follows_the_environment(
    clone: Path, s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead_to(clone, BUCKET, OURS)  # nobody answers there
    assert len(add_partitions(clone, [partition(tmp_path, 3)]).partitions) == 3
    (clone / LOCAL).unlink()
    lead_to(clone, BUCKET, s3.environment)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(IncumbentError, match=str(clone)):
        add_partitions(clone, [partition(tmp_path, 4)])


def test_a_version_that_is_on_the_remote_is_not_pushed_again(clone: Path, tmp_path: Path) -> None:
    listing = add_partitions(clone, [partition(tmp_path, 3)]).md5
    assert not push_what_is_here(clone)
    address = address_here(clone)
    assert address is not None
    open_store(address).delete(f"files/md5/{listing[:2]}/{listing[2:]}")
    assert push_what_is_here(clone)
    assert not push_what_is_here(clone)
