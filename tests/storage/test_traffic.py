"""What a process sent to S3 and got from there is what the server saw."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from incumbent.errors import StorageUnavailable
from incumbent.storage.s3.store import Store
from incumbent.storage.s3.traffic import Traffic, traffic
from tests.storage.faulty_proxy import Faults


def since(before: Traffic) -> Traffic:
    now = traffic()
    return Traffic(*(getattr(now, name) - value for name, value in vars(before).items()))


def as_served(faults: Faults) -> tuple[int, int, int]:
    return faults.served["requests"], faults.served["got"], faults.served["gave"]


def test_requests_and_bytes_are_those_that_the_server_saw(
    shaky: Store, faults: Faults, tmp_path: Path
) -> None:
    before, file = traffic(), tmp_path / "model.txt"
    file.write_bytes(b"trees" * 50_000)
    shaky.put("a", b"1" * 1000)
    assert shaky.put_if_absent("b", b"2" * 500)
    assert not shaky.put_if_absent("b", b"3" * 500)
    assert shaky.upload("c", file, hashlib.sha256(file.read_bytes()).hexdigest())
    shaky.download("c", tmp_path / "again")
    known = shaky.get("a")
    assert shaky.find("a", known) is known
    assert shaky.find("absent") is None
    assert "c" in list(shaky.list())
    shaky.link("a", "text/plain")  # signed here, and not sent
    shaky.delete("a")
    spent = since(before)
    assert (spent.requests, spent.sent_bytes, spent.received_bytes) == as_served(faults)
    assert spent.requests >= 10
    assert spent.sent_bytes > 250_000
    assert spent.received_bytes > 250_000
    assert spent.retries == 0


@pytest.mark.parametrize(
    ("kind", "method", "times"),
    [
        pytest.param("503", "GET", 2, id="botocore sends a read again"),
        pytest.param("reset before", "GET", 1, id="after a lost connection, too"),
        pytest.param("truncate", "GET", 1, id="we read again when a body breaks off"),
        pytest.param("503", "PUT", 3, id="we send a conditional write again"),
    ],
)
def test_what_was_sent_again_is_counted_as_such(
    shaky: Store, faults: Faults, store: Store, kind: str, method: str, times: int
) -> None:
    store.put("old", b"body")
    assert shaky.put_if_absent("proof", b"")  # the store's conditions are proven from here on
    faults.served.clear()
    before = traffic()
    faults.add(kind, method=method, key="/old" if method == "GET" else "/new", times=times)
    if method == "GET":
        assert shaky.get("old").body == b"body"
    else:
        assert shaky.put_if_absent("new", b"nonce")
    spent = since(before)
    assert spent.retries == times
    assert spent.requests == faults.served["requests"] >= times + 1


def test_a_request_that_failed_for_good_was_sent_all_the_same(shaky: Store, faults: Faults) -> None:
    before = traffic()
    faults.add("denied", method="GET", key="/secret")
    with pytest.raises(StorageUnavailable):
        shaky.get("secret")
    assert since(before).requests == faults.served["requests"] == 1


def test_requests_of_several_threads_are_all_counted(shaky: Store, faults: Faults) -> None:
    before = traffic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: shaky.put(f"many/{number}", b"x" * number), range(200)))
    spent = since(before)
    assert (spent.requests, spent.sent_bytes) == (200, sum(range(200))) == as_served(faults)[:2]
