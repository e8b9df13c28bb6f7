"""Serve optuna-dashboard, which has no users of its own, behind a login.

Address and login come from the environment, as every user of the machine can read command lines.
"""

import hmac
import os
import sys
from base64 import b64encode
from collections.abc import Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIServer, make_server

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class Server(ThreadingMixIn, WSGIServer):
    """Answers each request in a thread."""

    daemon_threads = True


def behind_login(app: "WSGIApplication", login: str) -> "WSGIApplication":
    """The application behind basic authentication by `login` (`user:password`); 401 without it."""
    wanted = b"Basic " + b64encode(login.encode())

    def guarded(request: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        given = request.get("HTTP_AUTHORIZATION", "").encode()
        if not hmac.compare_digest(given, wanted):
            challenge = ("WWW-Authenticate", 'Basic realm="incumbent", charset="UTF-8"')
            start("401 Unauthorized", [challenge, ("Content-Type", "text/plain")])
            return [b"log in as 'incumbent ui' says\n"]
        if _is_cross_site_write(request):
            start("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"refused: another web page made this request\n"]
        return app(request, start)

    return guarded


def _is_cross_site_write(request: "WSGIEnvironment") -> bool:
    # A browser that has the login sends it with the requests of every page, also of another site.
    reads = request["REQUEST_METHOD"] in {"GET", "HEAD"}
    return not reads and request.get("HTTP_SEC_FETCH_SITE", "none") not in {"none", "same-origin"}


def main(host: str, port: int) -> None:
    """Serve until the process is stopped."""
    from optuna_dashboard import wsgi

    from incumbent.search.studies import with_driver

    app = wsgi(with_driver(os.environ["INCUMBENT_STUDIES"]))
    make_server(host, port, behind_login(app, os.environ["INCUMBENT_LOGIN"]), Server).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
