"""A real Prometheus beside the stack: it has every metric of a living project, and lets in nobody else."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from incumbent.local import stack
from incumbent.local.login import login
from incumbent.local.monitoring import RULES, UNPACKED
from incumbent.monitoring.metrics import METRICS
from tests.flows.conftest import Project
from tests.prometheus import program

pytestmark = pytest.mark.slow

OF_COSTS = ("incumbent_run_cpu", "incumbent_run_peak", "incumbent_s3")
UNCOMMON = ("incumbent_run_gpu", "incumbent_run_money")
"""A machine without a GPU, params.yaml without rates."""
OF_SCORED_ROWS = ("incumbent_champion_decayed", "incumbent_metric_low", "incumbent_metric_high")


@dataclass(frozen=True)
class Monitored:
    """The project's stack with exporter and Prometheus."""

    project: Project
    addresses: dict[str, str]
    login: tuple[str, str]

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """(labels, value) of each series, by Prometheus."""
        page = self.addresses["prometheus"].replace("/graph", "/api/v1/query")
        answer = httpx.get(page, params={"query": query}, auth=self.login).raise_for_status().json()
        return [(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]

    def wait(self, condition: Callable[[], Any], seconds: float = 100) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := condition()):
            assert time.monotonic() < deadline, self.ask('{__name__=~"incumbent_.*|up"}')
            time.sleep(1)
        return answer


@pytest.fixture(scope="module")
def monitored(project: Project, arrival: dict[str, Any]) -> Monitored:
    place = project.path / UNPACKED / "prometheus"
    place.parent.mkdir(parents=True)
    place.symlink_to(program("prometheus"))
    before = stack.status(project.path)["services"]
    done = project.typed("up", "--monitoring")
    assert done.code == 0, done.err
    after = stack.status(project.path)
    assert {name: after["services"][name] for name in before} == before  # nothing was restarted
    user, _, password = login(stack.stack_of(project.path)).partition(":")
    return Monitored(project, after["addresses"], (user, password))


def test_it_scrapes_the_exporter_prefect_and_itself(monitored: Monitored) -> None:
    jobs = {"incumbent", "prefect", "prometheus"}
    monitored.wait(lambda: {each["job"] for each, up in monitored.ask("up") if up == 1} == jobs)


def test_every_metric_that_the_project_can_have_is_there(monitored: Monitored) -> None:
    champion = monitored.project.champion()
    query = f'incumbent_champion_info{{version="{champion}"}}'
    [(labels, _)] = monitored.wait(lambda: monitored.ask(query))
    assert labels["model"] == "flights"
    names = {each["__name__"] for each, _ in monitored.ask('{__name__=~"incumbent_.+"}')}
    has_costs = any(key.endswith("/cost.json") for key in monitored.project.listing())
    rare = UNCOMMON + OF_SCORED_ROWS + (() if has_costs else OF_COSTS)
    assert {name for name in METRICS if not name.startswith(rare)} <= names <= set(METRICS)


def test_a_run_that_fails_is_counted_and_alerts(monitored: Monitored) -> None:
    query = 'incumbent_run_errors_total{model="flights", kind="Failed"}'
    [(_, before)] = monitored.wait(lambda: monitored.ask(query))
    assert monitored.project.typed("retrain", "--data-rev", "no-such-revision").code == 1
    monitored.wait(lambda: monitored.ask(query)[0][1] == before + 1)
    alert = 'ALERTS{alertname="IncumbentRunsFail", alertstate="firing"}'
    [(labels, _)] = monitored.wait(lambda: monitored.ask(alert))
    assert (labels["model"], labels["kind"]) == ("flights", "Failed")


def test_a_retraining_that_waits_hides_nothing(monitored: Monitored) -> None:
    [deployment] = monitored.project.api(
        "deployments/filter", {"deployments": {"name": {"any_": ["by-hand"]}}}
    )
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    scheduled = {"type": "SCHEDULED", "state_details": {"scheduled_time": later}}
    run = monitored.project.api(f"deployments/{deployment['id']}/create_flow_run", {"state": scheduled})
    try:
        page = httpx.get(monitored.addresses["metrics"], auth=monitored.login, timeout=20).text
    finally:
        monitored.project.api(
            f"flow_runs/{run['id']}/set_state", {"state": {"type": "CANCELLED"}, "force": True}
        )
    assert run["start_time"] is None
    assert 'incumbent_run_errors_total{kind="Failed",model="flights"}' in page


def test_prometheus_evaluates_the_rules_without_an_error(monitored: Monitored) -> None:
    page = monitored.addresses["prometheus"].replace("/graph", "/api/v1/rules")
    answer = httpx.get(page, auth=monitored.login).json()
    rules = [rule for group in answer["data"]["groups"] for rule in group["rules"]]
    assert {group["file"] for group in answer["data"]["groups"]} == {str(RULES)}
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
    assert len(rules) > 10


def test_promtool_finds_nothing_wrong_with_the_page(monitored: Monitored) -> None:
    page = httpx.get(monitored.addresses["metrics"], auth=monitored.login).text
    done = subprocess.run(
        [program("promtool"), "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_nobody_gets_in_without_the_login(monitored: Monitored) -> None:
    root = monitored.addresses["prometheus"].replace("/graph", "")
    for page in (monitored.addresses["metrics"], root, f"{root}/api/v1/query?query=up", f"{root}/metrics"):
        assert httpx.get(page).status_code == 401
        assert httpx.get(page, auth=("incumbent", "guessed")).status_code == 401


def test_status_and_ui_name_the_addresses(monitored: Monitored) -> None:
    for command in (["status"], ["ui", "--no-browser"]):
        assert monitored.addresses["prometheus"] in monitored.project.run(*command).out


def test_a_server_that_hangs_leaves_the_rest_of_a_scrape(monitored: Monitored) -> None:
    """Prefect's figures are absent meanwhile, rather than old."""
    server = stack.processes.running(stack.stack_of(monitored.project.path), "prefect")
    assert server
    server.suspend()
    try:
        begun = time.monotonic()
        page = httpx.get(monitored.addresses["metrics"], auth=monitored.login, timeout=20).text
        assert time.monotonic() - begun < 15
    finally:
        server.resume()
    assert 'incumbent_up{model="flights"} 1.0' in page
    assert "incumbent_run_errors_total{" not in page
