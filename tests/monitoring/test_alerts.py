"""Each rule fires when it should and only then, by promtool; its text leads to a page that is there."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from incumbent.params.metrics import METRICS
from tests.prometheus import program

ROOT = Path(__file__).parents[2]
RULES = ROOT / "incumbent" / "monitoring" / "alerts.yml"
[GROUP] = YAML(typ="safe").load(RULES)["groups"]
ALERTS = {rule["alert"]: rule for rule in GROUP["rules"]}

UP = 'incumbent_up{model="m"}'
DATA, CHAMPION = (f'incumbent_{of}_timestamp_seconds{{model="m"}}' for of in ("data", "champion"))
ERRORS = 'incumbent_run_errors_total{model="m", kind="Failed"}'
ANOMALIES = 'incumbent_training_anomalies_total{model="m", kind="slow_trial"}'
CLOCK = "incumbent_clock_offset_seconds"
DISK = 'incumbent_disk_free_ratio{path="/srv"}'


def decided(kind: str) -> str:
    return f'incumbent_last_decision_timestamp_seconds{{model="m", kind="{kind}"}}'


def bounds(metric: str, **values: tuple[float, float]) -> dict[str, str]:
    """Intervals (low, high) of a metric that stay as they are; of: promised, live, estimated."""
    return {
        f'incumbent_metric_{bound}{{model="m", metric="{metric}", of="{of}"}}': f"{value}x200"
        for of, interval in values.items()
        for bound, value in zip(("low", "high"), interval, strict=True)
    }


def of_two_exporters(series: str) -> list[str]:
    return [series.replace("}", f', instance="{each}"}}') for each in ("a", "b")]


@dataclass(frozen=True)
class Case:
    """Series in promtool's notation, a sample each interval from 0 on; at: when to look."""

    alert: str
    at: str
    series: Mapping[str, str]
    interval: str = "1m"


