"""A login goes to its own server: what commands take from the stack, and who gets to see the studies."""

import os
import shutil
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from incumbent.cli.options import enter
from incumbent.local.dashboard_server import behind_login
from incumbent.local.login import make_login
from incumbent.local.state import Stack, make_private_dirs, write_private

LOGIN = "incumbent:secret"
RIGHT = "Basic " + b64encode(LOGIN.encode()).decode()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose stack was up once."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PREFECT_"))}
    monkeypatch.setattr(os, "environ", others)  # what `enter` sets goes when the test ends
    shutil.copyfile(Path(__file__).parents[2] / "params.yaml", tmp_path / "params.yaml")
    stack = Stack(tmp_path)
    make_private_dirs(stack)
    write_private(stack.state_dir / "stack.json", {"s3": {"s3": 1}, "prefect": {"api": 2}})
    pair = {"accessKey": "K", "secretKey": "S"}
    write_private(stack.state_dir / "s3.json", {"identities": [{"credentials": [pair]}]})
    make_login(stack)
    return tmp_path


def test_commands_log_in_to_the_stack_whatever_login_the_user_has_elsewhere(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "me:elsewhere")
    enter(project)
    assert os.environ["PREFECT_API_URL"] == "http://127.0.0.1:2/api"
    assert os.environ["PREFECT_API_AUTH_STRING"].startswith("incumbent:")


@pytest.mark.parametrize("login", [None, "me:elsewhere"])
def test_another_server_is_not_told_the_login_of_the_stack(
    project: Path, monkeypatch: pytest.MonkeyPatch, login: str | None
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "https://prefect.example/api")
    if login:
        monkeypatch.setenv("PREFECT_API_AUTH_STRING", login)
    enter(project)
    assert os.environ.get("PREFECT_API_AUTH_STRING") == login


def test_the_folder_of_a_project_with_its_rows_is_closed(project: Path) -> None:
    (project / ".incumbent").chmod(0o755)
    enter(project)
    assert (project / ".incumbent").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        pytest.param({"HTTP_AUTHORIZATION": RIGHT}, "200 OK", id="the owner reads"),
        pytest.param(
            {"HTTP_AUTHORIZATION": RIGHT, "REQUEST_METHOD": "DELETE", "HTTP_SEC_FETCH_SITE": "same-origin"},
            "200 OK",
            id="the owner deletes",
        ),
        pytest.param(
            {"HTTP_AUTHORIZATION": RIGHT, "REQUEST_METHOD": "POST", "HTTP_SEC_FETCH_SITE": "same-site"},
            "403 Forbidden",
            id="a page at another port uses the owner's browser",
        ),
        pytest.param({}, "401 Unauthorized", id="nobody"),
        pytest.param({"HTTP_AUTHORIZATION": LOGIN}, "401 Unauthorized", id="not as browsers send it"),
        pytest.param({"HTTP_AUTHORIZATION": RIGHT + "ü"}, "401 Unauthorized", id="other bytes"),
    ],
)
def test_the_studies_are_shown_to_the_login(request_of: dict[str, str], status: str) -> None:
    started: list[Any] = []

    def studies(request: Any, start: Any) -> list[bytes]:
        start("200 OK", [])
        return [b"studies"]

    answer = behind_login(studies, LOGIN)
    shown = list(answer({"REQUEST_METHOD": "GET", **request_of}, lambda *head: started.append(head)))  # type: ignore[arg-type]
    assert started[0][0] == status
    assert (shown == [b"studies"]) == (status == "200 OK")
