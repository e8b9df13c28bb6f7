"""Short questions to servers on this machine, past any proxy that the environment names."""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit


def is_healthy(url: str) -> bool:
    """Does a GET answer 200?"""
    return _ask("GET", url)[0] == http.client.OK


def post(url: str, body: dict[str, Any]) -> Any:
    """The JSON answer to a POST; None when the server is down or refuses."""
    status, answer = _ask("POST", url, json.dumps(body))
    try:
        return json.loads(answer) if 200 <= status < 300 else None
    except ValueError:
        return None


def _ask(method: str, url: str, body: str | None = None) -> tuple[int, bytes]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=5)
    try:
        connection.request(method, address.path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
