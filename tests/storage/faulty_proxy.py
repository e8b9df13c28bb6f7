"""A proxy to the real S3 server that fails on demand; it keeps the Host header, so signatures hold."""

import http.client
import http.server
import os
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Literal
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

Kind = Literal[
    "409", "503", "skew", "denied", "500 before", "500 after", "garbled", "reset before", "reset after",
    "blackhole", "truncate", "corrupt", "reset mid-body", "twice",
]  # fmt: skip

SHARE = 0.05
CODES = {
    "409": (409, "ConditionalRequestConflict"),
    "503": (503, "SlowDown"),
    "skew": (403, "RequestTimeTooSkewed"),
    "denied": (403, "AccessDenied"),
    "500 before": (500, "InternalError"),
    "500 after": (500, "InternalError"),
}
REACH_THE_SERVER = {"500 after", "garbled", "reset after", "truncate", "corrupt", "reset mid-body", "twice"}
CHAOS: dict[str, tuple[Kind, ...]] = {
    "GET": ("500 before", "503", "reset before", "reset mid-body", "truncate", "twice", "blackhole"),
    "PUT": ("500 before", "500 after", "503", "reset before", "reset after", "twice", "blackhole"),
}


@dataclass
class Fault:
    """What happens to the next `times` requests of this method to a key that ends like this."""

    kind: Kind
    method: str = "PUT"
    key: str = ""
    times: int = 1
    meanwhile: Callable[[], object] = lambda: None
    """Runs before the client hears of the failure: what others do in that moment."""


@dataclass
class Faults:
    """The faults still to come, and the proxy's address."""

    endpoint: str = ""
    coming: list[Fault] = field(default_factory=list)
    chance: random.Random | None = None
    """When given, every twentieth request fails, in a way that is drawn too."""
    closed: bool = False
    """The server is being restarted: nothing gets through."""
    heedless: bool = False
    """Conditions get lost on the way, as if the store ignored them."""
    racy: bool = False
    """Conditions get lost where two writers come at once, as if the store looked first and wrote later."""
    at_work: int = 0
    """Conditional writes under way."""
    cached: dict[str, tuple[int, dict[str, str], bytes]] | None = None
    """When given, a cache in front of the store that never forgets."""
    ahead: float = 0.0
    """Seconds that its clock is ahead."""
    served: Counter[str] = field(default_factory=Counter)
    """Requests that came, and the bytes of the bodies that it got and gave."""
    drawn: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: Kind, **how: object) -> None:
        """Let something fail."""
        self.coming.append(Fault(kind, **how))  # type: ignore[arg-type]

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this request."""
        with self.lock:
            for fault in self.coming:
                if fault.times and fault.method == method and path.endswith(fault.key):
                    fault.times -= 1
                    return fault
            if self.chance is not None and self.chance.random() < SHARE:
                kind = self.chance.choice(CHAOS[method])
                self.drawn[kind] += 1
                return Fault(kind)
        return None


@contextmanager
def faulty_proxy(upstream: str) -> Iterator[Faults]:
    """Run a proxy to the server at `upstream`."""
    faults = Faults()

    class Handler(_Handler):
        pass

    Handler.faults, Handler.upstream = faults, urlsplit(upstream).netloc
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        faults.endpoint = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield faults
        server.shutdown()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    faults: Faults
    upstream: str

    def _serve(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._note(requests=1, got=len(sent))
        fault = self.faults.take(self.command, urlsplit(self.path).path)
        kind = fault.kind if fault else None
        status, headers, body = 200, {}, b""
        if self.faults.closed:
            return self._reset()
        try:
            if kind == "twice":
                self._forward(sent)
            if kind is None or kind in REACH_THE_SERVER:
                status, headers, body = self._cached() or self._forward(sent)
        except (OSError, http.client.HTTPException):
            return self._reset()  # the server died
        if fault:
            fault.meanwhile()
        if kind in ("reset before", "reset after"):
            self._reset()
        elif kind == "blackhole":
            time.sleep(3)
            self._reset()
        elif kind == "garbled":
            self._answer(500, {}, b"<?xml version='1.0'?><Error><Code>Inter")
        elif kind in CODES:
            status, code = CODES[kind]
            self._answer(
                status, {}, f"<Error><Code>{code}</Code><Message>on demand</Message></Error>".encode()
            )
        elif kind in ("truncate", "reset mid-body"):
            self._answer(status, headers, body[: len(body) // 2], len(body))
            if kind == "reset mid-body":
                self._reset()
        elif kind == "corrupt":
            self._answer(status, headers, bytes([body[0] ^ 1]) + body[1:])
        else:
            self._answer(status, headers, body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815

    def _forward(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self._headers(sent).items():
            if name.lower() not in ("connection", "expect"):
                connection.putheader(name, value)
        connection.endheaders(sent)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
        if self.faults.ahead:
            kept["Date"] = formatdate(time.time() + self.faults.ahead, usegmt=True)
        return answer.status, kept, body

    def _cached(self) -> tuple[int, dict[str, str], bytes] | None:
        if self.faults.cached is None or self.command != "GET":
            return None
        if self.path not in self.faults.cached:
            self.faults.cached[self.path] = self._forward(b"")
        return self.faults.cached[self.path]

    def _headers(self, sent: bytes) -> dict[str, str]:
        given = dict(self.headers.items())
        if not CONDITIONS & given.keys() or not (self.faults.heedless or self._is_contended()):
            return given
        kept = {name: value for name, value in given.items() if name not in {*CONDITIONS, "Authorization"}}
        url = f"http://{given['Host']}{self.path}"
        request = AWSRequest(self.command, url, headers=kept, data=sent)
        own = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        S3SigV4Auth(own, "s3", "us-east-1").add_auth(request)  # a signature covers the conditions
        return dict(request.headers.items())

    def _is_contended(self) -> bool:
        if not self.faults.racy:
            return False
        with self.faults.lock:
            self.faults.at_work += 1
        time.sleep(0.1)
        contended = self.faults.at_work > 1
        time.sleep(0.1)
        with self.faults.lock:
            self.faults.at_work -= 1
        return contended

    def _answer(self, status: int, headers: dict[str, str], body: bytes, length: int | None = None) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self._note(gave=len(body))
        self.wfile.write(body)
        self.close_connection = length is not None

    def _note(self, **served: int) -> None:
        with self.faults.lock:
            self.faults.served.update(served)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


CONDITIONS = {"If-Match", "If-None-Match"}
HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "keep-alive"}
