"""The metrics: name, type, labels and meaning of each. docs/monitoring.md has the same table for people."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from incumbent.training.anomalies import Kind

KINDS = ("promote", "provisional", "pending", "hold", "reject", "block", "skip")
VERDICTS = ("passed", "warned", "probation", "blocked")
ANOMALIES: tuple[str, ...] = get_args(Kind)
FATES = ("Failed", "Crashed")
"""How a flow run ends that has no decision, as Prefect's states are named."""


@dataclass(frozen=True)
class Metric:
    """One metric; the name of a counter ends in _total."""

    name: str
    type: Literal["gauge", "counter"]
    labels: tuple[str, ...]
    meaning: str


class Sample(NamedTuple):
    """A value of a metric, with its labels in their order."""

    metric: str
    labels: tuple[str, ...]
    value: float


_ALL = (
    Metric(
        "incumbent_up", "gauge", ("model",), "1 if the model's project and registry could be read, else 0"
    ),
    Metric(
        "incumbent_champion_info", "gauge", ("model", "version", "provisional"), "1, of the version in office"
    ),
    Metric("incumbent_champion_timestamp_seconds", "gauge", ("model",), "when the champion took office"),
    Metric("incumbent_data_timestamp_seconds", "gauge", ("model",), "when the newest data version was made"),
    Metric("incumbent_decisions_total", "counter", ("model", "kind"), "decisions of runs"),
    Metric(
        "incumbent_last_decision_timestamp_seconds", "gauge", ("model", "kind"), "the last decision of a kind"
    ),
    Metric(
        "incumbent_metric_value",
        "gauge",
        ("model", "metric", "of"),
        "the champion's promotion.metric: promised when it was made, live on labels that came later, or "
        "estimated before they come",
    ),
    Metric("incumbent_metric_low", "gauge", ("model", "metric", "of"), "lower end of its interval"),
    Metric("incumbent_metric_high", "gauge", ("model", "metric", "of"), "upper end of its interval"),
    Metric(
        "incumbent_champion_decayed",
        "gauge",
        ("model",),
        "1 if late labels show that the champion is worse than promised, else 0",
    ),
    Metric(
        "incumbent_drift_ratio",
        "gauge",
        ("model",),
        "share of the champion's gain that rests on columns that moved, in the last run that measured it",
    ),
    Metric("incumbent_arrived_rows_total", "counter", ("model",), "rows of the partitions that arrived"),
    Metric(
        "incumbent_arrivals_total",
        "counter",
        ("model", "verdict"),
        "partitions that runs gated, and files that were blocked on arrival",
    ),
    Metric("incumbent_quarantined_files", "gauge", ("model",), "files and sets of rows in quarantine now"),
    Metric("incumbent_probation_partitions", "gauge", ("model",), "partitions on probation now"),
    Metric("incumbent_pending_approvals", "gauge", ("model",), "1 while a winner waits for a person, else 0"),
    Metric("incumbent_run_seconds", "gauge", ("model", "step"), "seconds by step, of the last run"),
    Metric(
        "incumbent_run_queue_seconds",
        "gauge",
        ("model",),
        "from the announcement of the last retraining, or its scheduled time, to its start",
    ),
    Metric("incumbent_run_cpu_seconds_total", "counter", ("model",), "CPU seconds of runs"),
    Metric("incumbent_run_gpu_seconds_total", "counter", ("model",), "GPU seconds of runs"),
    Metric("incumbent_run_peak_memory_bytes", "gauge", ("model",), "peak memory of the last run"),
    Metric("incumbent_run_gpu_peak_memory_bytes", "gauge", ("model",), "peak GPU memory of the last run"),
    Metric(
        "incumbent_run_gpu_utilization_ratio", "gauge", ("model",), "how busy the GPU was in the last run"
    ),
    Metric(
        "incumbent_run_money_total", "counter", ("model", "currency"), "cost of runs at the declared rates"
    ),
    Metric("incumbent_s3_requests_total", "counter", ("model",), "requests of runs to S3"),
    Metric("incumbent_s3_retries_total", "counter", ("model",), "requests to S3 that were sent again"),
    Metric("incumbent_s3_received_bytes_total", "counter", ("model",), "bytes that runs read from S3"),
    Metric("incumbent_s3_sent_bytes_total", "counter", ("model",), "bytes that runs wrote to S3"),
    Metric("incumbent_run_errors_total", "counter", ("model", "kind"), "flow runs that failed or crashed"),
    Metric(
        "incumbent_training_anomalies_total", "counter", ("model", "kind"), "what was odd in the trainings"
    ),
    Metric(
        "incumbent_registry_verified",
        "gauge",
        ("model",),
        "1 if the champion's entry, log and signed manifest agree, else 0",
    ),
    Metric(
        "incumbent_clock_offset_seconds",
        "gauge",
        (),
        "how far this machine's clock is ahead of the S3 server's",
    ),
    Metric("incumbent_disk_free_ratio", "gauge", ("path",), "free share of the project's file system"),
)
METRICS = {each.name: each for each in _ALL}
