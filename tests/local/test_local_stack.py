"""The local stack, with its real servers, in a project whose path is too long for a Unix socket."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import httpx
import optuna
import psutil
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from incumbent.errors import IncumbentError, StorageUnavailable
from incumbent.learners.devices import slots
from incumbent.local import processes
from incumbent.local.loopback import ask_prefect, is_healthy
from incumbent.local.stack import SERVICES, Stack, down, environment, status, up
from incumbent.local.state import make_private_dirs, write_private
from incumbent.search.studies import address_of
from tests.prefect_api import prefect_api
from tests.stranger import KEY, as_stranger, let_in, requests_for

SERVICE_NAMES = {"s3", "prefect", "dashboard", "worker-cpu", "worker-gpu"}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

FLOW = """
import json, os, sys, time
from prefect import flow

@flow
def tiny(result: str, seconds: float = 0):
    seen = {"python": sys.executable, "cwd": os.getcwd(), **os.environ}
    open(result, "w").write(json.dumps(seen))
    time.sleep(seconds)
"""
BY_HAND = """
import sys, time
from pathlib import Path
from incumbent.cli.ending import orderly
from incumbent.local.hand_runs import by_hand
with orderly(), by_hand(Path(sys.argv[1])):
    print("works", flush=True)
    time.sleep(100)
"""
PREFECT_YAML = """
deployments:
  - name: tiny
    entrypoint: flows/tiny.py:tiny
    work_pool: {name: cpu, job_variables: {command: python -m prefect.engine}}
    concurrency_limit: {limit: 1, collision_strategy: ENQUEUE}
    triggers:
      - type: event
        match: {prefect.resource.id: "incumbent.dataset.*"}
        expect: [dataset.version.created]
        posture: Reactive
        threshold: 1
        within: 0
  - name: tiny-later
    entrypoint: flows/tiny.py:tiny
    work_pool: {name: cpu}
    triggers:
      - type: event
        match: {prefect.resource.id: "burst.*"}
        expect: [burst]
        posture: Reactive
        threshold: 1
        within: 0
        schedule_after: 36000
        parameters: {result: "event {{ event.id }}"}
  - name: tiny-daily
    entrypoint: flows/tiny.py:tiny
    work_pool: {name: cpu}
    schedules: [{interval: 86400}]
  - name: tiny-gpu
    entrypoint: flows/tiny.py:tiny
    work_pool: {name: gpu, job_variables: {command: python -m prefect.engine}}
"""
PREFECT = Subprotocol("prefect")
JSON = {"Accept": "application/json"}
FOREIGN = {
    "PREFECT_API_URL": "http://127.0.0.1:9/api",
    "PREFECT_PROFILE": "theirs",
    "AWS_SESSION_TOKEN": "theirs",
    "AWS_ACCESS_KEY_ID": "theirs",
    "AWS_SECRET_ACCESS_KEY": "theirs",
}


def quiet(_line: str) -> None:
    """Print nothing."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a running stack, started by a user who also has another Prefect and another S3."""
    folder = tmp_path_factory.mktemp("stack") / ("deep-" * 12) / ("path-" * 12)
    (folder / "flows").mkdir(parents=True)
    (folder / "flows" / "tiny.py").write_text(FLOW)
    (folder / "prefect.yaml").write_text(PREFECT_YAML)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in FOREIGN.items():
            patch.setenv(name, value)
        try:
            up(folder, quiet)
            yield folder
        finally:
            down(folder, quiet)


