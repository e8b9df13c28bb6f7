"""`incumbent models history --cost`: what each run cost, and what staying fresh costs."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from ruamel.yaml import YAML
from typer.testing import CliRunner

from incumbent.cli.commands import app
from incumbent.evaluation.cost import Usage, cost_document
from incumbent.machine.resources import Resources
from incumbent.params import load_params
from incumbent.storage.dataset.git import git
from incumbent.storage.registry.costs import record_cost
from incumbent.storage.registry.registry import Registry, open_registry
from tests.building import ROOT
from tests.conftest import BUCKET, S3
from tests.storage.clones import identify


@pytest.fixture
def project(s3: S3, tmp_path: Path) -> Path:
    """A project whose registry has nothing yet."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["registry"]["address"] = f"s3://{BUCKET}/{tmp_path.name}/registry"
    params["cost"] = {"cpu_hour": 36, "gpu_hour": 360, "currency": "EUR"}
    yaml.dump(params, tmp_path / "params.yaml")
    shutil.copytree(ROOT / ".dvc", tmp_path / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache"))
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    identify(tmp_path)
    git(tmp_path, "add", "params.yaml")
    git(tmp_path, "commit", "--quiet", "--message", "Start")
    return tmp_path


@pytest.fixture
def registry(project: Path) -> Registry:
    return open_registry(load_params(project), project)


def ran(project: Path, *args: str) -> Result:
    return CliRunner().invoke(app, ["models", "history", *args, "--project", str(project)])


def record(registry: Registry, project: Path, kind: str, cpu: float, gpu: float = 0.0) -> None:
    seq = registry.start_run({})
    usage = Usage(Resources(cpu, 10**9, gpu, None, 10**9 if gpu else 0), 2 * cpu, 40, 1, 3_000_000, 1_000_000)
    document = cost_document(usage, load_params(project).cost)
    at = f"2026-11-28T10:{seq:02d}:00.000000+00:00"
    record_cost(registry, seq, {"run": seq, "decision": kind, "at": at, **document})


def test_each_run_is_listed_and_the_sums_by_decision(project: Path, registry: Registry) -> None:
    for kind, cpu, gpu in (("promote", 100.0, 50.0), ("skip", 2.0, 0.0), ("skip", 4.0, 0.0)):
        record(registry, project, kind, cpu, gpu)
    registry.start_run({})  # it has no cost yet
    document: dict[str, Any] = json.loads(ran(project, "--cost", "--json").stdout)
    assert [(each["run"], each["decision"], each["cpu_seconds"]) for each in document["runs"]] == [
        (1, "promote", 100.0),
        (2, "skip", 2.0),
        (3, "skip", 4.0),
    ]
    skips = document["by_decision"]["skip"]
    assert (skips["runs"], skips["cpu_seconds"], skips["gpu_seconds"], skips["s3_requests"]) == (
        2,
        6.0,
        None,
        80,
    )
    assert skips["money"] == {"EUR": pytest.approx(0.06)}
    assert document["total"]["money"] == {"EUR": pytest.approx(1.06 + 5)}
    assert document["total"]["received_bytes"] == 9_000_000


def test_people_read_a_table_of_runs_and_one_of_decisions(project: Path, registry: Registry) -> None:
    record(registry, project, "promote", 100.0, 50.0)
    record(registry, project, "skip", 2.0)
    lines = [" ".join(line.split()) for line in ran(project, "--cost").stdout.splitlines()]
    assert lines == [
        "run at decision CPU s GPU s wall s S3 requests MB moved money",
        "1 2026-11-28T10:01:00 promote 100.0 50.0 200.0 40 4.0 6.0000 EUR",
        "2 2026-11-28T10:02:00 skip 2.0 – 4.0 40 4.0 0.0200 EUR",
        "",
        "decision runs CPU s GPU s wall s S3 requests MB moved money",
        "promote 1 100.0 50.0 200.0 40 4.0 6.0000 EUR",
        "skip 1 2.0 – 4.0 40 4.0 0.0200 EUR",
        "all 2 102.0 50.0 204.0 80 8.0 6.0200 EUR",
    ]


def test_prices_in_two_currencies_are_not_added(project: Path, registry: Registry) -> None:
    record(registry, project, "hold", 100.0)
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("EUR", "USD"))
    record(registry, project, "hold", 200.0)
    assert "1.0000 EUR, 2.0000 USD" in ran(project, "--cost").stdout


def test_a_registry_without_costs_says_so(project: Path) -> None:
    assert ran(project, "--cost").stdout == "no run has recorded its cost yet\n"


def test_a_moment_has_no_cost(project: Path) -> None:
    done = ran(project, "--cost", "--at", "2026-11-25T14:00Z")
    assert done.exit_code == 2
    assert "--at asks for one moment" in done.output
