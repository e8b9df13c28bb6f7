"""Plan: measure the inputs of the rules, and choose how to retrain on the new data."""

from dataclasses import replace

from prefect import get_run_logger

from incumbent.evaluation.plan import Measurements, Plan, Skip, choose, plan_from_json
from tasks import artifacts
from tasks.gate import probations_of
from tasks.runs import Run
from tasks.step import step

UNPROMOTED = ("hold", "reject", "pending")
"""Verdicts that the same challenger would get once more."""


@step
def make_plan(run: Run) -> Plan:
    """Measure the inputs of the rules, score the champion on rows new to it, and choose."""
    plan = run.once("plan", plan_from_json, lambda: planned(run))
    artifacts.show_plan(plan)
    get_run_logger().info("plan: %s, because %s", plan.kind, "; ".join(plan.because))
    return plan


def planned(run: Run) -> Plan:
    """The plan by the rules; none, where its challenger was made before and did not take office."""
    plan = choose(_measure(run), run.params.retrain, run.strategy)
    if isinstance(plan, Skip) or run.strategy != "auto":
        return plan
    newest = run.registry.newest_version()
    if newest is None or (newest["kind"], newest.get("training")) != (plan.kind, run.training):
        return plan
    made_by = newest["run_seq"]
    decision = run.registry.decisions([made_by]).get(made_by)
    if decision is None or decision["kind"] not in UNPROMOTED:
        return plan
    return Skip(
        (
            f"nothing new to learn from since run {made_by}, which made {newest['version']} from the same "
            f"rows with the same parameters; its verdict: {decision['kind']}",
        )
    )


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
