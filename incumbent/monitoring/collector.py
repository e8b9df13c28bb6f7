"""Collects the samples of all sources within one scrape, for prometheus_client."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from incumbent.errors import IncumbentError
from incumbent.errors.machine import explain
from incumbent.monitoring.metrics import METRICS, Sample

PATIENCE = 8.0
"""Seconds for one scrape; Prometheus gives up after ten."""
AT_ONCE = 8
"""Sources; most of each is waiting for S3."""


class Source(Protocol):
    """Where samples come from; one object for the life of the process, so that it can keep what it read."""

    def read(self) -> list[Sample]:
        """All of them. May raise anything, and may take long: the next scrape waits for the same call."""

    def unread(self) -> list[Sample]:
        """Those that say that it can't be read now."""


@dataclass
class _Reading:
    """One call of `read`, in a thread that does not keep the process from ending."""

    source: Source
    thread: threading.Thread = field(init=False)
    samples: list[Sample] | None = None
    problem: str = f"not read within {PATIENCE:.0f} s"

    def run(self, turn: threading.Semaphore) -> None:
        with turn:
            try:
                self.samples = self.source.read()
            except Exception as error:  # noqa: BLE001 - one source that surprises us must not hide the others
                ours = isinstance(error, IncumbentError)
                self.problem = explain(error) or (str(error) if ours else f"{type(error).__name__}: {error}")


class Samples(Collector):
    """The metrics of all sources, read anew for each scrape: a stale value would be worse than none."""

    def __init__(
        self, sources: Callable[[], Mapping[str, Source]], say: Callable[[str], None] = lambda _: None
    ) -> None:
        """sources: asked at each scrape; say: takes a line for each source that can't be read any more."""
        self._sources, self._say = sources, say
        self._lock, self._turn = threading.Lock(), threading.Semaphore(AT_ONCE)
        self._readings: dict[str, _Reading] = {}
        self._problems: dict[str, str] = {}

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """One family a metric that has samples, in the order of METRICS."""
        by_metric: dict[str, dict[tuple[str, ...], float]] = {name: {} for name in METRICS}
        for sample in self.samples():
            # Of two projects with one model name the first counts: Prometheus refuses doubles.
            by_metric[sample.metric].setdefault(sample.labels, float(sample.value))
        for name, values in by_metric.items():
            if values:
                metric = METRICS[name]
                family = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
                made = family(name, metric.meaning, labels=metric.labels)
                for labels, value in values.items():
                    made.add_metric(labels, value)
                yield made

    def describe(self) -> list[CounterMetricFamily | GaugeMetricFamily]:
        """Nothing: else registering would read everything."""
        return []

    def samples(self) -> Iterator[Sample]:
        """Of all sources that answer within PATIENCE; of the others that they do not."""
        deadline = time.monotonic() + PATIENCE
        with self._lock:
            readings = {key: self._reading(key, source) for key, source in self._sources().items()}
        for key, reading in readings.items():
            reading.thread.join(max(0.0, deadline - time.monotonic()))
            self._note(key, None if reading.samples is not None else reading.problem)
            yield from reading.source.unread() if reading.samples is None else reading.samples

    def _reading(self, key: str, source: Source) -> _Reading:
        reading = self._readings.get(key)
        if reading is None or not reading.thread.is_alive():
            self._readings[key] = reading = _Reading(source)
            reading.thread = threading.Thread(target=reading.run, args=(self._turn,), daemon=True)
            reading.thread.start()
        return reading

    def _note(self, key: str, problem: str | None) -> None:
        if problem is None:
            self._problems.pop(key, None)
        elif self._problems.get(key) != problem:
            self._problems[key] = problem
            self._say(f"{key}: {problem}")
