"""The pools' job templates, as Prefect's own worker renders them, and the exporter: Kubernetes takes them."""

import asyncio
import json
import uuid
from typing import Any

import kubernetes_validate
import pytest
from jsonschema import ValidationError, validate
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration
from ruamel.yaml import YAML

from tests.building import ROOT

NOWHERE = PrefectClient("http://127.0.0.1:9/api")  # a template without blocks asks the server nothing
DEPLOYMENTS = YAML(typ="safe").load((ROOT / "prefect.yaml").read_text())["deployments"]
OWN = {"image": "registry.example/incumbent:1", "repository": "https://git.example/team/flights.git"}


def template(pool: str) -> dict[str, Any]:
    return dict(json.loads((ROOT / "kubernetes" / f"{pool}.json").read_text()))


def job(pool: str, **variables: Any) -> dict[str, Any]:
    """The manifest that the worker of this pool submits for a run with these job variables."""
    values = {**OWN, **variables}
    validate(values, template(pool)["variables"])
    made = asyncio.run(
        KubernetesWorkerJobConfiguration.from_template_and_values(template(pool), values, client=NOWHERE)
    )
    made.prepare_for_flow_run(FlowRun(flow_id=uuid.uuid4(), name="calm-cat"))
    return dict(made.job_manifest)


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return found


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    return dict(pod(manifest)["containers"][0])


def environment(manifest: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container(manifest)["env"]}


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each["name"])
def test_kubernetes_takes_the_job_of_every_deployment(deployment: dict[str, Any]) -> None:
    wanted = deployment["work_pool"]
    manifest = job(wanted["name"], **wanted["job_variables"])
    for key in ("parallelism", "completions"):
        # Prefect's worker insists on them at this place, where Kubernetes knows no such field and drops it.
        del pod(manifest)[key]
    kubernetes_validate.validate(manifest, str(kubernetes_validate.latest_version()), strict=True)
    assert container(manifest)["args"] == ["python", "-m", "prefect.engine"]
    # A busy neighbour would slow LightGBM; a run that falls silent is told by its heartbeat.
    assert environment(manifest)["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment(manifest)["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"


def test_the_pool_gpu_asks_for_gpus_and_tolerates_their_nodes() -> None:
    one, four = (container(job("gpu", **asked))["resources"]["limits"] for asked in ({}, {"gpus": 4}))
    assert (one["nvidia.com/gpu"], four["nvidia.com/gpu"]) == (1, 4)
    assert pod(job("gpu"))["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert "nvidia.com/gpu" not in json.dumps(job("cpu"))


@pytest.mark.parametrize("pool", ["cpu", "gpu"])
def test_a_run_has_memory_of_its_own_and_time_to_give_its_claim_back(pool: str) -> None:
    manifest = job(pool, memory_request="32Gi", memory_limit="48Gi")
    resources = container(manifest)["resources"]
    assert (resources["requests"]["memory"], resources["limits"]["memory"]) == ("32Gi", "48Gi")
    assert pod(manifest)["terminationGracePeriodSeconds"] >= 20
    # A crash is not started again by itself: the next run takes the claim over.
    assert (manifest["spec"]["backoffLimit"], pod(manifest)["restartPolicy"]) == (0, "Never")
    with pytest.raises(ValidationError, match="minimum"):
        job(pool, grace_seconds=5)


@pytest.mark.parametrize("pool", ["cpu", "gpu"])
def test_a_run_starts_in_a_clone_with_the_secrets_environment(pool: str) -> None:
    manifest = job(
        pool,
        branch="release",
        secret="of-flights",
        folder="models/flights",
        env={"AWS_ENDPOINT_URL": "http://s3:8333"},
    )
    (clone,) = pod(manifest)["initContainers"]
    assert clone["command"] == ["git", "clone", "--branch", "release", OWN["repository"], "/project"]
    assert (clone["image"], container(manifest)["image"]) == (OWN["image"], OWN["image"])
    assert container(manifest)["workingDir"] == "/project/models/flights"
    assert clone["volumeMounts"] == container(manifest)["volumeMounts"]
    for each in (clone, container(manifest)):
        assert each["envFrom"] == [{"secretRef": {"name": "of-flights"}}]
    assert environment(manifest)["AWS_ENDPOINT_URL"] == "http://s3:8333"
    assert environment(manifest)["OMP_WAIT_POLICY"] == "PASSIVE"


def test_kubernetes_takes_the_exporter_which_serves_where_its_service_looks() -> None:
    text = (ROOT / "kubernetes" / "metrics.yaml").read_text()
    deployment, service = YAML(typ="safe").load_all(text)
    for manifest in (deployment, service):
        kubernetes_validate.validate(manifest, str(kubernetes_validate.latest_version()), strict=True)
    metrics = deployment["spec"]["template"]["spec"]["containers"][0]
    assert metrics["command"][:2] == ["incumbent", "metrics"]
    [served], [port] = metrics["ports"], service["spec"]["ports"]
    assert metrics["command"][-1] == f"0.0.0.0:{served['containerPort']}"
    assert port["targetPort"] == served["name"]


@pytest.mark.parametrize("missing", sorted(OWN))
def test_a_pool_without_image_or_repository_is_refused(missing: str) -> None:
    variables = template("cpu")["variables"]
    with pytest.raises(ValidationError, match=missing):
        validate({name: value for name, value in OWN.items() if name != missing}, variables)
