"""What the doctor asks of an S3: a sound one says yes, each faulty one is known by its fault."""

import socket
import time
from collections.abc import Iterator

import pytest

from incumbent.errors import StorageUnavailable
from incumbent.storage.s3.probe import probe
from incumbent.storage.s3.store import Store
from tests.conftest import S3
from tests.storage.faulty_proxy import Faults, faulty_proxy


@pytest.fixture
def faults(s3: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """The real server behind a proxy, to which this process's variables lead."""
    with faulty_proxy(s3.endpoint) as faults:
        monkeypatch.setenv("AWS_ENDPOINT_URL", faults.endpoint)
        yield faults


def test_a_sound_store_passes_and_keeps_nothing(store: Store, s3: S3) -> None:
    with probe(store.url(), 3.0) as questions:
        assert questions.reach() == s3.endpoint
        questions.rights()
        questions.conditions()
        assert questions.conditional_delete()
        assert abs(questions.skew()) < 2
    assert list(store.list()) == []


def test_a_store_that_ignores_conditions_is_known(store: Store, faults: Faults) -> None:
    faults.heedless = True
    with probe(store.url(), 3.0) as questions:
        with pytest.raises(
            StorageUnavailable, match=r"ignores conditional writes .* use a store that has them"
        ):
            questions.conditions()
        assert not questions.conditional_delete()
    assert list(store.list()) == []


def test_a_store_that_lets_both_of_two_writers_win_is_known(store: Store, faults: Faults) -> None:
    faults.racy = True
    with (
        probe(store.url(), 3.0) as questions,
        pytest.raises(StorageUnavailable, match="ignores conditional writes"),
    ):
        questions.conditions()


@pytest.mark.parametrize(
    ("method", "right"),
    [
        ("PUT", "may not write .* give it s3:PutObject"),
        ("GET", "may not read .* give it s3:GetObject"),
        ("DELETE", "may not delete .* give it s3:DeleteObject"),
    ],
)
def test_a_right_that_is_missing_is_named(store: Store, faults: Faults, method: str, right: str) -> None:
    faults.add("denied", method=method)
    with probe(store.url(), 3.0) as questions, pytest.raises(StorageUnavailable, match=right):
        questions.rights()


def test_who_may_not_list_is_told_so_first(store: Store, faults: Faults) -> None:
    faults.add("denied", method="GET")
    with (
        probe(store.url(), 3.0) as questions,
        pytest.raises(StorageUnavailable, match=r"access key INC.* may not list at .* give it s3:ListBucket"),
    ):
        questions.reach()


def test_a_stale_read_is_known(store: Store, faults: Faults) -> None:
    faults.cached = {}
    with (
        probe(store.url(), 3.0) as questions,
        pytest.raises(StorageUnavailable, match="does not return what was just written"),
    ):
        questions.rights()


def test_a_clock_that_is_ahead_is_measured(store: Store, faults: Faults) -> None:
    faults.ahead = 600
    with probe(store.url(), 3.0) as questions:
        assert questions.skew() == pytest.approx(600, abs=3)


def test_a_server_that_never_answers_takes_seconds_not_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        begun = time.monotonic()
        with probe("s3://incumbent/registry", 0.5) as questions, pytest.raises(StorageUnavailable):
            questions.reach()
        assert time.monotonic() - begun < 5
