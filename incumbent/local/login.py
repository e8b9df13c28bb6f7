"""The one login of the stack's web servers: Prefect's API and UI, and the view of the studies."""

import secrets

from incumbent.local.state import Stack, read_json, write_private

USER = "incumbent"
_FILE = "login.json"


def make_login(stack: Stack) -> None:
    """Make a new password, in a file that only the owner of the project can read."""
    write_private(stack.state_dir / _FILE, {"user": USER, "password": secrets.token_hex(20)})


def login(stack: Stack) -> str:
    """`user:password`, as Prefect's settings have it; empty before the first start."""
    known = read_json(stack.state_dir / _FILE)
    return f"{known['user']}:{known['password']}" if known else ""
