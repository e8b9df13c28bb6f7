"""params.yaml: read once, at the edge, into frozen values that refuse what they do not know."""

import hashlib
import json
import reprlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from incumbent import own_code
from incumbent.errors import BadParams
from incumbent.metrics import METRICS, Task
from incumbent.rare_classes import Treatment
from incumbent.recipe import (
    LEARNERS,
    BiasParams,
    DecisionParams,
    FeatureParams,
    ImbalanceParams,
    LightGBMParams,
    SearchParams,
    TorchParams,
)
from incumbent.section import Section

# A few aliases can stand for a value of gigabytes.
SHORT = reprlib.Repr()
SHORT.maxlevel, SHORT.maxstring = 2, 80

# Pydantic adds to a value's address which type of a union it tried.
_UNION_MEMBERS = ("bool", "int", "float", "str")

# The forms of dataset.formats, and the kind of column that each is for.
FORMATS = {
    "decimal-comma": "number",
    "decimal-point": "number",
    "day-first": "time",
    "month-first": "time",
    "year-first": "time",
}


class DatasetParams(Section):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="names the dataset and its model")
    target: str = Field(min_length=1, description="the column to predict")
    positive: bool | int | str = Field(True, description="the target's value that counts as the event")
    key: list[str] = Field([], description="columns that together identify a row")
    time: str | None = Field(None, description="the column that orders the rows in time")
    drop: list[str] = Field([], description="columns that are never features")
    categorical: list[str] = Field([], description="features to treat as categories besides all text columns")
    rare_classes: Treatment = Field(
        "keep", description="of classes with fewer training rows than search.folds: keep, group or drop them"
    )
    columns: dict[str, Literal["number", "text", "boolean", "time"]] = Field(
        {}, description="what every file holds: each column and its kind; empty: not declared, not checked"
    )
    classes: list[bool | int | str] = Field(
        [], description="the target's classes; the gate blocks any other; empty: not declared, not checked"
    )
    formats: dict[
        str, Literal["decimal-comma", "decimal-point", "day-first", "month-first", "year-first"]
    ] = Field({}, description="how a column's texts are written where that can be taken in two ways")

    @model_validator(mode="after")
    def _formats_fit_the_kinds(self) -> "DatasetParams":
        for name, form in self.formats.items():
            kind = self.columns.get(name)
            if kind not in (None, FORMATS[form]):
                raise ValueError(
                    f"formats.{name} = {form} is for a {FORMATS[form]}, and columns.{name} is {kind}"
                )
        return self


class SplitParams(Section):
    by: list[str] = Field([], description="columns whose values decide a row's side; empty: the whole row")
    holdout: float = Field(0.2, gt=0, lt=0.5, description="share of groups that no model ever trains on")


class Limits(Section):
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _some_limit(self) -> "Limits":
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        return self


Quantiles = Annotated[list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=2, max_length=2)]


class CleanParams(Section):
    duplicates: bool = Field(False, description="exact copies of a row train once; scoring keeps them")
    trim: bool = Field(False, description="no spaces around texts; a text of spaces is a missing value")
    case: Literal["lower", "upper"] | None = Field(None, description="of all texts")
    impossible: dict[str, Limits] = Field({}, description="values outside min and max become missing")
    clip: dict[str, Quantiles] = Field({}, description="values beyond these training quantiles become them")
    missing: dict[str, float | str] = Field(
        {},
        description="fills empty cells: mean, median, most-frequent, or a value; others stay empty",
    )


class GateParams(Section):
    max_quarantined: float = Field(
        0.05, ge=0, lt=1, description="share of a partition's rows that may be set aside; more blocks it"
    )


class RetrainParams(Section):
    min_rows: int = Field(1, ge=1, description="fewer new rows than this are left for the next arrival")
    max_decay: float = Field(
        0.03, gt=0, description="units of the metric below the promise; more means full retraining"
    )
    max_drift: float = Field(
        0.5, gt=0, le=1, description="share of the champion's gain on columns that moved; more is full"
    )
    max_total_drift: float = Field(
        1.5, gt=0, description="the same share, summed over the updates since the last full; more is full"
    )
    max_unseen: float = Field(0.05, ge=0, le=1, description="share of new rows with a category never seen")
    max_updates: int = Field(6, ge=0, description="incremental updates in a row before a full retraining")
    max_growth: float = Field(
        0.5, gt=0, description="new training rows, as a share of those that the champion knows; more is full"
    )
    window: Literal["auto", "all"] | Annotated[int, Field(ge=1)] = Field(
        "auto", description="partitions that a full retraining reads: all, so many latest, or what does best"
    )
    replay: int = Field(50_000, ge=0, description="rows of history kept with a version for its update")
    workers: int = Field(
        2, ge=1, le=1000, description="Ray workers that train one model together, with --engine ray"
    )


