"""All models at a glance: who needs a look?"""

from grafana_foundation_sdk.models import units

from dashboards.panels import Column, Dashboard, Panel, Query, bars, lines, rows


def dashboard() -> Dashboard:
    """A row for each model, what alerts, and what was decided."""
    page = Dashboard("Incumbent: the fleet", "incumbent-fleet", "All models of this Prometheus.", 7)
    return (
        page.with_panel(_models())
        .with_panel(_alerts())
        .with_panel(
            bars(
                "Decisions",
                units.Short,
                [Query("sum by (kind) (increase(incumbent_decisions_total[1d]))", "{{kind}}")],
                "Of all models, by kind, within a day.",
            )
        )
        .with_panel(
            lines(
                "Drift",
                units.PercentUnit,
                [Query("incumbent_drift_ratio", "{{model}}")],
                "Share of each champion's gain that rests on columns that moved.",
            )
        )
    )


def _models() -> Panel:
    last = "max by (model, kind) (topk by (model) (1, incumbent_last_decision_timestamp_seconds))"
    columns = {
        "readable": Column("max by (model) (incumbent_up)", units.BoolYesNo),
        "version": Column("max by (model, version) (incumbent_champion_info)", None),
        "champion's age": Column(_age("champion"), units.Seconds),
        "age of the data": Column(_age("data"), units.Seconds),
        "since the last decision": Column(f"time() - {last}", units.Seconds),
        "in quarantine": Column("max by (model) (incumbent_quarantined_files)", units.Short),
        "on probation": Column("max by (model) (incumbent_probation_partitions)", units.Short),
        "waits for approval": Column("max by (model) (incumbent_pending_approvals)", units.Short),
        "drift": Column("max by (model) (incumbent_drift_ratio)", units.PercentUnit),
        "verified": Column("max by (model) (incumbent_registry_verified)", units.BoolYesNo),
    }
    return rows("Models", columns, "Age, last decision and what waits, of each model.")


def _age(of: str) -> str:
    return f"time() - max by (model) (incumbent_{of}_timestamp_seconds)"


def _alerts() -> Panel:
    firing = 'ALERTS{alertstate="firing", alertname=~"Incumbent.*"}'
    columns = {"alertname": Column(f"max by (alertname, severity, model) ({firing})", None)}
    return rows("Alerts", columns, "Those that fire now; docs/runbook.md has a section for each.")
