"""The results of a run's comparison and study, as values and as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.promotion import PREDICTIONS
from tasks.runs import Run

if TYPE_CHECKING:
    from incumbent.compare import Comparison
    from incumbent.evaluation.decide import Evidence


def evidence_of(run: Run) -> Evidence | None:
    contest = run.read("comparison")
    if contest is None:
        return None
    from incumbent.evaluation.decide import Evidence

    return Evidence.from_json(contest["evidence"])


def comparison_of(run: Run) -> Comparison | None:
    evidence = evidence_of(run)
    return evidence.compared if evidence else None


def pictures_of(run: Run) -> dict[str, bytes]:
    evidence = evidence_of(run)
    if evidence is None or comparison_of(run) is None:
        return {}
    import numpy as np

    from incumbent.challenger import Challenger
    from incumbent.report import plots

    schema = Challenger.from_json(run.read("challenger")).schema
    names = (f"{run.read('comparison')['incumbent']} (incumbent)", f"{run.version} (challenger)")
    with np.load(run.folder / PREDICTIONS, allow_pickle=False) as kept:
        y, champion, challenger = kept["y"], kept["champion"], kept["challenger"]
    if schema.task == "regression":
        return {"Errors on the judging rows": plots.residuals(y, champion, challenger, names)}
    if schema.task == "multiclass":
        first = {"Classes on the judging rows": plots.confusion(y, challenger, schema.classes)}
    else:
        first = {"ROC on the judging rows": plots.roc(y, champion, challenger, names)}
    if evidence.calibration is None:
        return first
    return {**first, "Calibration of the challenger": plots.reliability(evidence.calibration, run.version)}


def study_pictures(run: Run) -> dict[str, bytes]:
    study, challenger = run.read("study"), run.read("challenger")
    pictures: dict[str, bytes] = {}
    if not study and not challenger:
        return pictures
    from incumbent.report import plots

    if study:
        values = [trial["value"] for trial in study["trials"]]
        pictures["Trials"] = plots.trials(values, [trial["pruned"] for trial in study["trials"]])
    if challenger:
        pictures["Importances"] = plots.importances(challenger["importances"])
    return pictures
