"""Make the challenger: tune, then train; or update the champion."""

from typing import TYPE_CHECKING

from prefect import get_run_logger

from incumbent.evaluation.plan import Full
from incumbent.training.anomalies import of_device
from tasks import artifacts
from tasks.anomalies import tell, telling_not_finite
from tasks.runs import Run
from tasks.step import step
from tasks.workers import search_with_workers

if TYPE_CHECKING:
    from incumbent.challenger import Challenger
    from incumbent.search.tune import StudyResult
    from incumbent.search.window import Window


@step
def choose_window(run: Run) -> None:
    """How much of history to read: less than all only where that is shown to be better."""
    from incumbent.search import window

    chosen = run.once(
        "window", window.Window.from_json, lambda: window.choose_window(run.files(_all(run)), run.params)
    )
    get_run_logger().info("window: %s", chosen.reason)


@step
def tune(run: Run) -> None:
    """Search the learner's options on the training rows."""
    from incumbent.report import plots
    from incumbent.search.tune import StudyResult

    with telling_not_finite(run):
        study = run.once("study", StudyResult.from_json, lambda: _search(run))
    values, pruned = [t.value for t in study.trials], [t.pruned for t in study.trials]
    pictures = {"Trials": plots.trials(values, pruned)}
    if study.importances:
        axis = "Share of the importance for good trials"
        pictures["What mattered"] = plots.importances(study.importances, axis=axis)
    artifacts.show_study(len(values), sum(pruned), study.options, pictures)
    get_run_logger().info("tuned: %d trials, best %.4f, %s", len(values), max(values), study.options)


@step
def train(run: Run) -> None:
    """Train in full with the study's winner, or update the champion with the new rows."""
    from incumbent.challenger import Challenger
    from incumbent.report import plots

    with telling_not_finite(run):
        challenger = run.once("challenger", Challenger.from_json, lambda: _make(run))
    for file in run.folder.glob("checkpoint-*"):
        file.unlink()
    pictures = {"Importances": plots.importances(challenger.importances)}
    if challenger.cv and not challenger.cv.left_out:
        pictures = {"Folds": plots.folds(challenger.cv.folds, challenger.cv.metric), **pictures}
    artifacts.show_training(challenger.cv, pictures)
    tell(run, of_device(challenger.device))
    for reason in challenger.schema.rare.reasons:
        get_run_logger().info("%s", reason)
    get_run_logger().info(
        "trained %s (%s): %d rounds on %d rows; cleaned: %s",
        run.version,
        challenger.kind,
        challenger.rounds,
        challenger.rows,
        {step: count for step, count in challenger.cleaned.items() if count} or "nothing",
    )


def _search(run: Run) -> "StudyResult":
    from incumbent.challenger import search
    from incumbent.search.anomalies import trial_anomalies
    from incumbent.search.studies import study_ref

    window = _window(run)
    if run.params.search.workers > 1:
        study = search_with_workers(run, window)
    else:
        ref = study_ref(run.project, run.params, run.work)
        study = search(run.files(window.of(_all(run))), run.params, window, ref, run.engine)
    tell(run, trial_anomalies(study.trials, run.params.fold_metric))
    return study


def _all(run: Run) -> list[str]:
    return [partition.name for partition in run.learned]


def _window(run: Run) -> "Window":
    from incumbent.search.window import Window

    return Window.from_json(run.read("window"))


def _make(run: Run) -> "Challenger":
    from incumbent.challenger import make_full
    from incumbent.search.tune import StudyResult

    if run.read("plan")["kind"] != Full.__name__.lower():
        return _update(run)
    study, window = StudyResult.from_json(run.read("study")), _window(run)
    files = run.files(window.of(_all(run)))
    return make_full(files, run.params, study, run.folder, window, engine=run.engine, checkpoints=run.folder)


def _update(run: Run) -> "Challenger":
    from incumbent.challenger import make_update
    from incumbent.training.lineage import Parent

    if run.champion is None:
        raise ValueError("an update needs a champion; the plan chose it without one")
    folder = run.pulled(run.champion)
    parent = Parent.of(run.model(run.champion), folder, run.manifest(run.champion))
    fresh = run.files([name for name in run.trusted.fresh if name not in run.waiting])
    return make_update(parent, fresh, run.params, run.folder)
