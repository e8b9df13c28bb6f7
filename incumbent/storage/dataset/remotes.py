"""A clone's remotes and its cache, as git and DVC themselves see them."""

import os
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Any

from incumbent.errors import BadInput, StorageUnavailable
from incumbent.storage.dataset.dvc_remote import address_here, open_repo
from incumbent.storage.dataset.git import folder_of, git, has_upstream
from incumbent.storage.dataset.versions import explained
from incumbent.storage.s3.address import ADDRESS, open_store
from incumbent.storage.s3.probe import FOLDER

# A password that somebody would have to type is none that a worker has.
NO_QUESTIONS = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def try_push(project: Path, seconds: float) -> str | None:
    """Go through a push of the branch without sending anything. Returns the upstream; None without one.

    Raises BadInput with git's message when the remote refuses, StorageUnavailable after so many seconds.
    """
    if not has_upstream(project):
        return None
    upstream = git(project, "rev-parse", "--abbrev-ref", "@{upstream}")
    process = subprocess.Popen(
        ["git", "-C", str(project), "push", "--dry-run", "--quiet"],
        env={**os.environ, **NO_QUESTIONS},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # away from the terminal, where ssh would ask; and to end ssh with git
    )
    try:
        _, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise StorageUnavailable(
            f"git's remote of {project} ({upstream}) did not answer within {seconds:.0f} s; check "
            "'git remote -v' and the network"
        ) from error
    if process.returncode != 0:
        raise BadInput(
            f"git may not push to {upstream}: {' '.join(said.split()) or 'no message'}; "
            f"'git -C {project} push --dry-run' must work without a question: with a key or a token, and "
            "after 'git pull --rebase' where somebody else pushed"
        )
    return upstream


def is_same_repository(project: Path, address: str) -> bool:
    """Does one of the project's remotes have this address, by whatever protocol and login?"""
    remotes = git(project, "remote").split()
    return _bare(address) in {_bare(git(project, "remote", "get-url", name)) for name in remotes}


def is_same_project(project: Path, other: Path) -> bool:
    """Is `other` the project's folder, its workspace, or the same folder in another clone?"""
    if project.resolve().is_relative_to(other.resolve()):
        return True
    try:
        roots = [
            git(each, "rev-list", "--max-parents=0", "--first-parent", "HEAD") for each in (project, other)
        ]
        return roots[0] == roots[1] and folder_of(project) == folder_of(other)
    except BadInput:
        return False


def _bare(address: str) -> str:
    """`host/path` of git@host:path.git, https://token@host/path and ssh://git@host/path."""
    _, _, rest = address.rpartition("://")
    return rest.rpartition("@")[2].replace(":", "/").rstrip("/").removesuffix(".git")


def dvc_cache(project: Path) -> Path:
    """The folder of DVC's cache, which may not exist yet. Raises as `explained` does."""
    with explained(project), open_repo(project) as repo:
        return Path(repo.cache.local_cache_dir)


def try_dvc_remote(project: Path) -> str:
    """Write, list, read and delete an object; on S3 one in parts too, as DVC does with large files.

    Returns the remote's address. Raises BadInput when none is configured, else as `explained` does.
    """
    with explained(project), open_repo(project) as repo:
        if not repo.config["core"].get("remote"):
            raise _no_remote(project)
        remote = repo.cloud.get_remote()
        folder = remote.fs.join(remote.path, FOLDER, uuid.uuid4().hex)
        file = remote.fs.join(folder, "probe")
        address = str(remote.fs.unstrip_protocol(remote.path))
        remote.fs.makedirs(folder, exist_ok=True)
        remote.fs.pipe_file(file, b"written\n")
        try:
            if remote.fs.cat_file(file) != b"written\n" or file not in remote.fs.find(folder):
                raise StorageUnavailable(
                    f"the DVC remote {address} does not return what was just written to it; use another one"
                )
            if remote.fs.protocol == "s3":
                _write_in_parts(remote.fs.fs, file)
        finally:
            remote.fs.remove(folder, recursive=True)
    return address


def reach_dvc_remote(project: Path, seconds: float) -> str:
    """Ask the default remote for one listing, without starting DVC; returns its address, "" for one that is
    not at the S3 of the AWS_* variables, which is not asked.

    Raises BadInput when none is configured, NotFound without its bucket, StorageUnavailable after so many
    seconds.
    """
    from dvc.config import Config

    with explained(project):
        if not Config(str(project / ".dvc"))["core"].get("remote"):
            raise _no_remote(project)
        address = address_here(project)
    if address is None or ADDRESS.fullmatch(address) is None:
        return ""
    next(open_store(address, seconds).list(page_size=1), None)
    return address


def _no_remote(project: Path) -> BadInput:
    return BadInput(
        f"DVC has no default remote in {project}; 'dvc remote add --default store s3://BUCKET/dvc' adds one"
    )


def _write_in_parts(s3: Any, file: str) -> None:
    bucket, _, key = file.partition("/")
    place = {"Bucket": bucket, "Key": key}
    done, given_up = (s3.call_s3("create_multipart_upload", **place)["UploadId"] for _ in range(2))
    s3.call_s3("abort_multipart_upload", **place, UploadId=given_up)
    part = s3.call_s3("upload_part", **place, UploadId=done, PartNumber=1, Body=b"a part\n")
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    s3.call_s3("complete_multipart_upload", **place, UploadId=done, MultipartUpload=parts)
