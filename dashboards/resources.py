"""What runs cost: time, memory, GPU, S3, money; and how the machine and the Prefect server are."""

from grafana_foundation_sdk.models import units

from dashboards.panels import SIXTH, THIRD, Dashboard, Panel, Query, bars, lines

OF = '{model=~"$model"}'


def dashboard() -> Dashboard:
    """Of the models that are chosen at the top."""
    page = Dashboard("Incumbent: resources", "incumbent-resources", "What runs cost, by model.", 7)
    page = page.of_models(several=True)
    for panel in (*_time(), *_memory_and_gpu(), *_s3_and_money(), *_faults(), *_machine()):
        page = page.with_panel(panel)
    return page


def _within_a_day(title: str, unit: str, counter: str, description: str) -> Panel:
    query = Query(f"sum by (model) (increase(incumbent_{counter}_total{OF}[1d]))", "{{model}}")
    return bars(title, unit, [query], f"{description}, within a day.", THIRD)


def _of_the_last_run(title: str, unit: str, gauge: str, description: str) -> Panel:
    query = Query(f"incumbent_run_{gauge}{OF}", "{{model}}")
    return lines(title, unit, [query], f"{description}, of the last run.", THIRD)


def _time() -> list[Panel]:
    steps = Query(f"incumbent_run_seconds{OF}", "{{model}} {{step}}")
    return [
        lines("Seconds by step", units.Seconds, [steps], "Of the last run with a decision.", THIRD),
        _of_the_last_run("Queue", units.Seconds, "queue_seconds", "From announcement to start"),
        _within_a_day("CPU", units.Seconds, "run_cpu_seconds", "CPU seconds of runs"),
    ]


def _memory_and_gpu() -> list[Panel]:
    return [
        lines(
            "Peak memory",
            units.BytesIEC,
            [
                Query(f"incumbent_run_peak_memory_bytes{OF}", "{{model}}"),
                Query(f"incumbent_run_gpu_peak_memory_bytes{OF}", "{{model}}, GPU"),
            ],
            "Of the last run; of a GPU only where it used one.",
            THIRD,
        ),
        _within_a_day("GPU", units.Seconds, "run_gpu_seconds", "GPU seconds of runs"),
        _of_the_last_run(
            "GPU utilisation", units.PercentUnit, "gpu_utilization_ratio", "How busy the GPU was"
        ),
    ]


def _s3_and_money() -> list[Panel]:
    requests = [
        Query(f"sum by (model) (increase(incumbent_s3_{each}_total{OF}[1d]))", f"{{{{model}}}}, {each}")
        for each in ("requests", "retries")
    ]
    moved = [
        Query(f"sum by (model) (increase(incumbent_s3_{each}_bytes_total{OF}[1d]))", f"{{{{model}}}}, {each}")
        for each in ("received", "sent")
    ]
    money = Query(
        f"sum by (model, currency) (increase(incumbent_run_money_total{OF}[1d]))", "{{model}}, {{currency}}"
    )
    return [
        bars("S3 requests", units.Short, requests, "Of runs, within a day.", THIRD),
        bars("S3 bytes", units.BytesIEC, moved, "Of runs, within a day.", THIRD),
        bars("Money", units.Short, [money], "By the rates of params.yaml: cost, within a day.", THIRD),
    ]


def _faults() -> list[Panel]:
    def by_kind(counter: str) -> list[Query]:
        total = f"incumbent_{counter}_total{OF}"
        return [Query(f"sum by (model, kind) (increase({total}[1d]))", "{{model}} {{kind}}")]

    return [
        bars("Runs that failed", units.Short, by_kind("run_errors"), "By kind, within a day."),
        bars("Anomalies in training", units.Short, by_kind("training_anomalies"), "By kind, within a day."),
    ]


def _machine() -> list[Panel]:
    cpu, memory = (
        f'process_{each}{{job="prefect"}}' for each in ("cpu_seconds_total", "resident_memory_bytes")
    )
    return [
        lines(
            "Free disk",
            units.PercentUnit,
            [Query("incumbent_disk_free_ratio", "{{path}}")],
            "Share of the projects' file systems.",
            THIRD,
        ),
        lines(
            "Clock",
            units.Seconds,
            [Query("incumbent_clock_offset_seconds", "{{instance}}")],
            "This machine's against the S3 server's.",
            THIRD,
        ),
        lines(
            "Prefect server: CPU",
            units.PercentUnit,
            [Query(f"rate({cpu}[5m])", "{{instance}}")],
            "Share of one core.",
            SIXTH,
        ),
        lines("Prefect server: memory", units.BytesIEC, [Query(memory, "{{instance}}")], "Resident.", SIXTH),
    ]