class SliceParams(Section):
    columns: list[str] = Field([], description="a challenger may not be worse on any of their values")
    min_rows: int = Field(200, ge=2, description="held-out rows that a value needs to be judged")


class FairnessParams(Section):
    column: str | None = Field(None, description="the protected column; it need not be a feature")
    max_parity_difference: float | None = Field(
        None, ge=0, le=1, description="largest difference in selection rate between its values"
    )
    max_odds_difference: float | None = Field(
        None, ge=0, le=1, description="largest difference in true or false positive rate"
    )


class LimitParams(Section):
    max_bytes: int | None = Field(None, gt=0, description="of the model's file")
    max_microseconds: float | None = Field(None, gt=0, description="to predict one row, in a batch")
    max_calibration_error: float | None = Field(
        None, gt=0, le=1, description="expected calibration error (ECE) over ten equally filled bins"
    )


class PromotionParams(Section):
    metric: str = Field("roc_auc", description="decides; must fit the task")
    threshold: float = Field(0.5, gt=0, lt=1, description="probability from which a row counts as positive")
    margin: float = Field(0.0, ge=0, description="units of the metric that a challenger must gain")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="of the interval around the difference")
    floor: float | None = Field(
        None, description="a model worse than this never takes office; for an error, the highest allowed"
    )
    window: int = Field(3, ge=1, description="the latest partitions whose holdout rows judge")
    seeds: int = Field(1, ge=1, le=100, description="challengers that differ in their seed only; see docs")
    resamples: int = Field(2000, ge=100, le=100_000, description="of the bootstrap")
    slices: SliceParams = SliceParams()
    fairness: FairnessParams = FairnessParams()
    limits: LimitParams = LimitParams()
    audit_window: int = Field(3, ge=1, description="arrivals over which a verdict is judged in hindsight")
    auto_rollback: bool = Field(False, description="act when hindsight finds another model to be better")


class MonitorParams(Section):
    days: int = Field(30, ge=1, description="predictions logged in so many last days are judged")
    min_rows: int = Field(200, ge=2, description="labelled predictions that a verdict needs")


class LandingParams(Section):
    address: str | None = Field(
        None, pattern=r"^s3://[^/]+(/.+)?$", description="files under ADDRESS/<dataset.name>/ are taken in"
    )
    partition: Literal["file", "month", "day"] = Field(
        "file", description="a partition a file, or one a month or day of dataset.time"
    )
    zone: str | None = Field(
        None,
        description="months and days of this time zone, such as Europe/Berlin; default: the column's own",
    )
    late: Literal["correct", "append"] = Field(
        "correct", description="a later file replaces its partition, or adds rows to it by their key"
    )

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str | None) -> str | None:
        try:
            return zone if zone is None else ZoneInfo(zone).key
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("no such time zone; use a name such as Europe/Berlin or UTC") from error


class RegistryParams(Section):
    address: str = Field(pattern=r"^s3://[^/]+/.+", description="s3://bucket/prefix")
    signing_key: str | None = Field(None, description="file with the Ed25519 private key (PEM) that signs")
    public_key: str | None = Field(
        None, description="file with the public key (PEM); versions it did not sign are refused"
    )