FIRES = {
    "the exporter is down": Case("IncumbentMetricsAbsent", "20m", {UP: "1x4 stale"}),
    "the exporter never ran": Case("IncumbentMetricsAbsent", "11m", {}),
    "a model can't be read": Case("IncumbentModelUnreadable", "25m", {UP: "1x5 0x20"}),
    "no data for three days": Case("IncumbentNoData", "73h", {DATA: "0x73"}, "1h"),
    "a version has no decision for six hours": Case(
        "IncumbentUndecided", "7h", {DATA: "1800x420", decided("hold"): "900x420"}
    ),
    "a first version has no decision": Case("IncumbentUndecided", "7h", {DATA: "60x420"}),
    "two exporters know of a version without a decision": Case(
        "IncumbentUndecided", "7h", dict.fromkeys(of_two_exporters(DATA), "60x420")
    ),
    "data came, and nothing beat an old champion": Case(
        "IncumbentStaleChampion", "91d", {CHAMPION: "0x91", DATA: "7200000x91"}, "1d"
    ),
    "monitor found a decay": Case("IncumbentDecayed", "5m", {'incumbent_champion_decayed{model="m"}': "1x5"}),
    "an estimated score is below what was promised": Case(
        "IncumbentEstimatedDecay", "70m", bounds("roc_auc", promised=(0.7, 0.8), estimated=(0.6, 0.69))
    ),
    "an estimated error is above what was promised": Case(
        "IncumbentEstimatedDecay", "70m", bounds("rmse", promised=(1.0, 2.0), estimated=(2.1, 3.0))
    ),
    "data were blocked an hour ago": Case("IncumbentBlocked", "2h", {decided("block"): "3600x120"}),
    "data were blocked, and a good version decided after": Case(
        "IncumbentBlocked", "2h", {decided("block"): "3600x120", decided("hold"): "5400x120"}
    ),
    "two partitions are on probation": Case(
        "IncumbentOnProbation", "5m", {'incumbent_probation_partitions{model="m"}': "2x5"}
    ),
    "a winner waits": Case(
        "IncumbentPendingApproval", "5m", {'incumbent_pending_approvals{model="m"}': "1x5"}
    ),
    "another run fails": Case("IncumbentRunsFail", "100m", {UP: "1x100", ERRORS: "3x80 4x20"}),
    "a run fails in the first hour": Case("IncumbentRunsFail", "20m", {UP: "1x20", ERRORS: "0x10 1x10"}),
    "a run fails after the count began anew": Case(
        "IncumbentRunsFail", "100m", {UP: "1x100", ERRORS: "3x60 0x20 1x20"}
    ),
    "a trial is slow": Case("IncumbentTrainingAnomaly", "100m", {UP: "1x100", ANOMALIES: "0x80 1x20"}),
    "a trial is slow in the first hour": Case(
        "IncumbentTrainingAnomaly", "20m", {UP: "1x20", ANOMALIES: "0x10 1x10"}
    ),
    "the champion's entry was changed": Case(
        "IncumbentRegistryUnverified", "5m", {'incumbent_registry_verified{model="m"}': "1x2 0x3"}
    ),
    "the clock is behind": Case("IncumbentClockOff", "15m", {CLOCK: "-31x15"}),
    "the clock is ahead": Case("IncumbentClockOff", "15m", {CLOCK: "900x15"}),
    "the disk is nearly full": Case("IncumbentDiskNearlyFull", "15m", {DISK: "0.2x5 0.09x10"}),
}
SILENT = {
    "the exporter is restarted": Case("IncumbentMetricsAbsent", "20m", {UP: "1x4 stale _x5 1x10"}),
    "one of two models was removed": Case(
        "IncumbentMetricsAbsent", "30m", {UP: "1x4 stale", 'incumbent_up{model="n"}': "1x30"}
    ),
    "one scrape in the middle fails": Case("IncumbentModelUnreadable", "25m", {UP: "1x12 0 1x12"}),
    "an unreadable model was removed": Case("IncumbentModelUnreadable", "25m", {UP: "0x5 stale"}),
    "data come each day": Case("IncumbentNoData", "73h", {DATA: "86400x73"}, "1h"),
    "a model without data was removed": Case("IncumbentNoData", "80h", {DATA: "0x74 stale"}, "1h"),
    "no series of data": Case("IncumbentNoData", "80h", {UP: "1x80"}, "1h"),
    "two exporters know of a decision": Case(
        "IncumbentUndecided",
        "7h",
        {each: "60x420" for series in (DATA, decided("skip")) for each in of_two_exporters(series)},
    ),
    "the version was skipped": Case(
        "IncumbentUndecided",
        "7h",
        {DATA: "1800x420", decided("skip"): "1900x420", decided("hold"): "900x420"},
    ),
    "a run takes its hours": Case(
        "IncumbentUndecided", "7h", {DATA: "10000x420", decided("hold"): "900x420"}
    ),
    "a champion is old, as nothing came": Case(
        "IncumbentStaleChampion", "91d", {CHAMPION: "3600x91", DATA: "0x91"}, "1d"
    ),
    "a champion of 89 days": Case(
        "IncumbentStaleChampion", "89d", {CHAMPION: "0x91", DATA: "7200000x91"}, "1d"
    ),
    "no champion yet": Case("IncumbentStaleChampion", "91d", {DATA: "7200000x91"}, "1d"),
    "monitor found none": Case("IncumbentDecayed", "5m", {'incumbent_champion_decayed{model="m"}': "0x5"}),
    "monitor found none for a new champion": Case(
        "IncumbentDecayed", "5m", {'incumbent_champion_decayed{model="m"}': "1x2 0x3"}
    ),
    "an estimated score within what was promised": Case(
        "IncumbentEstimatedDecay", "70m", bounds("roc_auc", promised=(0.7, 0.8), estimated=(0.6, 0.71))
    ),
    "an estimated score is better": Case(
        "IncumbentEstimatedDecay", "70m", bounds("f1_macro", promised=(0.7, 0.8), estimated=(0.9, 0.95))
    ),
    "an estimated error is lower": Case(
        "IncumbentEstimatedDecay", "70m", bounds("log_loss", promised=(1.0, 2.0), estimated=(0.1, 0.2))
    ),
    "a live score says it, and no estimate": Case(
        "IncumbentEstimatedDecay", "70m", bounds("roc_auc", promised=(0.7, 0.8), live=(0.6, 0.69))
    ),
    "data were blocked yesterday": Case("IncumbentBlocked", "26h", {decided("block"): "3600x1560"}),
    "a version was held": Case("IncumbentBlocked", "2h", {decided("hold"): "3600x120"}),
    "none is on probation": Case(
        "IncumbentOnProbation", "5m", {'incumbent_probation_partitions{model="m"}': "2x2 0x3"}
    ),
    "the winner was answered": Case(
        "IncumbentPendingApproval", "5m", {'incumbent_pending_approvals{model="m"}': "1x2 0x3"}
    ),
    "runs failed long ago": Case("IncumbentRunsFail", "200m", {UP: "1x200", ERRORS: "3x80 4x120"}),
    "Prometheus is new, and runs failed before": Case(
        "IncumbentRunsFail", "10m", {UP: "1x10", ERRORS: "3x10"}
    ),
    "the server that counts failures was down for hours": Case(
        "IncumbentRunsFail", "250m", {UP: "1x300", ERRORS: "3x60 _x180 3x60"}
    ),
    "the count of failures began anew": Case("IncumbentRunsFail", "100m", {UP: "1x100", ERRORS: "3x60 0x40"}),
    "Prometheus is new, and a trial was slow before": Case(
        "IncumbentTrainingAnomaly", "10m", {UP: "1x10", ANOMALIES: "3x10"}
    ),
    "a model with slow trials was removed an hour ago": Case(
        "IncumbentTrainingAnomaly", "130m", {UP: "1x60 stale", ANOMALIES: "0x50 1x10 stale"}
    ),
    "the registry verifies": Case(
        "IncumbentRegistryUnverified", "5m", {'incumbent_registry_verified{model="m"}': "1x5"}
    ),
    "no champion to verify": Case("IncumbentRegistryUnverified", "5m", {UP: "1x5"}),
    "clocks agree": Case("IncumbentClockOff", "15m", {CLOCK: "-3x15"}),
    "one measurement of the clock is off": Case("IncumbentClockOff", "15m", {CLOCK: "0x6 700 0x8"}),
    "the disk has room": Case("IncumbentDiskNearlyFull", "15m", {DISK: "0.11x15"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FIRES)
def test_it_fires_when(name: str, tmp_path: Path) -> None:
    check(FIRES[name], tmp_path, firing=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", SILENT)
def test_it_is_silent_when(name: str, tmp_path: Path) -> None:
    check(SILENT[name], tmp_path, firing=0)


def check(case: Case, folder: Path, firing: int) -> None:
    """Fails with promtool's own words if another number of alerts of this name fires."""
    expected = [{"labels": f'{{alertname="{case.alert}"}}', "value": firing}] if firing else []
    query = f'count by (alertname) (ALERTS{{alertname="{case.alert}", alertstate="firing"}})'
    test = {
        "interval": case.interval,
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": [{"expr": query, "eval_time": case.at, "exp_samples": expected}],
    }
    document = {"rule_files": [str(RULES)], "evaluation_interval": case.interval, "tests": [test]}
    file = folder / "test.yml"
    YAML().dump(document, file)
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def promtool(*arguments: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("promtool"), *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.slow
def test_the_rules_are_sound_by_promtools_own_check() -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("cases", [FIRES, SILENT], ids=["fires", "silent"])
def test_each_rule_has_its_cases(cases: Mapping[str, Case]) -> None:
    assert {case.alert for case in cases.values()} == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_it_means_and_links_its_section_of_the_runbook(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("critical", "warning")
    page, anchor = rule["annotations"]["runbook_url"].split("#")
    assert anchor in anchors(ROOT / page)
    assert f"`{alert}`" in section(ROOT / page, anchor)
    assert rule["annotations"]["description"].count(". ") >= 1  # what it means, and what to do


def automations() -> Iterator[Any]:
    """Of the flow alert, in prefect.yaml."""
    [alert] = (
        each
        for each in YAML(typ="safe").load(ROOT / "prefect.yaml")["deployments"]
        if each["name"] == "alert"
    )
    for trigger in alert["triggers"]:
        yield pytest.param(trigger["parameters"]["details"], id=trigger["expect"][0])


@pytest.mark.parametrize("details", automations())
def test_an_alert_of_prefect_links_its_section_of_the_runbook(details: str) -> None:
    page, anchor = details.rsplit(maxsplit=1)[-1].split("#")
    assert anchor in anchors(ROOT / page)
    assert "from Prefect" in " ".join(section(ROOT / page, anchor).split())


def anchors(page: Path) -> list[str]:
    """Of the sections, as GitHub makes them."""
    titles = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]


def section(page: Path, anchor: str) -> str:
    """The text below a heading."""
    parts = re.split(r"^## .+$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return parts[1 + anchors(page).index(anchor)]


def test_the_rule_on_estimates_knows_of_which_metrics_higher_is_better() -> None:
    [higher, lower] = re.findall(r'metric(=~|!~)"(.+?)"', ALERTS["IncumbentEstimatedDecay"]["expr"])
    assert (higher[0], lower[0]) == ("=~", "!~")
    for pattern in (higher[1], lower[1]):
        matched = {name for name in METRICS if re.fullmatch(pattern, name)}
        assert matched == {name for name, metric in METRICS.items() if metric.greater_is_better}