def client(project: Path, **changes: Any) -> Any:
    """A boto3 client with the stack's variables."""
    variables = environment(project)
    options = {
        "endpoint_url": variables["AWS_ENDPOINT_URL"],
        "aws_access_key_id": variables["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": variables["AWS_SECRET_ACCESS_KEY"],
        "aws_session_token": None,
        "region_name": variables["AWS_DEFAULT_REGION"],
    }
    return boto3.session.Session().client("s3", **{**options, **changes})


def pids(project: Path) -> dict[str, int | None]:
    """The pid of each service."""
    return {name: service["pid"] for name, service in status(project)["services"].items()}


def everything(project: Path) -> list[psutil.Process]:
    """All processes of the stack, whoever their parent is."""
    return processes.strays(Stack(project.resolve()))


def api(project: Path, path: str, **body: Any) -> Any:
    """The answer of the Prefect server to a POST."""
    return ask_prefect(environment(project), path, body)


def now(ahead: timedelta = timedelta()) -> str:
    """In ISO 8601."""
    return (datetime.now(UTC) + ahead).isoformat()


def start_run(project: Path, result: Path, seconds: float = 0, deployment: str = "tiny") -> str:
    """Run a deployment of the tiny flow; returns when the flow is running."""
    [found] = api(project, "deployments/filter", deployments={"name": {"any_": [deployment]}})
    parameters = {"result": str(result), "seconds": seconds}
    run = str(api(project, f"deployments/{found['id']}/create_flow_run", parameters=parameters)["id"])
    wait_for(result.exists)
    return run


def state_of(project: Path, run: str) -> str:
    """The type of a flow run's state."""
    [found] = api(project, "flow_runs/filter", flow_runs={"id": {"any_": [run]}})
    return str(found["state"]["type"])


def wait_for(condition: Any, seconds: float = 40) -> None:
    """Return once the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def test_everything_is_healthy_and_has_an_address(project: Path) -> None:
    seen = json.loads(json.dumps(status(project)))
    assert set(seen["services"]) == set(SERVICES) == SERVICE_NAMES
    assert all(service["running"] and service["healthy"] for service in seen["services"].values())
    assert is_healthy(f"{seen['addresses']['api']}/health")
    assert is_healthy(f"{seen['addresses']['ui']}/")
    assert is_healthy(seen["addresses"]["studies"], environment(project)["PREFECT_API_AUTH_STRING"])
    assert seen["addresses"]["s3"] == environment(project)["AWS_ENDPOINT_URL"]


def test_s3_serves_its_credentials_and_nobody_else(project: Path) -> None:
    client(project).put_object(Bucket="incumbent", Key="a", Body=b"1")
    wrong_secret = client(project, aws_secret_access_key="wrong")
    wrong_key = client(project, aws_access_key_id="wrong")
    own = client(project, aws_access_key_id="theirs", aws_secret_access_key="theirs")
    anonymous = client(project, config=Config(signature_version=UNSIGNED))
    for stranger in (wrong_secret, wrong_key, own, anonymous):
        with pytest.raises(ClientError) as refusal:
            stranger.get_object(Bucket="incumbent", Key="a")
        assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_no_door_of_the_stack_opens_to_a_stranger(project: Path) -> None:
    mark = uuid.uuid4().hex  # in whatever a stranger must not see
    deployment = leave(project, mark)
    before = owned(project)
    assert all(mark in part for part in before.values())
    doors = [each for process in everything(project) for each in process.net_connections("all")]
    ports = {each.laddr.port for each in doors if each.status == psutil.CONN_LISTEN}
    sockets = {each.laddr for each in doors if each.family == socket.AF_UNIX and each.laddr}
    assert len(ports) >= 13
    assert len(sockets) >= 6

    said = as_stranger(ports, sockets, requests_for(deployment))
    assert owned(project) == before
    assert {door: answers for door in said if (answers := let_in(said[door], mark))} == {}


def leave(project: Path, mark: str) -> str:
    """Objects, a flow run and a study that bear the mark; returns the deployment of the run."""
    for key in (KEY, mark):
        client(project).put_object(Bucket="incumbent", Key=key, Body=mark.encode())
    [found] = api(project, "deployments/filter", deployments={"name": {"any_": ["tiny-gpu"]}})
    later = {"type": "SCHEDULED", "state_details": {"scheduled_time": now(timedelta(hours=10))}}
    run = {"state": later, "parameters": {"result": mark}}
    assert api(project, f"deployments/{found['id']}/create_flow_run", **run)
    optuna.create_study(study_name=mark, storage=address_of(project, None))
    return str(found["id"])


def owned(project: Path) -> dict[str, str]:
    """What the owner sees behind the doors that have a lock, by login, keys and certificate.

    Runs of a schedule are left out, as the server itself adds them at any moment.
    """
    state, ports = project / ".incumbent", Stack(project.resolve()).ports("s3")
    studies = status(project)["addresses"]["studies"].replace("dashboard/", "api/studies")
    inner = httpx.Client(cert=(str(state / "s3-inner.crt"), str(state / "s3-inner.key")), verify=False)
    with prefect_api(environment(project)) as prefect, inner:
        runs = prefect.post("flow_runs/filter", json={}).json()
        files = inner.get(f"https://127.0.0.1:{ports['filer']}/buckets/incumbent/", headers=JSON).json()
        return {
            "objects": str(
                [each["Key"] for each in client(project).list_objects(Bucket="incumbent")["Contents"]]
            ),
            "files": str([(each["FullPath"], each["Mtime"]) for each in files["Entries"]]),
            "runs": str(
                sorted(
                    (run["id"], run["parameters"].get("result")) for run in runs if not run["auto_scheduled"]
                )
            ),
            "studies": str([study["study_name"] for study in prefect.get(studies).json()["study_summaries"]]),
        }


def test_everything_listens_on_the_loopback_only(project: Path) -> None:
    found = [each for process in everything(project) for each in process.net_connections()]
    addresses = {each.laddr.ip for each in found if each.status == psutil.CONN_LISTEN}
    assert addresses == {"127.0.0.1"}


def test_secrets_are_readable_by_their_owner_only(project: Path) -> None:
    state = project / ".incumbent"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for name in ("s3.json", "login.json", "s3-inner.key"):
        assert stat.S_IMODE((state / name).stat().st_mode) == 0o600
    assert (state / ".gitignore").read_text() == "*\n"
    _, password = environment(project)["PREFECT_API_AUTH_STRING"].split(":")
    for secret in (environment(project)["AWS_SECRET_ACCESS_KEY"], password):
        for log in (state / "logs").iterdir():
            assert secret not in log.read_text()
        assert not any(secret in " ".join(process.cmdline()) for process in everything(project))
        assert secret not in json.dumps(status(project))


def test_flows_run_in_the_project_with_our_python_and_our_servers(project: Path, tmp_path: Path) -> None:
    run = start_run(project, tmp_path / "seen.json")
    wait_for(lambda: state_of(project, run) == "COMPLETED")
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["cwd"] == str(project)
    assert Path(seen["python"]).parent == Path(sys.executable).parent
    assert seen["OMP_WAIT_POLICY"] == "PASSIVE"
    assert seen.items() >= environment(project).items()
    assert {"AWS_SESSION_TOKEN", "PREFECT_PROFILE"}.isdisjoint(seen)


def test_events_and_runs_at_once_are_all_taken(project: Path) -> None:
    # As Prefect has it on SQLite, some of these requests, and its own, are refused: "database is locked".
    [found] = api(project, "deployments/filter", deployments={"name": {"any_": ["tiny-later"]}})
    events = [str(uuid.uuid4()) for _ in range(30)]
    later = {"type": "SCHEDULED", "state_details": {"scheduled_time": now(timedelta(hours=10))}}

    def tell(server: httpx.Client, event: str) -> None:
        resource = {"prefect.resource.id": "burst.of.tests"}
        document = {"id": event, "event": "burst", "occurred": now(), "resource": resource}
        server.post("events", json=[document]).raise_for_status()
        run = {"state": later, "parameters": {"result": f"by hand {event}"}}
        server.post(f"deployments/{found['id']}/create_flow_run", json=run).raise_for_status()

    def made() -> set[str]:
        runs = api(project, "flow_runs/filter", flow_runs={"deployment_id": {"any_": [found["id"]]}})
        return {run["parameters"]["result"] for run in runs or []}

    with prefect_api(environment(project)) as server, ThreadPoolExecutor(10) as pool:
        list(pool.map(partial(tell, server), events))
    wait_for(lambda: made() == {f"{how} {event}" for how in ("event", "by hand") for event in events})


def test_what_has_a_schedule_is_scheduled(project: Path) -> None:
    def scheduled() -> set[str]:
        wanted = {"name": {"any_": ["tiny-daily"]}}
        return {run["state_name"] for run in api(project, "flow_runs/filter", deployments=wanted) or []}

    wait_for(lambda: scheduled() == {"Scheduled"})


def test_a_queue_is_paused_and_goes_on(project: Path) -> None:
    """Prefect tells of it from within the transaction that changes it."""
    queue = "work_pools/cpu/queues/retrain"
    with prefect_api(environment(project)) as prefect:
        for paused in (True, False):
            prefect.patch(queue, json={"is_paused": paused}, timeout=20).raise_for_status()
            assert prefect.get(queue).json()["is_paused"] is paused


def test_the_gpu_pool_runs_a_flow_on_each_device_or_core(project: Path) -> None:
    limits = {pool["name"]: pool["concurrency_limit"] for pool in api(project, "work_pools/filter")}
    assert limits == {"cpu": None, "gpu": slots()}


def test_the_dashboard_shows_the_studies_of_the_project(project: Path) -> None:
    optuna.create_study(study_name="seen", storage=address_of(project, None))
    address = status(project)["addresses"]["studies"].removesuffix("dashboard/")
    with prefect_api(environment(project)) as browser:  # one login for both
        studies = browser.get(f"{address}api/studies").json()["study_summaries"]
    assert "seen" in [study["study_name"] for study in studies]


@pytest.mark.parametrize(
    "path",
    [
        "events/in",
        "events/out",
        "logs/out",
        "work_pools/cpu/workers/connect",
        "task_runs/subscriptions/scheduled",
    ],
)
@pytest.mark.parametrize("token", [None, "incumbent:wrong"])
def test_the_streams_of_prefect_want_the_login(project: Path, path: str, token: str | None) -> None:
    address = f"{environment(project)['PREFECT_API_URL'].replace('http', 'ws')}/{path}"
    with connect(address, subprotocols=[PREFECT]) as stream:
        stream.send(json.dumps({"type": "auth", "token": token}))
        with pytest.raises(ConnectionClosed, match="1008"):
            stream.recv(timeout=30)
    with pytest.raises(InvalidStatus, match="403"), connect(address):
        pass


def test_up_again_changes_nothing(project: Path) -> None:
    before, automations = pids(project), api(project, "automations/filter")
    up(project, quiet)
    assert pids(project) == before
    assert len(automations) == 3
    assert {a["name"] for a in api(project, "automations/filter")} == {a["name"] for a in automations}
    assert len(api(project, "automations/filter")) == 3
    watch = "incumbent: crash silent runs"  # made anew, it would forget the runs that it watches
    assert [a for a in api(project, "automations/filter") if a["name"] == watch] == [
        a for a in automations if a["name"] == watch
    ]


def test_a_stack_of_the_release_before_is_closed_by_the_next_up(project: Path) -> None:
    before, state = pids(project), project / ".incumbent"
    (state / "login.json").unlink()
    for name in SERVICES:  # as it ran then, without the settings that close it
        record = json.loads((state / "run" / f"{name}.json").read_text())
        write_private(state / "run" / f"{name}.json", {**record, "digest": "of other settings"})
    up(project, quiet)
    assert all(pid != before[name] for name, pid in pids(project).items())
    assert api(project, "flow_runs/filter") is not None
    assert (
        ask_prefect({"PREFECT_API_URL": environment(project)["PREFECT_API_URL"]}, "flow_runs/filter", {})
        is None
    )


def test_a_bad_prefect_yaml_is_reported_and_the_running_stack_stays(project: Path) -> None:
    before = pids(project)
    (project / "prefect.yaml").write_text(PREFECT_YAML.replace("tiny.py", "absent.py"))
    try:
        with pytest.raises(IncumbentError, match=r"(?s)could not deploy .*deploy\.log.*absent\.py"):
            up(project, quiet)
    finally:
        (project / "prefect.yaml").write_text(PREFECT_YAML)
    assert pids(project) == before


def test_down_leaves_no_process_and_up_brings_the_data_back(project: Path, tmp_path: Path) -> None:
    client(project).put_object(Bucket="incumbent", Key="kept", Body=b"still here")
    run = start_run(project, tmp_path / "cpu.json", seconds=300)
    lost = start_run(project, tmp_path / "gpu.json", seconds=300, deployment="tiny-gpu")
    kill_tree(psutil.Process(pids(project)["worker-gpu"]))
    orphan = orphan_of(project)
    before, login = status(project)["addresses"], environment(project)["PREFECT_API_AUTH_STRING"]
    by_hand = subprocess.Popen(  # a shell waits for it: `down` may be the first to ask for its exit code
        ["sh", "-c", '"$0" -c "$1" "$2"; echo $?', sys.executable, BY_HAND, project],
        env={**os.environ, **environment(project)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert by_hand.stdout is not None
    assert by_hand.stdout.readline() == "works\n"
    assert len(everything(project)) >= 5

    said: list[str] = []
    down(project, said.append)
    assert "stopping a run that was started by hand" in said[0]
    code, errors = by_hand.communicate(timeout=20)
    assert "'incumbent down' stopped the local stack" in errors
    assert code == "1\n"
    assert everything(project) == []
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
    assert list((project / ".incumbent" / "run").iterdir()) == []
    assert not any(service["running"] for service in status(project)["services"].values())
    down(project, quiet)

    forget_and_mislead(project)
    with socket.socket() as intruder, ThreadPoolExecutor() as two:
        intruder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        intruder.bind(("127.0.0.1", int(before["s3"].rpartition(":")[2])))
        intruder.listen()
        list(two.map(lambda _: up(project, quiet), range(2)))
    after = status(project)["addresses"]
    assert after["api"] == before["api"]
    # Whoever listened at that port meanwhile has learned the old one.
    assert environment(project)["PREFECT_API_AUTH_STRING"] != login
    assert after["s3"] != before["s3"]
    assert client(project).get_object(Bucket="incumbent", Key="kept")["Body"].read() == b"still here"
    assert state_of(project, run) == "CRASHED"
    assert state_of(project, lost) == "CRASHED"
    assert sorted(each.pid for each in everything(project)) == sorted(pids(project).values())


def kill_tree(process: psutil.Process) -> None:
    """Kill a process and its descendants at once: nobody reports anything."""
    for each in [process, *process.children(recursive=True)]:
        each.kill()


def orphan_of(project: Path) -> psutil.Process:
    """A process of the stack whose parent has ended and that ignores SIGTERM."""
    marked = {**os.environ, processes.MARKER: str(project / ".incumbent")}
    stubborn = "trap '' TERM; (while sleep 1; do :; done) >/dev/null 2>&1 & echo $!"
    shell = subprocess.run(["sh", "-c", stubborn], env=marked, capture_output=True, text=True, check=True)
    return psutil.Process(int(shell.stdout))


def forget_and_mislead(project: Path) -> None:
    """Leave pid files as a crash and a reboot do: of a dead process, and of a stranger's."""
    run = project / ".incumbent" / "run"
    dead = subprocess.Popen(["true"])
    dead.wait()
    write_private(run / "s3.json", {"pid": dead.pid, "created": time.time(), "digest": ""})
    write_private(run / "prefect.json", {"pid": os.getpid(), "created": 1.0, "digest": ""})
    (run / "worker-cpu.json").write_text("{half a rec")


def test_a_pid_that_another_process_has_now_is_not_ours(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    make_private_dirs(stack)
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        record = {"pid": stranger.pid, "created": time.time() - 100, "digest": ""}
        write_private(stack.run_dir / "s3.json", record)
        assert not status(tmp_path)["services"]["s3"]["running"]
        down(tmp_path, quiet)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_server_that_ends_at_once_is_reported_and_the_rest_stopped(tmp_path: Path) -> None:
    (tmp_path / ".incumbent" / "prefect").mkdir(parents=True)
    (tmp_path / ".incumbent" / "prefect" / "prefect.db").write_text("not a database\n" * 1000)
    with pytest.raises(StorageUnavailable, match=r"(?s)prefect ended at once.*prefect\.log.*database"):
        up(tmp_path, quiet)
    assert everything(tmp_path) == []


def test_where_no_stack_ever_was_nothing_is_done(tmp_path: Path) -> None:
    down(tmp_path, quiet)
    assert environment(tmp_path) == {}
    assert not any(service["running"] for service in status(tmp_path)["services"].values())
    assert set(status(tmp_path)["addresses"].values()) == {None}
    assert list(tmp_path.iterdir()) == []


def test_an_ignored_interrupt_is_not_handed_down(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    make_private_dirs(stack)
    command = (sys.executable, "-c", "import signal; print(signal.getsignal(signal.SIGINT))")
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        processes.start(stack, processes.Service("child", command, tmp_path, os.environ, {}))
    finally:
        signal.signal(signal.SIGINT, before)
    wait_for(lambda: processes.running(stack, "child") is None)
    assert "default_int_handler" in processes.log_file(stack, "child").read_text()
