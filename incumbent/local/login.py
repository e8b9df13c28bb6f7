"""The login that the stack's web servers share: Prefect's API and UI, and the studies' dashboard."""

import secrets

from incumbent.local.state import Stack, read_json, write_private

USER = "incumbent"
_FILE = "login.json"


def make_login(stack: Stack) -> None:
    """Make a new password, in a file that only the project's owner can read."""
    write_private(stack.state_dir / _FILE, {"user": USER, "password": secrets.token_hex(20)})


def login(stack: Stack) -> str:
    """`user:password`, the format of Prefect's settings; empty before the first start."""
    known = read_json(stack.state_dir / _FILE)
    return f"{known['user']}:{known['password']}" if known else ""
