"""incumbent stage: one step of the pipeline on the work tree, for dvc.yaml.

The same functions as the flow's, so the same model bytes. DVC's cache needs a function of its inputs
and the champion is none of them, so `dvc repro` always trains in full, and never promotes.
"""

import json
import shutil
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from incumbent.cli.options import Json, Project, enter, say, show
from incumbent.errors import BadData, BadParams
from incumbent.params import Params, load_params

if TYPE_CHECKING:
    from incumbent.search.window import Window

FOLDER, MODEL = "pipeline", "model"
OLD_OUT = f"{FOLDER}/model.txt"


class Name(StrEnum):
    GATE = "gate"
    PLAN = "plan"
    TUNE = "tune"
    TRAIN = "train"
    COMPARE = "compare"


def stage(
    name: Annotated[Name, typer.Argument(help="The stage to run.")],
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Run one stage of dvc.yaml on the work tree; writes into pipeline/."""
    project = enter(project)
    params = load_params(project)
    (project / FOLDER).mkdir(exist_ok=True)
    document = STAGES[name](project, params, _partitions(project))
    text = json.dumps(document, indent=2) + "\n"
    (project / FOLDER / f"{name.value}.json").write_text(text, encoding="utf-8")
    show(document, as_json, lambda _: f"{name.value}: written to {FOLDER}/{name.value}.json")


def _gate(project: Path, params: Params, paths: list[Path]) -> dict[str, Any]:
    from incumbent.gate.probation import judge_probation, let_pass
    from incumbent.gate.suites import load_suites
    from incumbent.gate.version import gate_version
    from incumbent.storage.dataset.history import judged_on_arrival
    from incumbent.storage.dataset.probation import record_here
    from incumbent.storage.dataset.quarantine import open_quarantine
    from incumbent.storage.dataset.versions import arrivals_of
    from incumbent.storage.s3.documents import now
    from incumbent.tables.partitions import Partition, digest_of

    digests = {path.name: digest_of(path) for path in paths}
    record = record_here(project)

    def released() -> dict[str, str]:
        present = (Partition(name, md5) for name, md5 in digests.items())
        return {**open_quarantine(params).let_pass(present), **let_pass(record, digests)}

    partitions = [(path.name, path) for path in paths]
    report = gate_version(
        partitions,
        load_suites(project / "expectations"),
        params,
        released,
        judged_on_arrival(project, digests),
    )
    arrivals = arrivals_of(project, "HEAD", {name: digests[name] for name in report.on_probation})
    report = judge_probation(report, record, digests, now(), arrivals)
    if len(report.blocked) == len(paths):
        raise BadData("\n".join(["the gate blocks the data:", *report.reasons]))
    report = report.leaving_out(report.blocked)
    for name in report.left_out:
        say(f"left out: {'; '.join(str(each) for each in report.failed if each.partition == name)}")
    for name in report.on_probation:
        say(f"on probation: {'; '.join(str(each) for each in report.failed if each.partition == name)}")
    return report.to_json()


def _plan(project: Path, params: Params, paths: list[Path]) -> dict[str, Any]:
    from incumbent.evaluation.plan import Full
    from incumbent.search.window import choose_window

    plan = Full(("dvc repro trains in full: the champion is no input of the pipeline",))
    gate = _read(project, Name.GATE)
    paths = [path for path in paths if path.name not in _aside(gate)]
    if not paths:
        raise BadData(
            "every partition waits for labels, is on probation or is left out; nothing can be learned"
        )
    window = choose_window(paths, params)
    return {**plan.to_json(), "partitions": [path.name for path in paths], "window": window.to_json()}


def _aside(gate: dict[str, Any]) -> set[str]:
    """The partitions that nothing is learned from."""
    return {*gate["left_out"], *gate["waiting"], *gate.get("on_probation", ())}


def _tune(project: Path, params: Params, paths: list[Path]) -> dict[str, Any]:
    from incumbent.challenger import search
    from incumbent.search.anomalies import trial_anomalies

    study = search(_learned(project, paths), params, _window(project))
    for each in trial_anomalies(study.trials, params.fold_metric):
        say(f"anomaly in training ({each.kind}): {each.what}")
    return study.to_json()


def _train(project: Path, params: Params, paths: list[Path]) -> dict[str, Any]:
    from incumbent.challenger import make_full
    from incumbent.search.tune import StudyResult

    study, folder = StudyResult.from_json(_read(project, Name.TUNE)), _model_folder(project, params)
    if folder.name == MODEL:
        shutil.rmtree(folder, ignore_errors=True)  # another learner's files are no part of this model
        folder.mkdir()
    return make_full(_learned(project, paths), params, study, folder, _window(project)).to_json()


def _compare(project: Path, params: Params, paths: list[Path]) -> dict[str, Any]:
    from incumbent.challenger import Challenger
    from incumbent.challenger.contest import compare_with
    from incumbent.cli.registry import registry_of
    from incumbent.storage.serving.rivals import rivals_of
    from incumbent.tables.partitions import Partition, PartitionFiles, digest_of

    registry = registry_of(project)
    made = Challenger.from_json(_read(project, Name.TRAIN))
    files = {path.name: path for path in _learned(project, paths)}
    partitions = [Partition(name, digest_of(path)) for name, path in files.items()]
    contest, _ = compare_with(
        rivals_of(project, registry, registry.champion()),
        made,
        _model_folder(project, params),
        "work tree",
        PartitionFiles(partitions, lambda names: [files[name] for name in names]),
        params,
    )
    decision = contest.decide(made, "work tree", params.promotion)
    return {"incumbent": contest.incumbent, **contest.evidence.to_json(), **decision.to_json()}


def _partitions(project: Path) -> list[Path]:
    paths = sorted((project / "data").rglob("*.parquet"))
    if not paths:
        raise BadData(f"no Parquet files in {project / 'data'}; bring them with 'dvc pull'")
    return paths


def _learned(project: Path, paths: list[Path]) -> list[Path]:
    """The partitions that the plan names."""
    names = _read(project, Name.PLAN)["partitions"]
    return [path for path in paths if path.name in names]


def _model_folder(project: Path, params: Params) -> Path:
    """pipeline/model/, or pipeline/ itself for a dvc.yaml that lists the trees' file there, as all once did.

    Raises BadParams for such a dvc.yaml and a learner that writes another file.
    """
    from incumbent.learners import learner_type

    pipeline, file = project / "dvc.yaml", learner_type(params.learner.name).file
    if not pipeline.exists() or OLD_OUT not in pipeline.read_text(encoding="utf-8"):
        return project / FOLDER / MODEL
    if not OLD_OUT.endswith(file):
        raise BadParams(
            f"{pipeline} expects {OLD_OUT}, which learner '{params.learner.name}' does not write; "
            f"put '{FOLDER}/{MODEL}' in its place, once in outs and once in deps, and take "
            f"'{FOLDER}/replay.parquet' out"
        )
    return project / FOLDER


def _window(project: Path) -> "Window":
    from incumbent.search.window import Window

    return Window.from_json(_read(project, Name.PLAN)["window"])


def _read(project: Path, name: Name) -> Any:
    return json.loads((project / FOLDER / f"{name.value}.json").read_text())


STAGES = {Name.GATE: _gate, Name.PLAN: _plan, Name.TUNE: _tune, Name.TRAIN: _train, Name.COMPARE: _compare}
