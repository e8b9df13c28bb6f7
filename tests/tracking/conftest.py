"""A real MLflow server, and a proxy before it that cuts the line on demand."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

PROGRAM = Path(__file__).parents[2] / ".venv-mlflow" / "bin" / "mlflow"
START_SECONDS = 120


@dataclass
class MLflowServer:
    """An MLflow server in a process of its own."""

    folder: Path
    environment: dict[str, str] = field(repr=False)
    port: int = 0
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.port = self.port or free_port()
        command = [
            *(PROGRAM, "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db"),
            *("--artifacts-destination", str(self.folder / "artifacts")),
        ]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, (self.folder / "server.log").read_text()
            time.sleep(0.5)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server and its workers."""
        assert self.process
        os.killpg(self.process.pid, number)

    def stop(self) -> None:
        self.send(signal.SIGKILL)
        assert self.process
        self.process.wait()

    def _answers(self) -> bool:
        """Also from its database: after `/health` it still loads for seconds."""
        default = f"{self.address}/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default"
        try:
            return httpx.get(default, timeout=30).is_success
        except httpx.HTTPError:
            return False

    def runs(self, experiment: str) -> list[dict[str, Any]]:
        """All runs of an experiment, with parameters, metrics and tags as mappings."""
        api = f"{self.address}/api/2.0/mlflow"
        found = httpx.get(
            f"{api}/experiments/get-by-name", params={"experiment_name": experiment}, timeout=30
        )
        place = found.json()["experiment"]["experiment_id"]
        body = {"experiment_ids": [place], "max_results": 1000}
        answer = httpx.post(f"{api}/runs/search", json=body, timeout=30).raise_for_status().json()
        return [_flat(each) for each in answer.get("runs", [])]

    def history(self, run_id: str, metric: str) -> list[tuple[int, float]]:
        """(step, value) of each point that the server keeps of a metric."""
        query = {"run_id": run_id, "metric_key": metric}
        answer = httpx.get(f"{self.address}/api/2.0/mlflow/metrics/get-history", params=query, timeout=30)
        return [(int(each.get("step", 0)), each["value"]) for each in answer.json().get("metrics", [])]


def _flat(run: dict[str, Any]) -> dict[str, Any]:
    data = {
        name: {e["key"]: e["value"] for e in run["data"].get(name, [])}
        for name in ("params", "metrics", "tags")
    }
    return {**run["info"], **data, "inputs": run.get("inputs", {}).get("dataset_inputs", [])}


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLflowServer]:
    """One server for all tests: it starts for half a minute. Use an experiment of your own."""
    if not PROGRAM.exists():
        pytest.fail("no MLflow server here; 'make .venv-mlflow/.installed' installs one")
    # Its jobs are a dozen processes that nothing here needs.
    idle = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    environment = {**os.environ, **idle}
    server = MLflowServer(tmp_path_factory.mktemp("mlflow"), environment)
    server.start()
    yield server
    server.stop()


class Proxy(ThreadingHTTPServer):
    """Passes `left` requests on to a server; the next answer is lost, and all after that are refused."""

    daemon_threads = True

    def __init__(self, port: int, left: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target, self.left = port, left

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> "Proxy":
        Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        whole = self.server.left > 0
        self.server.left -= 1
        self.close_connection = not whole
        if self.server.left >= -1:
            status, kind, answer = self._pass_on(body)
        if whole:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the server's names

    def _pass_on(self, body: bytes) -> tuple[int, str, bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=30)) as connection:
            kept = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection.request(self.command, self.path, body, kept)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", "application/json"), answer.read()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
