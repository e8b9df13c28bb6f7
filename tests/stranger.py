"""Another user of this machine, who knocks at every door of a stack: `python stranger.py UID KNOCKS`.

KNOCKS is JSON: `ports`, `sockets` (paths), and `requests` (method, path, body). Prints what each door said.
"""

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
from typing import Any

KEY = "owned"  # of an object in the bucket
# How every gRPC call begins; a server that takes it answers with its own settings.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


def ask(port: int, method: str, path: str, body: str, tls: bool) -> str:
    """`STATUS BODY`, or which error ended the conversation."""
    connection: http.client.HTTPConnection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    if tls:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=trusting("http/1.1"))
    try:
        connection.request(method, path, body or None, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return f"{answer.status} {answer.read().decode(errors='replace')}"
    except (OSError, http.client.HTTPException) as error:
        return f"closed: {error!r}"
    finally:
        connection.close()


def greet(address: Any, tls: bool) -> str:
    """The first frame of a gRPC server in hexadecimal, or which error there was."""
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as plain:
        plain.settimeout(10)
        try:
            plain.connect(address)
            with trusting("h2").wrap_socket(plain) if tls else plain as connection:
                connection.sendall(PREFACE)
                return f"greeted: {connection.recv(9).hex()}"
        except OSError as error:
            return f"closed: {error!r}"


def trusting(protocol: str) -> ssl.SSLContext:
    """TLS with any server, without a certificate of our own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context


def requests_for(deployment: str) -> list[tuple[str, str, str]]:
    """How to read, list, write, delete and start a run, at whichever of the stack's servers it is."""
    run, study = (
        '{"parameters": {"result": "theirs"}}',
        '{"study_name": "theirs", "directions": ["minimize"]}',
    )
    event = {
        "event": "burst",
        "occurred": "2026-01-01T00:00:00Z",
        "resource": {"prefect.resource.id": "burst.x"},
    }
    folders = ("/incumbent", "/buckets/incumbent")
    return [
        *(("GET", f"{folder}/{KEY}", "") for folder in folders),
        *(("GET", f"{folder}/", "") for folder in folders),
        *((method, f"{folder}/theirs", "theirs") for folder in folders for method in ("PUT", "POST")),
        *(("DELETE", f"{folder}/{KEY}", "") for folder in folders),
        *(("GET", path, "") for path in ("/dir/assign", "/dir/status", "/vol/status", "/submit")),
        ("GET", "/col/delete?collection=incumbent", ""),
        *(("POST", f"/api/{what}/filter", "{}") for what in ("flow_runs", "deployments", "artifacts")),
        ("POST", f"/api/deployments/{deployment}/create_flow_run", run),
        ("DELETE", f"/api/deployments/{deployment}", ""),
        ("POST", "/api/events", json.dumps([event])),
        ("GET", "/api/csrf-token?client=theirs", ""),
        ("GET", "/api/studies", ""),
        ("POST", "/api/studies", study),
        ("DELETE", "/api/studies/1", ""),
    ]


def as_stranger(
    ports: set[int], sockets: set[str], requests: list[tuple[str, str, str]]
) -> dict[str, list[str]]:
    """What the doors say to another user; without root's rights, to this one, who brings no credentials."""
    root = os.getuid() == 0
    # The sockets are closed by their modes, which are no obstacle for their own owner.
    knocks = {"ports": sorted(ports), "sockets": sorted(sockets) if root else [], "requests": requests}
    command = [sys.executable, __file__, str(65534 if root else os.getuid()), json.dumps(knocks)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def let_in(answers: list[str], mark: str) -> list[str]:
    """The answers that show the mark, are no refusal, or begin to speak gRPC."""
    return [
        answer[:200]
        for answer in answers
        if mark in answer
        or answer[0] in "123"
        or (answer.startswith("greeted: ") and answer[15:17] == "04")  # the type of a frame of settings
    ]


def main(uid: int, knocks: dict[str, Any]) -> None:
    """Become that user, then knock."""
    "127.0.0.1".encode("idna")  # sockets need this codec, whose module that user may not be able to read
    if os.getuid() != uid:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    said: dict[str, list[str]] = {}
    for port in knocks["ports"]:
        said[str(port)] = [
            ask(port, *request, tls) for request in knocks["requests"] for tls in (False, True)
        ]
        said[str(port)] += [greet(("127.0.0.1", port), tls) for tls in (False, True)]
    for path in knocks["sockets"]:
        said[path] = [greet(path, tls) for tls in (False, True)]
    print(json.dumps(said))


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
