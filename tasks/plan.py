"""Plan: measure the inputs of the rules, and choose how to retrain on the new data."""

from dataclasses import replace

from prefect import get_run_logger

from incumbent.evaluation.plan import Measurements, Plan, choose, plan_from_json
from tasks import artifacts
from tasks.gate import probations_of
from tasks.runs import Run
from tasks.step import step


@step
def make_plan(run: Run) -> Plan:
    """Measure the inputs of the rules, score the champion on rows new to it, and choose."""
    plan = run.once("plan", plan_from_json, lambda: choose(_measure(run), run.params.retrain, run.strategy))
    artifacts.show_plan(plan)
    get_run_logger().info("plan: %s, because %s", plan.kind, "; ".join(plan.because))
    return plan


def _measure(run: Run) -> Measurements:
    import pandas as pd

    from incumbent.challenger import REPLAY
    from incumbent.evaluation.measure import measure

    suspended, news = probations_of(run), tuple(run.read("gate").get("news", ()))
    if run.champion is None:
        return Measurements(champion=None, labelled=bool(run.learned), on_probation=suspended)
    champion, manifest = run.model(run.champion), run.manifest(run.champion)
    sample = pd.read_parquet(run.pulled(run.champion) / REPLAY)
    measured = measure(champion, manifest, sample, run.files(run.trusted.fresh), run.trusted, run.params)
    if measured.live is not None:
        metric = run.params.promotion.metric
        run.write("live", {"champion": run.champion, "metric": metric, **vars(measured.live)})
    if measured.drift is not None:
        run.write("drift", {"champion": run.champion, **measured.drift.to_json()})
        artifacts.show_drift(measured.drift)
    labelled = bool(run.learned)
    return replace(measured.rules, labelled=labelled, on_probation=suspended, news=news)
