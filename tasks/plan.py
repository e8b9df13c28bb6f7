"""Plan: measure what the rules look at, and choose what to do about what is new."""

from prefect import get_run_logger

from incumbent.evaluation.plan import Measurements, Plan, choose, plan_from_json
from tasks import artifacts
from tasks.runs import Run
from tasks.step import step


@step
def make_plan(run: Run) -> Plan:
    """Measure what the rules look at, score the champion on rows it never saw, and choose."""
    plan = run.once("plan", plan_from_json, lambda: choose(_measured(run), run.params.retrain, run.strategy))
    artifacts.show_plan(plan)
    get_run_logger().info("plan: %s, because %s", plan.kind, "; ".join(plan.because))
    return plan


def _measured(run: Run) -> Measurements:
    import pandas as pd

    from incumbent.challenger import REPLAY
    from incumbent.evaluation.measure import measure

    if run.champion is None:
        return Measurements(champion=None, labelled=bool(run.learned))
    champion, manifest = run.model(run.champion), run.manifest(run.champion)
    sample = pd.read_parquet(run.pulled(run.champion) / REPLAY)
    seen = measure(champion, manifest, sample, run.files(run.diff.fresh), run.diff, run.params)
    if seen.live is not None:
        metric = run.params.promotion.metric
        run.write("live", {"champion": run.champion, "metric": metric, **vars(seen.live)})
    if seen.drift is not None:
        run.write("drift", {"champion": run.champion, **seen.drift.to_json()})
        artifacts.show_drift(seen.drift)
    return seen.rules
