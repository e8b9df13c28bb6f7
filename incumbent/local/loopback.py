"""Short HTTP requests to servers on this machine, ignoring any proxy in the environment."""

import http.client
import json
import uuid
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit


def is_healthy(url: str, login: str | None = None) -> bool:
    """Whether a GET returns 200. `login` is `user:password`."""
    return _ask("GET", url, _headers(login))[0] == http.client.OK


def ask_prefect(environment: Mapping[str, str], path: str, body: dict[str, Any]) -> Any:
    """The JSON answer to a POST; None when the server is down or refuses.

    environment: has the server's address in PREFECT_API_URL, the login in PREFECT_API_AUTH_STRING.
    """
    api = environment["PREFECT_API_URL"]
    headers = _headers(environment.get("PREFECT_API_AUTH_STRING"))
    # The server accepts a POST only with a CSRF token that it gave to the same client.
    client = str(uuid.uuid4())
    token = _json(*_ask("GET", f"{api}/csrf-token?client={client}", headers))
    if token is not None:
        headers |= {"Prefect-Csrf-Client": client, "Prefect-Csrf-Token": token["token"]}
    return _json(*_ask("POST", f"{api}/{path}", headers, json.dumps(body)))


def _headers(login: str | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if login is not None:
        headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
    return headers


def _json(status: int, answer: bytes) -> Any:
    try:
        return json.loads(answer) if 200 <= status < 300 else None
    except ValueError:
        return None


def _ask(method: str, url: str, headers: dict[str, str], body: str | None = None) -> tuple[int, bytes]:
    address = urlsplit(url)
    target = f"{address.path}?{address.query}" if address.query else address.path
    connection = http.client.HTTPConnection(address.netloc, timeout=10)
    try:
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
