"""MLflow's REST API: requests, and what goes wrong with them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from incumbent.errors import BadParams
from incumbent.tracking.names import allowed
from incumbent.tracking.sink import Refused, Undelivered

# Seconds for one answer. No run waits for it: see deliver.
TIMEOUT = 15.0
PAGE = 200


@dataclass(frozen=True)
class MLflowApi:
    """A tracking server. All methods raise Undelivered when it does not answer, Refused when it says no."""

    address: str
    client: httpx.Client

    def get(self, path: str, **query: Any) -> Any:
        return self._json("GET", path, params=query)

    def post(self, path: str, **body: Any) -> Any:
        return self._json("POST", path, json=body)

    def patch(self, path: str, **body: Any) -> Any:
        return self._json("PATCH", path, json=body)

    def delete(self, path: str, **body: Any) -> Any:
        return self._json("DELETE", path, json=body)

    def find(self, path: str, **query: Any) -> Any | None:
        """As get; None for what does not exist."""
        try:
            return self.get(path, **query)
        except Missing:
            return None

    def pages(self, method: str, path: str, items: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All items of an answer that comes in pages."""
        token = ""
        while True:
            asked = {**query, "max_results": PAGE, **({"page_token": token} if token else {})}
            answer = self.post(path, **asked) if method == "POST" else self.get(path, **asked)
            yield from answer.get(items, ())
            if not (token := answer.get("next_page_token", "")):
                return

    def upload(self, path: str, body: bytes) -> None:
        """Store an artifact by the server's own proxy."""
        self._send("PUT", self._artifact(path), content=body)

    def download(self, path: str) -> bytes:
        """An artifact by the server's own proxy."""
        return self._send("GET", self._artifact(path)).content

    def _artifact(self, path: str) -> str:
        return f"{self.address}/api/2.0/mlflow-artifacts/artifacts/{path}"

    def _json(self, method: str, path: str, **content: Any) -> Any:
        answer = self._send(method, f"{self.address}/api/2.0/mlflow/{path}", **content)
        try:
            return answer.json()
        except ValueError as error:
            raise Undelivered(f"{self.address} does not answer as an MLflow server does") from error

    def _send(self, method: str, url: str, **content: Any) -> httpx.Response:
        try:
            answer = self.client.request(method, url, **content)
        except httpx.HTTPError as error:
            raise Undelivered(f"{self.address} does not answer: {error or type(error).__name__}") from error
        if answer.is_success:
            return answer
        code, message = _reason(answer)
        said = f"{self.address} answered {answer.status_code} to {method} {urlsplit(url).path}: {message}"
        if code == "RESOURCE_DOES_NOT_EXIST":
            raise Missing(said)
        if code == "RESOURCE_ALREADY_EXISTS":
            raise Taken(said)
        if answer.status_code in (401, 403):
            raise Undelivered(
                f"{said}; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            )
        raise (Undelivered if answer.status_code >= 500 or answer.status_code == 429 else Refused)(said)


class Missing(Refused):
    """What was asked for does not exist."""


class Taken(Refused):
    """What was to be created exists."""


def open_api(environment: Mapping[str, str]) -> MLflowApi:
    """The server of MLFLOW_TRACKING_URI, with the credentials that MLflow's own client reads. Sends nothing.

    Raises BadParams for an address that is no server's.
    """
    address = environment.get("MLFLOW_TRACKING_URI", "").rstrip("/")
    if not address:
        raise BadParams(
            "MLFLOW_TRACKING_URI is not set: give it the address of a tracking server, such as "
            "http://localhost:5000; 'mlflow server' starts one"
        )
    if not re.fullmatch(r"https?://[^/\s]+\S*", address):
        raise BadParams(
            f"MLFLOW_TRACKING_URI = {address!r}: runs are sent to a tracking server, by an address such as "
            "http://localhost:5000; 'mlflow server' starts one"
        )
    token, user = environment.get("MLFLOW_TRACKING_TOKEN"), environment.get("MLFLOW_TRACKING_USERNAME")
    password = environment.get("MLFLOW_TRACKING_PASSWORD", "")
    return MLflowApi(
        address,
        httpx.Client(
            timeout=TIMEOUT,
            auth=(user, password) if user else None,
            headers={"Authorization": f"Bearer {token}"} if token else None,
        ),
    )


def _reason(answer: httpx.Response) -> tuple[str, str]:
    """MLflow's error code and message; of another server, the beginning of what it says."""
    try:
        document = answer.json()
        return str(document["error_code"]), str(document.get("message", ""))
    except (ValueError, LookupError, TypeError):
        return "", answer.text[:200]


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as requests have them, cut to what a server takes."""
    return [{"key": key, "value": value[:4900]} for key, value in allowed(tags).items()]


def tags_of(thing: Mapping[str, Any]) -> dict[str, str]:
    """The tags of what an answer has, as a mapping."""
    return {tag["key"]: tag["value"] for tag in thing.get("tags", ())}


def in_parts(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    whole = list(items)
    return (whole[at : at + size] for at in range(0, len(whole), size))
