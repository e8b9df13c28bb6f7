"""What a run costs is the sum of its parts, in seconds, bytes, requests and money."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incumbent.errors import BadParams
from incumbent.evaluation.cost import Money, Usage, cost_document, in_words, money_of
from incumbent.machine.resources import Resources
from incumbent.params import CostParams, parse_params

SECONDS = st.floats(0, 1e6)
COUNTS = st.integers(0, 10**12)
RESOURCES = st.builds(Resources, SECONDS, COUNTS, SECONDS, st.none() | SECONDS, COUNTS)
USAGES = st.builds(Usage, RESOURCES, SECONDS, COUNTS, COUNTS, COUNTS, COUNTS)
PRICE = st.none() | st.floats(0, 1e3)
PRICES = st.builds(
    CostParams,
    cpu_hour=PRICE,
    gpu_hour=PRICE,
    gigabyte=PRICE,
    thousand_requests=PRICE,
    currency=st.just("EUR"),
)
ALL = CostParams(cpu_hour=0.04, gpu_hour=3, gigabyte=0.09, thousand_requests=0.005, currency="EUR")
HOUR_OF_BOTH = Usage(
    Resources(3600.0, 2 * 10**9, 3600.0, 1800.0, 10**9), 1800.0, 1000, 3, 7 * 10**8, 3 * 10**8
)


def test_each_price_counts_what_it_is_the_price_of() -> None:
    assert money_of(HOUR_OF_BOTH, ALL) == Money(pytest.approx(0.04 + 3 + 0.09 + 0.005), "EUR")
    assert money_of(HOUR_OF_BOTH, CostParams(gpu_hour=3, currency="USD")) == Money(3.0, "USD")


def test_without_prices_there_is_no_money_rather_than_none_of_it() -> None:
    assert money_of(HOUR_OF_BOTH, CostParams()) is None
    assert money_of(HOUR_OF_BOTH, CostParams(currency="EUR")) is None
    assert money_of(HOUR_OF_BOTH, CostParams(cpu_hour=0, currency="EUR")) == Money(0.0, "EUR")


@given(st.lists(USAGES, max_size=5), PRICES)
def test_the_money_of_a_run_is_that_of_its_parts(parts: list[Usage], prices: CostParams) -> None:
    whole = Usage()
    for part in parts:
        whole = whole.plus(part)
    together = money_of(whole, prices)
    if not prices.has_prices:
        assert together is None
        return
    assert together is not None
    amounts = [money.amount for part in parts if (money := money_of(part, prices))]
    assert together.amount == pytest.approx(sum(amounts), rel=1e-9, abs=1e-9)


@given(USAGES, USAGES)
def test_what_was_used_since_a_moment_and_before_is_all_of_it(before: Usage, after: Usage) -> None:
    later = before.plus(after)
    again = before.plus(later.since(before))
    assert again.resources.cpu_seconds == pytest.approx(later.resources.cpu_seconds)
    assert again.resources.gpu_seconds == pytest.approx(later.resources.gpu_seconds)
    assert again.wall_seconds == pytest.approx(later.wall_seconds)
    counts = ("s3_requests", "s3_retries", "received_bytes", "sent_bytes")
    assert [getattr(again, name) for name in counts] == [getattr(later, name) for name in counts]
    assert again.resources.peak_memory_bytes == later.resources.peak_memory_bytes


@given(USAGES)
def test_an_account_is_read_as_it_was_written(usage: Usage) -> None:
    assert Usage.from_json(json.loads(json.dumps(usage.to_json()))) == usage


def test_the_document_has_the_agreed_figures() -> None:
    document = cost_document(HOUR_OF_BOTH, ALL)
    assert document == {
        "cpu_seconds": 3600.0,
        "gpu_seconds": 3600.0,
        "peak_memory_bytes": 2 * 10**9,
        "gpu_peak_memory_bytes": 10**9,
        "gpu_utilization": 0.5,
        "s3_requests": 1000,
        "s3_retries": 3,
        "received_bytes": 7 * 10**8,
        "sent_bytes": 3 * 10**8,
        "wall_seconds": 1800.0,
        "money": {"amount": pytest.approx(3.135), "currency": "EUR"},
    }
    said = in_words(document)
    assert said.startswith("3.1350 EUR: 3,600.0 s of CPU, 3,600.0 s of GPU (50% busy), 2,000 MB of memory")
    assert "1,000 S3 requests, 1,000.0 MB moved, in 1,800 s" in said


def test_what_nobody_measured_is_null_and_not_zero() -> None:
    no_gpu = replace(HOUR_OF_BOTH, resources=Resources(1.0, 1))
    document = cost_document(no_gpu, CostParams())
    assert [
        document[name] for name in ("gpu_seconds", "gpu_peak_memory_bytes", "gpu_utilization", "money")
    ] == [None] * 4
    assert "GPU" not in in_words(document)
    no_nvml = replace(HOUR_OF_BOTH, resources=Resources(1.0, 1, 5.0, None, 1))
    assert cost_document(no_nvml, CostParams())["gpu_utilization"] is None


def params_with(**cost: Any) -> str:
    lines = "\n".join(f"  {name}: {value}" for name, value in cost.items())
    return f"dataset: {{name: toy, target: y}}\nregistry: {{address: s3://a/b}}\ncost:\n{lines}\n"


@pytest.mark.parametrize(
    ("cost", "says"),
    [
        pytest.param({"cpu_hour": 0.04}, "cost.cpu_hour needs cost.currency", id="no currency"),
        pytest.param({"gpu_hour": -1, "currency": "EUR"}, "cost.gpu_hour", id="below zero"),
        pytest.param({"gpu_hour": ".nan", "currency": "EUR"}, "cost.gpu_hour", id="no number"),
        pytest.param({"cpu_hour": "cheap", "currency": "EUR"}, "cost.cpu_hour", id="text"),
        pytest.param({"cpu_hour": 1, "currency": "euro"}, "cost.currency", id="no code"),
        pytest.param({"cpu_minute": 1, "currency": "EUR"}, "cost.cpu_minute", id="unknown"),
    ],
)
def test_prices_that_make_no_sense_are_refused(cost: dict[str, Any], says: str) -> None:
    with pytest.raises(BadParams, match=says):
        parse_params(params_with(**cost), Path("params.yaml"))


def test_prices_do_not_make_other_work() -> None:
    cheap, dear = (
        parse_params(params_with(cpu_hour=price, currency="EUR"), Path("params.yaml")) for price in (1, 2.5)
    )
    assert cheap.digest() == dear.digest()
    assert cheap.shaping_changes(dear.model_dump(mode="json")) == ()
