"""What the user reads when S3 cannot be used: one clear message, never a secret."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from incumbent.errors import IncumbentError, NotFound, StorageUnavailable
from incumbent.storage.s3.address import ensure_bucket, open_store
from tests.conftest import S3

WRITE = pytest.param(lambda store: store.put_if_absent("key", b""), id="conditional write")
READ = pytest.param(lambda store: store.find("key"), id="read")
LIST = pytest.param(lambda store: list(store.list()), id="list")
EXISTS = pytest.param(lambda store: store.exists("key"), id="exists")


def message_of(error: pytest.ExceptionInfo[IncumbentError], s3: S3) -> str:
    """The text, once it is known to hold no secret and neither whole key."""
    text = str(error.value)
    assert s3.environment["AWS_SECRET_ACCESS_KEY"] not in text
    assert s3.environment["AWS_ACCESS_KEY_ID"] not in text
    return text


@pytest.mark.parametrize("use", [READ, WRITE])
def test_an_unreachable_server_is_named(use, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:password@127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(StorageUnavailable) as error:
        use(open_store("s3://incumbent/x"))
    text = message_of(error, s3)
    assert "http://127.0.0.1:9 cannot be reached" in text
    assert "run `incumbent up` to start the local stack, or correct AWS_ENDPOINT_URL where it is your" in text
    assert "password" not in text


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_who_was_led_elsewhere_is_told_which_variable_did_it(
    variable: str, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASOMEBODYELSE")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(StorageUnavailable) as error:
        open_store("s3://incumbent/x").find("key")
    assert f"correct {variable}, which leads there, or 'unset {variable}' to work with" in str(error.value)


@pytest.mark.parametrize("use", [READ, WRITE, LIST, EXISTS])
def test_a_wrong_secret_is_refused_at_once(use, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mistaken-secret")
    with pytest.raises(StorageUnavailable) as error:
        use(open_store("s3://incumbent/x"))
    text = message_of(error, s3)
    assert f"refused access key {s3.environment['AWS_ACCESS_KEY_ID'][:4]}…" in text
    assert "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY" in text
    assert "mistaken-secret" not in text


def test_an_unknown_key_is_refused(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN")
    with pytest.raises(StorageUnavailable, match=r"refused access key AKIA… .*InvalidAccessKeyId"):
        open_store("s3://incumbent/x").get("key")


def test_without_credentials_the_variables_are_named(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StorageUnavailable, match=r"set AWS_ACCESS_KEY_ID and .* or run `incumbent up`"):
        open_store("s3://incumbent/x").get("key")


@pytest.mark.parametrize("use", [READ, WRITE, LIST, EXISTS])
def test_a_missing_bucket_is_no_empty_bucket(use, s3: S3) -> None:
    with pytest.raises(NotFound, match=r"no bucket for s3://absent-bucket/x/.* at http.*registry.address"):
        use(open_store("s3://absent-bucket/x"))


def test_an_endpoint_that_is_no_url_is_refused(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "not a url")
    with pytest.raises(StorageUnavailable, match="check AWS_ENDPOINT_URL"):
        open_store("s3://incumbent/x")


class Heedless(http.server.BaseHTTPRequestHandler):
    """Says yes to everything, whatever the condition, as some S3 servers do."""

    protocol_version = "HTTP/1.1"
    status = 200

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("ETag", '"11111111111111111111111111111111"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"<html>")

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


class Ignorant(Heedless):
    """Answers as a server does that does not know the header."""

    status = 501


class HalfHeedless(Heedless):
    """Knows If-None-Match, but ignores If-Match."""

    def send_response(self, code: int, message: str | None = None) -> None:
        super().send_response(412 if self.headers["If-None-Match"] else code, message)


@pytest.fixture(params=[Heedless, HalfHeedless, Ignorant])
def server_without_conditions(request: pytest.FixtureRequest) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), request.param) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_store_without_conditional_writes_is_refused(
    server_without_conditions: str, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server_without_conditions)
    store = open_store("s3://incumbent/x")
    for write in (lambda: store.put_if_absent("key", b""), lambda: store.replace("key", b"", '"0"')):
        with pytest.raises(StorageUnavailable, match="ignores conditional writes"):
            write()


def test_a_web_page_is_not_taken_for_s3(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Heedless) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(StorageUnavailable, match="something that is not S3; check AWS_ENDPOINT_URL"):
            open_store("s3://incumbent/x").get("key")
        server.shutdown()


def test_a_bucket_is_made_once(s3: S3) -> None:
    ensure_bucket("made-by-test", s3.environment)
    ensure_bucket("made-by-test", s3.environment)
    assert list(open_store("s3://made-by-test/x").list()) == []


def test_a_bucket_cannot_be_made_with_a_wrong_secret(s3: S3) -> None:
    with pytest.raises(StorageUnavailable, match="refused access key"):
        ensure_bucket("never-made", {**s3.environment, "AWS_SECRET_ACCESS_KEY": "mistaken"})
