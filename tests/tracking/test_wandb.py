"""Weights & Biases' own client writes a run offline; its own definitions read the file back."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incumbent.tracking.deliver import deliver, outbox_of
from incumbent.tracking.names import allowed
from tests.tracking.examples import PICTURE, RUN, message

pytestmark = pytest.mark.slow
BLOCK, HEADER = 32768, 7


def records(file: Path) -> Iterator[Any]:
    """LevelDB's log format: blocks of 32 KiB, a record in one piece or several."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, body = file.read_bytes(), HEADER, b""
    while at < len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        _, size, kind = struct.unpack_from("<IHB", data, at)
        body += data[at + HEADER : at + HEADER + size]
        at += HEADER + size
        if kind in (1, 4):  # whole, or the last piece
            yield Record.FromString(body)
            body = b""


def values(items: Any) -> dict[str, Any]:
    return {"/".join(each.nested_key) or each.key: json.loads(each.value_json) for each in items}


def written(project: Path) -> list[Path]:
    return sorted(project.glob(f".incumbent/wandb/wandb/offline-run-*/run-{RUN.id}*.wandb"))


def sent(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setenv("WANDB_MODE", "offline")
    outbox = outbox_of(project, "wandb")
    outbox.put(message(), {"report.html": PICTURE["report.html"]})
    assert deliver(project, {"wandb": outbox}, seconds=120) == {}
    return written(project)


def test_a_run_read_back_has_the_same_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [file] = [each for each in sent(tmp_path, monkeypatch) if each.stem == f"run-{RUN.id}"]
    whole = list(records(file))
    [run] = [each.run for each in whole if each.HasField("run")][:1]
    assert (run.run_id, run.project, run.display_name, run.notes) == (
        RUN.id,
        "flights",
        "run 17",
        RUN.summary,
    )
    config = values(run.config.update)
    assert {name: config[name] for name in RUN.params} == RUN.params
    assert config["dataset"]["digest"] == RUN.dataset.digest
    [history] = [values(each.history.item) for each in whole if each.HasField("history")]
    figures = allowed(RUN.metrics)
    assert {name: history[name] for name in figures} == figures


def test_a_trial_is_a_run_of_the_group_with_its_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [file] = [each for each in sent(tmp_path, monkeypatch) if each.stem.endswith("-0")]
    kept = list(records(file))
    [run] = [each.run for each in kept if each.HasField("run")][:1]
    assert (run.display_name, run.run_group, run.job_type) == ("run 17, trial 0", "run 17", "trial")
    assert values(run.config.update)["num_leaves"] == 31
    history = [values(each.history.item) for each in kept if each.HasField("history")]
    curve = [(row["_step"], row["cv/curve/roc_auc"]) for row in history]
    assert curve == list(RUN.trials[0].curve)
    summary = {}
    for each in kept:
        if each.HasField("summary"):
            summary.update(values(each.summary.update))
    assert (summary["cv/roc_auc"], summary["rounds"]) == (0.71, 20)


def test_a_run_sent_again_is_there_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = ({each.name for each in sent(tmp_path, monkeypatch)} for _ in range(2))
    assert second == first
    assert len(written(tmp_path)) == 3


def test_nothing_is_written_outside_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    sent(tmp_path / "project", monkeypatch)
    assert [path for path in home.rglob("*") if path.is_file()] == []