class Params(Section):
    dataset: DatasetParams
    task: Task = "binary"
    split: SplitParams = SplitParams()
    clean: CleanParams = CleanParams()
    features: FeatureParams = FeatureParams()
    imbalance: ImbalanceParams = ImbalanceParams()
    bias: BiasParams = BiasParams()
    decision: DecisionParams = DecisionParams()
    gate: GateParams = GateParams()
    retrain: RetrainParams = RetrainParams()
    learner: Annotated[LightGBMParams | TorchParams, Field(discriminator="name")] = LightGBMParams()
    search: SearchParams = SearchParams()
    promotion: PromotionParams = PromotionParams()
    monitor: MonitorParams = MonitorParams()
    landing: LandingParams = LandingParams()
    registry: RegistryParams
    seed: int = Field(0, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _grouping_needs_a_group(self) -> "Params":
        if self.search.scheme == "stratified-group" and not self.split.by:
            raise ValueError("search.scheme 'stratified-group' needs split.by to name the group's columns")
        if self.dataset.target in {*self.dataset.key, *self.dataset.drop, *self.dataset.categorical}:
            raise ValueError(f"dataset.target '{self.dataset.target}' can't be a key, dropped or a feature")
        return self

    @model_validator(mode="after")
    def _classes_fit_the_task(self) -> "Params":
        classes, positive = self.dataset.classes, self.dataset.positive
        if classes and self.task == "regression":
            raise ValueError("dataset.classes is for a target of classes, and the task is regression")
        if classes and self.task == "binary" and (len(classes) != 2 or positive not in classes):
            raise ValueError(
                f"dataset.classes = {classes}: a binary target has two, one of them dataset.positive = "
                f"{positive!r}; for more classes set task: multiclass"
            )
        return self

    @model_validator(mode="after")
    def _periods_need_a_time(self) -> "Params":
        if self.landing.partition != "file" and self.dataset.time is None:
            raise ValueError(f"landing.partition = '{self.landing.partition}' needs dataset.time")
        if self.landing.late == "append" and not self.dataset.key:
            raise ValueError(
                "landing.late = 'append' needs dataset.key, which tells the rows that came before"
            )
        return self

    @model_validator(mode="after")
    def _metric_fits_the_task(self) -> "Params":
        fitting = sorted(name for name, metric in METRICS.items() if self.task in metric.tasks)
        if self.promotion.metric not in fitting:
            raise ValueError(
                f"promotion.metric '{self.promotion.metric}' is none for the task '{self.task}'; "
                f"allowed: {', '.join(fitting)}"
            )
        asked = {
            "promotion.fairness.column": self.promotion.fairness.column,
            "promotion.limits.max_calibration_error": self.promotion.limits.max_calibration_error,
        }
        if self.task == "regression" and (senseless := [name for name, value in asked.items() if value]):
            raise ValueError(f"{', '.join(senseless)}: measured on classes, and the task is regression")
        return self

    @model_validator(mode="after")
    def _balance_fits_the_task(self) -> "Params":
        focal = isinstance(self.learner, TorchParams) and self.learner.focal is not None
        if self.task == "regression" and (focal or self.imbalance != ImbalanceParams()):
            raise ValueError("imbalance and learner.focal are for classes, and the task is regression")
        if self.task == "regression" and self.bias.reweigh is not None:
            raise ValueError("bias.reweigh is for classes, and the task is regression")
        if self.task != "multiclass" and self.dataset.rare_classes != "keep":
            raise ValueError(
                f"dataset.rare_classes = '{self.dataset.rare_classes}' is for more than two classes, and the "
                f"task is {self.task}"
            )
        if self.task != "binary" and self.bias.reduce is not None:
            raise ValueError(f"bias.reduce is between two classes, and the task is {self.task}")
        if self.bias.column is not None and self.imbalance.method == "smote":
            raise ValueError(
                f"{self.bias.asked} weighs rows by a column, and imbalance.method = 'smote' makes rows "
                "without it; use another method"
            )
        if self.task != "binary" and self.decision != DecisionParams():
            raise ValueError(f"decision is between two classes, and the task is {self.task}")
        return self

    @model_validator(mode="after")
    def _features_can_be_made(self) -> "Params":
        lags, target = self.features.lags, self.dataset.target
        pairs = (name for pair in self.features.ratios.values() for name in pair)
        single = (*self.features.dates, *self.features.frequency, *self.features.target)
        if target in {*pairs, *single, *lags.columns, *lags.by}:
            raise ValueError(f"features can't be made of dataset.target '{target}': scoring does not know it")
        if not lags.columns:
            return self
        if self.dataset.time is None:
            raise ValueError("features.lags needs dataset.time: it tells which row comes before")
        if not self.split.by or not set(self.split.by) <= set(lags.by):
            raise ValueError(
                f"features.lags.by = {lags.by} must name all columns of split.by, which must name some: else "
                "rows of an entity lie on both sides of the split, and training would read held-out ones"
            )
        return self

    @property
    def learns_from_folds(self) -> bool:
        """Whether the cross-validation's predictions become part of the model."""
        return self.imbalance.calibrate is not None or self.decision.false_negative is not None

    @property
    def fold_metric(self) -> str:
        """What stops a fold and ranks trials: the metric that promotes.

        Training that changes the classes' weights changes what a probability means, until the folds are done
        and calibrate it. Judged by probabilities a fold would stop at once, so it is judged by their order.
        """
        metric = self.promotion.metric
        focal = isinstance(self.learner, TorchParams) and self.learner.focal is not None
        if not (focal or self.imbalance.method) or metric.startswith(("roc_auc", "average_precision")):
            return metric
        return "roc_auc" if self.task == "binary" else "roc_auc_macro"

    def shaping_changes(self, other: Mapping[str, Any]) -> tuple[str, ...]:
        """What shapes a fully trained model and differs from the parameters in a manifest."""
        mine = self.model_dump(mode="json")
        sections = ("dataset", "task", "split", "learner", "search", "seed")
        mine["search"], other = _sought(mine["search"]), {**other, "search": _sought(other.get("search", {}))}
        # Versions from before there was such a section or key were made without it.
        known = {name: field.default for name, field in DatasetParams.model_fields.items()}
        mine["dataset"] = _shaping(mine["dataset"])
        other["dataset"] = _shaping({**known, **other.get("dataset", {})})
        changed = [name for name in sections if mine[name] != other.get(name)]
        for name in ("clean", "features", "imbalance", "bias", "decision"):
            default = type(getattr(self, name))().model_dump(mode="json")
            changed += [name] * (mine[name] != {**default, **other.get(name, {})})
        window = other.get("retrain", {}).get("window", "auto")
        changed += ["retrain.window"] * (self.retrain.window != window)
        # It also stops the folds and ranks the trials.
        if self.promotion.metric != other.get("promotion", {}).get("metric"):
            changed.append("promotion.metric")
        return tuple(changed)

    def digest(self) -> str:
        """sha256 (hex) of every value, so that two runs can tell whether they would do the same work."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()


def _shaping(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Without what only the gate reads, and without how texts are read: the rows and the schema have that."""
    return {name: value for name, value in dataset.items() if name not in ("classes", "formats")}


def _sought(search: Mapping[str, Any]) -> dict[str, Any]:
    """What is searched; not by whom, nor where it is written down."""
    return {name: value for name, value in search.items() if name not in ("storage", "workers")}


def load_params(project: Path) -> Params:
    """Read PROJECT/params.yaml; from here on the project's own functions can be found.

    Raises BadParams with the file, the key, the value seen and what is allowed.
    """
    path = project / "params.yaml"
    own_code.look_in(project.resolve())
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        what = "no params.yaml in" if project.is_dir() else "there is no folder"
        raise BadParams(f"{what} {project.resolve()}; name the project with --project") from error
    except UnicodeDecodeError as error:
        raise BadParams(f"{path} is not valid YAML: {_one_line(error)}") from error
    return parse_params(text, path)


@lru_cache(maxsize=8)
def parse_params(text: str, path: Path) -> Params:
    """The same from the text; `path` is for the messages. Parsed once, however often a run asks."""
    try:
        # YAML 1.2: `1e-3` is a number and `no` a word; duplicate keys are refused; no object tags.
        tree = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:  # ValueError: a date like 02-30
        raise BadParams(f"{path} is not valid YAML: {_one_line(error)}") from error
    if not isinstance(tree, dict):
        raise BadParams(f"{path} must be a mapping of sections, not {type(tree).__name__}")
    try:
        return Params.model_validate(tree)
    except ValidationError as error:
        raise BadParams("\n".join(_explain(path, problem) for problem in error.errors())) from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _explain(path: Path, problem: Any) -> str:
    parts = [part for part in problem["loc"] if part not in _UNION_MEMBERS]
    seen, message = problem["input"], problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "union_tag_invalid":
        parts.append("name")
        seen, message = seen["name"], f"Input should be {problem['ctx']['expected_tags']}"
    elif parts[:1] == ["learner"] and len(parts) > 1:
        del parts[1]  # which learner it was checked as
    key = ".".join(map(str, parts))
    if problem["type"] == "extra_forbidden":
        *parents, _ = problem["loc"]
        allowed = ", ".join(_fields(parents))
        return f"{path}: unknown key '{key}'; allowed here: {allowed}"
    if problem["type"] == "missing":
        return f"{path}: '{key}' is missing"
    return f"{path}: {key} = {SHORT.repr(seen)}: {message}" if key else f"{path}: {message}"


def _fields(parents: list[Any]) -> list[str]:
    if parents[:1] == ["learner"]:
        return list(LEARNERS[parents[1]].model_fields)
    section: Any = Params
    for name in parents:
        section = section.model_fields[name].annotation
    return list(section.model_fields)
