"""Where DVC finds the local stack's S3: its command in `.dvc/config.local`, our DVC in AWS_* variables."""

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from incumbent.errors import BadInput
from incumbent.storage.dataset.git import git
from incumbent.storage.s3.client import LOCAL_KEYS
from incumbent.tables.atomic import atomic_write

if TYPE_CHECKING:
    from dvc.config import Config
    from dvc.repo import Repo

LOCAL = Path(".dvc") / "config.local"
# DVC's name of a setting -> the environment variable with its value.
SETTINGS = {
    "endpointurl": "AWS_ENDPOINT_URL",
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "region": "AWS_DEFAULT_REGION",
}
# Any of these means that the user has configured another server or other credentials.
THEIRS = {*SETTINGS, "profile", "credentialpath", "configpath", "session_token"}


def lead_to(project: Path, bucket: str, variables: Mapping[str, str]) -> None:
    """Let `dvc pull`, `push` and `repro` in this project reach the bucket of the local stack.

    Only if the default remote is in that bucket, and the user has not configured its server or credentials.
    Other settings in config.local stay. Raises what DVC raises when it can't read its configuration.
    """
    from dvc.config import Config

    if not (project / ".dvc").is_dir():
        return
    config = Config(str(project / ".dvc"))
    name = config["core"].get("remote")
    remote = config["remote"].get(name, {})
    wanted = {key: variables[variable] for key, variable in SETTINGS.items()}
    if not f"{remote.get('url')}/".startswith(f"s3://{bucket}/") or remote.items() >= wanted.items():
        return
    if THEIRS & remote.keys() and not _is_ours(remote):
        return
    _write(project / LOCAL, name, wanted)
    _keep_from_git(project)


def address_here(project: Path) -> str | None:
    """Address of the default remote, if it is at the S3 of the AWS_* variables; None for one elsewhere."""
    from dvc.config import Config

    config = Config(str(project / ".dvc"))
    remote = config["remote"].get(config["core"].get("remote"), {})
    elsewhere = THEIRS & remote.keys() and not _is_ours(remote)
    return None if elsewhere else remote.get("url")


def open_repo(project: Path) -> "Repo":
    """DVC's repository, with its remote at AWS_ENDPOINT_URL; the caller closes it."""
    from dvc.repo import Repo

    class RepoByEnvironment(Repo):
        @cached_property
        def config(self) -> "Config":
            """Read the file again, as DVC does after each of its locks."""
            return follow_environment(super().config)

    return RepoByEnvironment(str(project))


def follow_environment(config: "Config") -> "Config":
    """Drop the local stack's settings where AWS_ENDPOINT_URL is set: they are for DVC's own command."""
    if "AWS_ENDPOINT_URL" not in os.environ and "AWS_ENDPOINT_URL_S3" not in os.environ:
        return config
    for remote in config["remote"].values():
        if _is_ours(remote):
            for key in SETTINGS:
                remote.pop(key, None)
    return config


def _is_ours(remote: Mapping[str, str]) -> bool:
    return str(remote.get("access_key_id", "")).startswith(LOCAL_KEYS)


def _write(path: Path, remote: str, settings: Mapping[str, str]) -> None:
    """Write the settings atomically, readable by the owner only."""
    from configobj import ConfigObj

    config = ConfigObj(str(path), encoding="utf-8")
    config.setdefault(f'remote "{remote}"', {}).update(settings)
    with atomic_write(path, private=True) as part, part.open("wb") as stream:
        config.write(stream)


def _keep_from_git(project: Path) -> None:
    # DVC's .dvc/.gitignore excludes it, unless somebody changed that; a secret must not depend on it.
    try:
        git(project, "check-ignore", "--quiet", str(LOCAL))
    except BadInput:
        exclude = project / git(project, "rev-parse", "--git-path", "info/exclude")
        exclude.parent.mkdir(exist_ok=True)
        with exclude.open("a", encoding="utf-8") as file:
            file.write(f"/{git(project, 'rev-parse', '--show-prefix')}{LOCAL.as_posix()}\n")
