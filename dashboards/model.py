"""One model's life: who is champion and since when, how well it does, what arrives, what is decided."""

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery as Annotation
from grafana_foundation_sdk.models import dashboard as schema
from grafana_foundation_sdk.models import units

from dashboards.panels import PROMETHEUS, THIRD, Dashboard, Panel, Query, bars, lines, name, number

OF = '{model="$model"}'


class Promotions(schema.AnnotationQuery):
    """A mark where a version became champion, with fields that only Grafana's Prometheus plugin has."""

    def to_json(self) -> dict[str, object]:
        return super().to_json() | {
            "titleFormat": "{{version}} is champion",
            "tagKeys": "version",
            "step": "60s",
        }


class PromotionsBuilder(Annotation):
    """Marks the promotions of the chosen model."""

    def __init__(self) -> None:
        info = f"incumbent_champion_info{OF}"
        # A series that was not there half an hour ago; the plugin makes one mark of neighbouring values.
        expr = f"{info} unless on (model, version) {info} offset 30m"
        self._internal = Promotions("Champions", PROMETHEUS, icon_color="green", expr=expr)


def dashboard() -> Dashboard:
    """Of the model that is chosen at the top."""
    page = Dashboard(
        "Incumbent: a model's life", "incumbent-model", "One model from promotion to promotion.", 30
    )
    page = page.of_models(several=False).annotation(PromotionsBuilder())
    for panel in (*_now(), *_performance(), *_arrivals()):
        page = page.with_panel(panel)
    return page


def _now() -> list[Panel]:
    waiting = ("quarantined_files", "probation_partitions", "pending_approvals")
    waits = " + ".join(f"incumbent_{each}{OF}" for each in waiting)
    last = f"topk(1, incumbent_last_decision_timestamp_seconds{OF})"
    return [
        name("Champion", Query(f"incumbent_champion_info{OF}", "{{version}}"), "The version that serves."),
        number(
            "Champion's age",
            units.Seconds,
            Query(f"time() - incumbent_champion_timestamp_seconds{OF}", ""),
            "Since it became champion.",
        ),
        number(
            "Age of the data",
            units.Seconds,
            Query(f"time() - incumbent_data_timestamp_seconds{OF}", ""),
            "Since the newest data version.",
        ),
        name("Last decision", Query(last, "{{kind}}"), "What the last run with a decision decided."),
        number(
            "Waits for a person",
            units.Short,
            Query(waits, ""),
            "Files in quarantine, partitions on probation, a challenger that waits for approval.",
        ),
        number(
            "Registry verified",
            units.BoolYesNo,
            Query(f"incumbent_registry_verified{OF}", ""),
            "Whether the champion's entry, signature and manifest agree.",
        ),
    ]


def _performance() -> list[Panel]:
    bounds = [Query(f"incumbent_metric_{each}{OF}", f"{{{{of}}}}, {each}") for each in ("low", "high")]
    return [
        lines(
            "Metric",
            units.Short,
            [Query(f"incumbent_metric_value{OF}", "{{metric}}, {{of}}"), *bounds],
            "With its interval: promised at promotion, live on late labels, estimated before labels.",
            span=16,
        ),
        lines(
            "Drift",
            units.PercentUnit,
            [Query(f"incumbent_drift_ratio{OF}", "share of gain")],
            "Share of the champion's gain that rests on columns that moved, at the last run.",
            THIRD,
        ),
    ]


def _arrivals() -> list[Panel]:
    arrived = f"increase(incumbent_arrived_rows_total{OF}[1d])"
    files = f"sum by (verdict) (increase(incumbent_arrivals_total{OF}[1d]))"
    decisions = f"sum by (kind) (increase(incumbent_decisions_total{OF}[1d]))"
    return [
        bars("Rows arrived", units.Short, [Query(arrived, "rows")], "Accepted, within a day.", THIRD),
        bars(
            "Files arrived",
            units.Short,
            [Query(files, "{{verdict}}")],
            "By the gate's verdict, within a day.",
            THIRD,
        ),
        bars("Decisions", units.Short, [Query(decisions, "{{kind}}")], "By kind, within a day.", THIRD),
    ]
