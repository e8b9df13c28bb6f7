"""incumbent stage: one step of the pipeline on the work tree, for dvc.yaml.

The same functions as the flow's, so the same model bytes. DVC's cache needs a function of its inputs
and the champion is none of them, so `dvc repro` always trains in full, and never promotes.
"""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from incumbent.cli.options import Json, Project, enter, show
from incumbent.errors import BadData
from incumbent.params import Params, load_params

if TYPE_CHECKING:
    from incumbent.window import Window

FOLDER = "pipeline"


class Name(StrEnum):
    GATE = "gate"
    PLAN = "plan"
    TUNE = "tune"
    TRAIN = "train"
    COMPARE = "compare"


def stage(
    name: Annotated[Name, typer.Argument(help="Which one.")], project: Project = Path(), as_json: Json = False
) -> None:
    """One stage of dvc.yaml on the work tree; writes into pipeline/."""
    project = enter(project)
    params = load_params(project)
    (project / FOLDER).mkdir(exist_ok=True)
    document = STAGES[name](project, params, _partitions(project))
    (project / FOLDER / f"{name.value}.json").write_text(json.dumps(document, indent=2) + "\n")
    show(document, as_json, lambda _: f"{name.value}: written to {FOLDER}/{name.value}.json")


def _gate(project: Path, params: Params, paths: list[Path]) -> dict[str, Any]:
    from incumbent.dataset import Partition
    from incumbent.gate import Verdict
    from incumbent.gate.check import gate_files
    from incumbent.gate.suites import load_suites
    from incumbent.storage.quarantine import open_quarantine
    from incumbent.storage.versions import digest_of

    partitions = [(path.name, path) for path in paths]
    report = gate_files(partitions, load_suites(project / "expectations"), params.dataset, params.gate)
    if report.verdict is Verdict.BLOCK:
        versions = [Partition(path.name, digest_of(path)) for path in paths]
        report = report.excusing(open_quarantine(params).let_pass(versions))
    if report.verdict is Verdict.BLOCK:
        raise BadData("\n".join(["the gate blocks the data:", *report.reasons]))
    return report.to_json()


def _plan(_project: Path, params: Params, paths: list[Path]) -> dict[str, Any]:
    from incumbent.plan import Full
    from incumbent.window import choose_window

    plan = Full(("dvc repro trains in full: the champion is no input of the pipeline",))
    window = choose_window(paths, params)
    return {**plan.to_json(), "partitions": [path.name for path in paths], "window": window.to_json()}


def _tune(project: Path, params: Params, paths: list[Path]) -> dict[str, Any]:
    from incumbent.challenger import search

    return search(paths, params, _window(project)).to_json()


def _train(project: Path, params: Params, paths: list[Path]) -> dict[str, Any]:
    from incumbent.challenger import make_full
    from incumbent.tune import StudyResult

    study = StudyResult.from_json(_read(project, Name.TUNE))
    return make_full(paths, params, study, project / FOLDER, _window(project)).to_json()


def _compare(project: Path, params: Params, paths: list[Path]) -> dict[str, Any]:
    from incumbent.challenger import Challenger, open_challenger, open_others
    from incumbent.cli.models import registry_of
    from incumbent.dataset import Partition
    from incumbent.decide import decide
    from incumbent.judge import BASELINE, Learned, score_holdout, weigh
    from incumbent.storage.model_cache import load_model
    from incumbent.storage.versions import digest_of

    registry = registry_of(project)
    office = registry.champion()
    made = Challenger.from_json(_read(project, Name.TRAIN))
    holdout = score_holdout(
        load_model(project, registry, office.version) if office else None,
        open_challenger(made, params, project / FOLDER, "work tree"),
        [(Partition(path.name, digest_of(path)), path) for path in paths[-params.promotion.window :]],
        params,
        learned=Learned.from_manifest(registry.manifest(office.version)) if office else None,
        prior=made.prior,
        others=open_others(made, params, project / FOLDER),
    )
    rival = office.version if office else BASELINE
    evidence = weigh(holdout, params.promotion, params.seed)
    decision = decide(evidence, params.promotion, rival)
    return {"incumbent": rival, **evidence.to_json(), **decision.to_json()}


def _partitions(project: Path) -> list[Path]:
    paths = sorted((project / "data").rglob("*.parquet"))
    if not paths:
        raise BadData(f"no Parquet files in {project / 'data'}; bring them with 'dvc pull'")
    return paths


def _window(project: Path) -> "Window":
    from incumbent.window import Window

    return Window.from_json(_read(project, Name.PLAN)["window"])


def _read(project: Path, name: Name) -> Any:
    return json.loads((project / FOLDER / f"{name.value}.json").read_text())


STAGES = {Name.GATE: _gate, Name.PLAN: _plan, Name.TUNE: _tune, Name.TRAIN: _train, Name.COMPARE: _compare}
