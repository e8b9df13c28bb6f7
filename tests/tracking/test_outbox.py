"""What is sent is kept first; a tracker that is down or hangs costs seconds and nothing else."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from incumbent.params import Params
from incumbent.tracking.deliver import SECONDS, deliver, outbox_of
from incumbent.tracking.outbox import Outbox
from incumbent.tracking.sinks import chosen_sinks
from incumbent.tracking.values import Message
from tests.building import changed
from tests.tracking.examples import PICTURE, RUN, message, numbered, send, waiting_for


@contextmanager
def silent_server() -> Iterator[str]:
    """Accepts connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def closed_port() -> str:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_message_survives_as_it_was(tmp_path: Path) -> None:
    outbox = waiting_for(tmp_path, RUN)
    [entry] = outbox.waiting()
    assert Message.from_bytes((entry / "message.json").read_bytes()) == message()
    assert (entry / "files" / "pictures" / "roc.png").read_bytes() == PICTURE["pictures/roc.png"]


def test_the_oldest_run_is_sent_first(tmp_path: Path) -> None:
    outbox = waiting_for(tmp_path, numbered(100), numbered(9))
    assert [entry.name[:16] for entry in outbox.waiting()] == ["run-000000000009", "run-000000000100"]


def test_the_same_run_again_is_kept_once(tmp_path: Path) -> None:
    assert len(waiting_for(tmp_path, RUN, RUN).waiting()) == 1


def test_what_a_dying_process_left_half_written_is_no_message(tmp_path: Path) -> None:
    outbox = outbox_of(tmp_path, "mlflow")
    half = outbox.folder / f".{message().key}"
    half.mkdir(parents=True)
    (half / "message.json").write_text("{")
    assert outbox.waiting() == []
    outbox.put(message(), {})
    assert len(outbox.waiting()) == 1


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        pytest.param(closed_port(), "does not answer: [Errno 111] Connection refused", id="down"),
        pytest.param("sqlite:///mlflow.db", "runs are sent to a tracking server", id="no server's address"),
        pytest.param("", "MLFLOW_TRACKING_URI is not set", id="no address"),
    ],
)
def test_what_a_tracker_that_is_not_there_misses_stays(
    address: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    outbox = waiting_for(tmp_path, RUN)
    assert reason in deliver(tmp_path, {"mlflow": outbox})["mlflow"]
    assert len(outbox.waiting()) == 1


def test_a_tracker_that_hangs_costs_a_run_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flights_params: Params
) -> None:
    params = changed(flights_params, tracking={"sinks": ["mlflow"]})
    with silent_server() as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        began = time.monotonic()
        [problem] = send(tmp_path, params, message(), PICTURE)
        assert time.monotonic() - began < SECONDS + 1
    assert problem.startswith(
        "mlflow did not get everything: it takes longer than 5 s, and is sent on in the background; "
    )
    assert problem.endswith(f"what remains is kept in {tmp_path}/.incumbent/outbox/mlflow for the next run")
    assert len(outbox_of(tmp_path, "mlflow").waiting()) == 1


def test_a_slow_delivery_goes_on_without_the_run_and_ends_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = waiting_for(tmp_path, RUN)
    with silent_server() as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        slow = "it takes longer than 0.2 s, and is sent on in the background"
        assert deliver(tmp_path, {"mlflow": outbox}, seconds=0.2) == {"mlflow": slow}
        assert still_delivering(outbox)
        deadline = time.monotonic() + 30
        while still_delivering(outbox) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not still_delivering(outbox)


def still_delivering(outbox: Outbox) -> bool:
    found = subprocess.run(["pgrep", "-r", "R,S,D", "-f", f"mlflow {outbox.folder}"], capture_output=True)
    return found.returncode == 0


def test_a_damaged_message_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = waiting_for(tmp_path, RUN)
    [entry] = outbox.waiting()
    (entry / "message.json").write_text("{")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", closed_port())
    reason = deliver(tmp_path, {"mlflow": outbox})["mlflow"]
    assert f"{entry} stays in the outbox: " in reason


@pytest.mark.parametrize(
    ("named", "variables", "chosen"),
    [
        pytest.param(None, {}, [], id="nobody asked"),
        pytest.param(None, {"MLFLOW_TRACKING_URI": "http://x"}, ["mlflow"], id="MLflow's variable"),
        pytest.param(None, {"WANDB_MODE": "offline"}, ["wandb"], id="W&B's variable"),
        pytest.param(None, {"WANDB_MODE": "disabled"}, [], id="W&B switched off"),
        pytest.param((), {"MLFLOW_TRACKING_URI": "http://x"}, [], id="params.yaml says none"),
        pytest.param(("dvclive",), {"WANDB_MODE": "online"}, ["dvclive"], id="params.yaml says which"),
    ],
)
def test_which_sinks_a_project_has(
    named: tuple[str, ...] | None, variables: dict[str, str], chosen: list[str]
) -> None:
    assert chosen_sinks(named, variables) == chosen  # type: ignore[arg-type]


def test_no_trackers_library_is_imported_unless_asked_for() -> None:
    code = "import sys, flows.retrain, incumbent.tracking.deliver, incumbent.tracking.mlflow\n"
    code += "print({'mlflow', 'wandb', 'dvclive'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_without_room_in_the_outbox_and_without_a_tracker_a_warning_says_that_the_run_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flights_params: Params
) -> None:
    params = changed(flights_params, tracking={"sinks": ["mlflow"]})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", closed_port())
    with full_disk(tmp_path / ".incumbent"):
        kept, lost = send(tmp_path, params, message(), PICTURE)
        assert Outbox(tmp_path / ".incumbent" / "outbox" / "mlflow").waiting() == []
    assert kept.startswith("mlflow: nothing can be kept in ")
    assert "No space left on device; so it is sent now, and only now" in kept
    assert lost.endswith("; the next run would not send it again")


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """A disk of 64 kB on the folder, without a byte free."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=True)
    try:
        with suppress(OSError), (folder / "full").open("wb", buffering=0) as file:
            for _ in range(64):
                file.write(bytes(4096))
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
