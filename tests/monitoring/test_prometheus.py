"""A real Prometheus with every metric: each panel's query has its series, and an alert is sent."""

import json
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from ruamel.yaml import YAML

from dashboards.__main__ import FOLDER
from dashboards.documents import DASHBOARDS
from incumbent.monitoring.metrics import METRICS, Metric
from tests.prometheus import program

pytestmark = pytest.mark.slow

LABELS = {
    "model": ["flights"],
    "version": ["v7"],
    "provisional": ["false"],
    "kind": ["hold", "block"],
    "metric": ["roc_auc"],
    "of": ["promised", "live", "estimated"],
    "verdict": ["passed", "blocked"],
    "step": ["tune"],
    "currency": ["EUR"],
    "path": ["/srv/flights"],
}


def series_of(metric: Metric, value: float) -> Iterator[str]:
    """Its lines in an exposition, one label of several values at most."""
    several = next((label for label in metric.labels if len(LABELS[label]) > 1), None)
    for choice in LABELS[several] if several else [""]:
        labels = {label: choice if label == several else LABELS[label][0] for label in metric.labels}
        written = ", ".join(f'{label}="{each}"' for label, each in labels.items())
        yield f"{metric.name}{{{written}}} {value}"


def exposition() -> bytes:
    """Each metric once or more; times are an hour ago, all else is 1: so a challenger waits for approval."""
    lines = [
        line
        for metric in METRICS.values()
        for line in series_of(metric, time.time() - 3600 if metric.name.endswith("timestamp_seconds") else 1)
    ]
    return "\n".join([*lines, ""]).encode()


@dataclass
class Site:
    """An exporter, a Prefect server's metrics and an Alertmanager, at one address.

    posted: the alerts that Prometheus sent.
    """

    port: int
    posted: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(generate_latest() if self.path == "/api/metrics" else exposition())

        def do_POST(self) -> None:
            site.posted.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer(b"")

        def answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield site
    server.shutdown()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(log: Path, *command: str) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def configuration(site: Site) -> dict[str, Any]:
    targets = [{"targets": [f"127.0.0.1:{site.port}"]}]
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(FOLDER.parent / "alerts.yml")],
        "scrape_configs": [
            {"job_name": "incumbent", "static_configs": targets},
            {"job_name": "prefect", "metrics_path": "/api/metrics", "static_configs": targets},
        ],
        "alerting": {"alertmanagers": [{"api_version": "v2", "static_configs": targets}]},
    }


@dataclass(frozen=True)
class Prometheus:
    """A real one that scrapes and evaluates each second."""

    port: int
    site: Site

    def get(self, path: str, **query: str) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def series(self, expr: str) -> list[dict[str, Any]]:
        return list(self.get("query", query=expr)["result"])


def eventually(look: Callable[[], Any], seconds: float = 60) -> Any:
    """The first true answer; the last one after that time. A server that does not answer yet is none."""
    end = time.monotonic() + seconds
    while True:
        try:
            answer = look()
        except OSError:
            answer = None
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.3)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    address = f"--web.listen-address=127.0.0.1:{port}"
    command = (program("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data", address)
    with serving() as site:
        YAML().dump(configuration(site), folder / "prometheus.yml")
        log = folder / "prometheus.log"
        with running(log, *command):
            server = Prometheus(port, site)
            # Rates need two samples of each job, and alerts an evaluation of the rules.
            wanted = 'count(count_over_time(up[1m]) > 1) == 2 and on () ALERTS{alertstate="firing"}'
            assert eventually(lambda: server.series(wanted)), log.read_text()
            yield server


def targets() -> Iterator[Any]:
    for name in DASHBOARDS:
        page = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        for panel in page["panels"]:
            for target in panel["targets"]:
                legend = target["legendFormat"]
                yield pytest.param(target["expr"], legend, id=f"{name}, {panel['title']}, {target['refId']}")
        for annotation in page.get("annotations", {}).get("list", []):
            legend = annotation["titleFormat"]
            yield pytest.param(annotation["expr"], legend, id=f"{name}, {annotation['name']}")


@pytest.mark.parametrize(("expr", "legend"), targets())
def test_a_panel_shows_something(prometheus: Prometheus, expr: str, legend: str) -> None:
    series = prometheus.series(expr.replace("$model", "flights"))
    assert series
    for label in re.findall(r"{{(\w+)}}", legend):
        assert all(label in each["metric"] for each in series)


def test_the_choice_of_models_names_those_that_there_are(prometheus: Prometheus) -> None:
    assert prometheus.get("label/model/values", **{"match[]": "incumbent_up"}) == ["flights"]


def test_an_alert_fires_and_is_sent_with_what_it_means_and_what_to_do(prometheus: Prometheus) -> None:
    def told() -> list[dict[str, Any]]:
        pending = "IncumbentPendingApproval"
        return [each for each in prometheus.site.posted if each["labels"]["alertname"] == pending]

    firing = {alert["labels"]["alertname"] for alert in prometheus.get("alerts")["alerts"]}
    assert "IncumbentPendingApproval" in firing
    [alert, *_] = eventually(told)
    assert alert["labels"]["model"] == "flights"
    assert alert["annotations"]["summary"] == "flights: a challenger waits for approval"
    assert "incumbent models approve VERSION" in alert["annotations"]["description"]
    assert alert["annotations"]["runbook_url"] == "docs/runbook.md#pending-approval"
