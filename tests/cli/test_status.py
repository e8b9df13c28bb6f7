"""What `incumbent status` says in words."""

from typing import Any

from incumbent.cli.status import describe


def document(running: bool, **more: Any) -> dict[str, Any]:
    return {
        "project": ".",
        "services": {"prefect": {"running": running, "healthy": running, "pid": 7}},
        "addresses": {"ui": "http://127.0.0.1:4200", "s3": "http://127.0.0.1:8333"},
        "registry": "s3://incumbent/registry",
        "model": "flights",
        "champion": "v3",
        "pending": None,
        **more,
    }


def test_the_first_partitions_on_probation_are_named_and_the_others_counted() -> None:
    partitions = [f"day-{day:02d}.parquet" for day in range(24)]
    text = describe(document(running=True, on_probation=partitions))
    assert "day-02.parquet; why: incumbent quarantine show day-02.parquet" in text
    assert "day-03" not in text
    assert "and 21 more: incumbent quarantine list" in text
    assert "more" not in describe(document(running=True, on_probation=partitions[:3]))


def test_addresses_of_a_stack_that_is_down_are_those_of_its_next_start() -> None:
    assert "http://127.0.0.1:4200 (login: incumbent ui" in describe(document(running=True))
    down = describe(document(running=False))
    assert "http://127.0.0.1:4200 after incumbent up" in down
    assert "login" not in down
