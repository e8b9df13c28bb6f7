"""What the caller's shell may have set for other programs, put right before it misleads this one."""

import io
import locale
import os
import sys
from collections.abc import MutableMapping

# Those that name a repository, an index or objects. git sets them for its hooks; a project is its own
# repository. Identity, ssh and configuration stay: they are meant for every git.
FOREIGN_REPOSITORY = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
    "GIT_REPLACE_REF_BASE",
)
LOOPBACK = ("127.0.0.1", "localhost")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def put_right() -> None:
    """Of this process, and so of all that it starts."""
    _speak_utf8()
    forget_repository(os.environ)
    forget_socks(os.environ)
    reach_loopback(os.environ)


def forget_repository(environment: MutableMapping[str, str]) -> None:
    """Drop what leads git, and DVC, to another repository than the project's."""
    for name in FOREIGN_REPOSITORY:
        environment.pop(name, None)


def forget_socks(environment: MutableMapping[str, str]) -> None:
    """Drop SOCKS proxies: the S3 client and Prefect's do not support them, and Prefect's would not start."""
    for name in (*PROXIES, *map(str.upper, PROXIES)):
        if environment.get(name, "").strip().lower().startswith("socks"):
            del environment[name]


def reach_loopback(environment: MutableMapping[str, str]) -> None:
    """Keep a proxy, if one is set, out of the way to servers on this machine."""
    if not behind_a_proxy(environment):
        return
    for name in ("no_proxy", "NO_PROXY"):
        known = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
        hosts = [host.strip() for host in known.split(",") if host.strip()]
        environment[name] = ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])


def behind_a_proxy(environment: MutableMapping[str, str]) -> bool:
    """Does the environment name a proxy?"""
    return any(environment.get(name) or environment.get(name.upper()) for name in PROXIES)


def _speak_utf8() -> None:
    # With PYTHONUTF8=0 in a C locale, or in one of Latin-1, neither names of files nor what is in them would
    # be read as they were written. Only a new interpreter can change that.
    encodings = {sys.getfilesystemencoding().lower(), locale.getencoding().lower()}
    if encodings != {"utf-8"} and not sys.flags.utf8_mode:
        os.environ["PYTHONUTF8"] = "1"  # for what this one starts
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606
    # PYTHONIOENCODING may still ask for another encoding: what it lacks is escaped in our own output, and the
    # programs that we start write UTF-8, as we read that.
    os.environ.pop("PYTHONIOENCODING", None)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            stream.reconfigure(errors="backslashreplace")
