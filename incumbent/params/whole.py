"""All of params.yaml as frozen values; unknown keys and values that do not go together are refused."""

import difflib
import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from incumbent.params.cost import CostParams
from incumbent.params.data import (
    CleanParams,
    DatasetParams,
    FeatureParams,
    GateParams,
    LandingParams,
    SplitParams,
)
from incumbent.params.metrics import METRICS, Task
from incumbent.params.promotion import MonitorParams, PromotionParams, RegistryParams
from incumbent.params.section import Section
from incumbent.params.space import Space, space_of
from incumbent.params.tracking import TrackingParams
from incumbent.params.training import (
    SEARCH_ROWS,
    BiasParams,
    DecisionParams,
    ImbalanceParams,
    LightGBMParams,
    RetrainParams,
    SearchParams,
    SegmentParams,
    TorchParams,
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
    segments: SegmentParams = SegmentParams()
    gate: GateParams = GateParams()
    retrain: RetrainParams = RetrainParams()
    learner: Annotated[LightGBMParams | TorchParams, Field(discriminator="name")] = LightGBMParams()
    search: SearchParams = SearchParams()
    promotion: PromotionParams = PromotionParams()
    monitor: MonitorParams = MonitorParams()
    landing: LandingParams = LandingParams()
    registry: RegistryParams
    tracking: TrackingParams = TrackingParams()
    cost: CostParams = CostParams()
    seed: int = Field(0, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _grouping_needs_a_group(self) -> "Params":
        if self.search.scheme == "stratified-group" and not self.split.by:
            raise ValueError("search.scheme 'stratified-group' needs split.by to name the group's columns")
        if self.dataset.target in {*self.dataset.key, *self.dataset.drop, *self.dataset.categorical}:
            raise ValueError(f"dataset.target '{self.dataset.target}' can't be a key, dropped or a feature")
        return self

    @model_validator(mode="after")
    def _named_columns_are_declared(self) -> "Params":
        columns = self.dataset.columns
        if not columns:
            return self
        named = {"dataset.key": self.dataset.key, "split.by": self.split.by}
        if self.segments.by is not None and self.features.function is None:  # which adds columns
            named["segments.by"] = [self.segments.by]
        for where, names in named.items():
            if unknown := [name for name in names if name not in columns]:
                near = difflib.get_close_matches(unknown[0], columns, n=1)
                hint = f"; is it '{near[0]}'?" if near else "."
                raise ValueError(
                    f"{where} names '{unknown[0]}', which is no column in dataset.columns{hint} Correct the "
                    f"name, or declare the column; there are {', '.join(columns)}"
                )
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
    def _gap_in_time_needs_times(self) -> "Params":
        if self.search.gap_in_time is None:
            return self
        gap, time = f"search.gap = '{self.search.gap}'", self.dataset.time
        if time is None:
            raise ValueError(
                f"{gap} needs dataset.time, in which it is measured; name the column, or give the gap as a "
                "number of rows"
            )
        if (kind := self.dataset.columns.get(time)) in ("number", "boolean"):
            raise ValueError(
                f"{gap} is measured in dataset.time = '{time}', and dataset.columns declares that as {kind}; "
                "give the gap as a number of rows"
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
        if self.task == "regression" and (unfit := [name for name, value in asked.items() if value]):
            raise ValueError(f"{', '.join(unfit)}: measured on classes, and the task is regression")
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

    @model_validator(mode="after")
    def _segments_fit(self) -> "Params":
        by, data = self.segments.by, self.dataset
        if by is None:
            return self
        if by in {data.target, data.time, *data.drop}:
            raise ValueError(
                f"segments.by = '{by}' must be a feature, which dataset.target, dataset.time and the columns "
                "of dataset.drop are not"
            )
        if self.bias.column is not None:
            raise ValueError(
                f"segments.by = '{by}' would undo what {self.bias.asked} does to the model; keep one of them"
            )
        return self

    @model_validator(mode="after")
    def _space_fits_the_learner(self) -> "Params":
        _ = self.space
        return self

    @property
    def space(self) -> Space:
        """The options that a search draws, and those that search.space fixes."""
        fixed = self.learner.options if isinstance(self.learner, LightGBMParams) else {}
        return space_of(self.learner.name, self.search.space, fixed)

    @property
    def learns_from_folds(self) -> bool:
        """Whether calibration, threshold or segments are learned from the cross-validation's predictions."""
        asked = (self.imbalance.calibrate, self.decision.false_negative, self.segments.by)
        return any(each is not None for each in asked)

    @property
    def fold_metric(self) -> str:
        """The metric that stops a fold and ranks trials: promotion.metric, or an AUC for reweighted classes.

        Weights of classes shift the probabilities until calibration, which needs all folds. By a metric of
        probabilities a fold would stop at once, so the order of predictions is measured.
        """
        metric = self.promotion.metric
        focal = isinstance(self.learner, TorchParams) and self.learner.focal is not None
        if not (focal or self.imbalance.method) or metric.startswith(("roc_auc", "average_precision")):
            return metric
        return "roc_auc" if self.task == "binary" else "roc_auc_macro"

    def shaping_changes(self, other: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the sections that affect a fully trained model and differ from those of a manifest."""
        mine = self.model_dump(mode="json")
        sections = ("dataset", "task", "split", "learner", "search", "seed")
        mine["search"] = _search_result_keys(mine["search"])
        # A section or key that an older manifest lacks had its default.
        other = {**other, "search": _search_result_keys({"space": {}, **other.get("search", {})})}
        known = {name: field.default for name, field in DatasetParams.model_fields.items()}
        mine["dataset"] = _shaping(mine["dataset"])
        other["dataset"] = _shaping({**known, **other.get("dataset", {})})
        changed = [name for name in sections if mine[name] != other.get(name)]
        for name in ("clean", "features", "imbalance", "bias", "decision", "segments"):
            default = type(getattr(self, name))().model_dump(mode="json")
            changed += [name] * (mine[name] != {**default, **other.get(name, {})})
        window = other.get("retrain", {}).get("window", "auto")
        changed += ["retrain.window"] * (self.retrain.window != window)
        # The metric also stops folds and ranks trials.
        if self.promotion.metric != other.get("promotion", {}).get("metric"):
            changed.append("promotion.metric")
        return tuple(changed)

    def digest(self) -> str:
        """sha256 (hex) of every value but `tracking` and `cost`, which change nothing in a run: two runs with
        the same digest do the same work."""
        values = self.model_dump(exclude={"tracking", "cost"})
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _shaping(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Without `classes`, which only the gate uses, and `formats`, which shows in the rows already."""
    return {name: value for name, value in dataset.items() if name not in ("classes", "formats")}


def _search_result_keys(search: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that affect the result of a search: all but storage and workers."""
    known = {"rows": SEARCH_ROWS, **search}  # an upgrade alone is no reason to train anew
    return {name: value for name, value in known.items() if name not in ("storage", "workers")}
