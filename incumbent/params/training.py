"""Sections of params.yaml on training: balance of classes, bias, learners, search and retraining."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from incumbent.params.section import Section

# LightGBM options that users may not set: other parameters or reproducibility determine them.
OURS = {
    *("objective", "metric", "seed", "deterministic", "force_row_wise", "num_threads", "feature_pre_filter"),
    *("device_type", "device"),
}

SEARCH_ROWS = 200_000
"""The default of search.rows, and the rows that choose a window."""

GAP_IN_TIME = re.compile(r"([1-9][0-9]{0,5}) (minute|hour|day|week)s?")


class ImbalanceParams(Section):
    method: Literal["weights", "over", "under", "smote"] | None = Field(
        None,
        description="rare classes weigh more, are repeated or made anew, or common ones lose rows",
    )
    calibrate: Literal["isotonic", "sigmoid"] | None = Field(
        None, description="turns scores back into probabilities, by the folds' held-out rows"
    )


class BiasParams(Section):
    """At most one of reweigh and reduce is set; `column`: the column it names; `asked`: it as text."""

    reweigh: str | None = Field(
        None, description="column; training rows weigh as if its values and the classes were independent"
    )
    reduce: str | None = Field(
        None, description="column; training rows get weights and labels that make its values treated alike"
    )
    constraint: Literal[
        "demographic_parity", "true_positive_rate_parity", "false_positive_rate_parity", "equalized_odds"
    ] = Field("demographic_parity", description="what is to be alike, with reduce")
    grid: int = Field(11, ge=2, le=1000, description="models tried, each in two halves, with reduce")

    @property
    def column(self) -> str | None:
        return self.reweigh if self.reduce is None else self.reduce

    @property
    def asked(self) -> str:
        return f"bias.{'reweigh' if self.reduce is None else 'reduce'} = '{self.column}'"

    @model_validator(mode="after")
    def _one_of_the_two(self) -> "BiasParams":
        if self.reweigh is not None and self.reduce is not None:
            raise ValueError("bias.reweigh and bias.reduce exclude each other: keep one of them")
        return self


class DecisionParams(Section):
    false_positive: float = Field(1.0, gt=0, description="cost of a false alarm, in any unit")
    false_negative: float | None = Field(
        None, gt=0, description="cost of a missed event, in the same unit; none: promotion.threshold decides"
    )


class SegmentParams(Section):
    by: str | None = Field(
        None,
        min_length=1,
        description="a feature; each of its values gets a correction of the model where that is better",
    )
    min_rows: int = Field(2000, ge=100, description="training rows of a value; fewer get no correction")


class LightGBMParams(Section):
    name: Literal["lightgbm"] = "lightgbm"
    threads: int = Field(1, ge=1, description="per fold; folds run side by side on all cores")
    rounds: int = Field(200, ge=10, le=100_000, description="boosting rounds at most")
    patience: int = Field(40, ge=1, description="rounds without gain on held-out rows before it stops")
    update_rounds: int = Field(10, ge=1, description="trees that an incremental update adds")
    update_rate: float = Field(0.05, gt=0, le=1, description="learning rate of those trees")
    refit_decay: float = Field(0.9, ge=0, le=1, description="most that old leaf values weigh in an update")
    checkpoint: int = Field(100, ge=1, description="rounds after which a full training can go on")
    device: Literal["cpu", "gpu", "cuda"] = Field(
        "cpu",
        description="gpu is OpenCL; cuda needs a build of LightGBM with it",
    )
    options: dict[str, int | float | str | bool] = Field({}, description="passed to LightGBM as they are")

    @model_validator(mode="after")
    def _options_are_free(self) -> "LightGBMParams":
        ours = sorted(OURS & self.options.keys())
        if ours:
            raise ValueError(f"learner.options may not set {ours}: they belong to incumbent")
        return self


class TorchParams(Section):
    name: Literal["torch"]
    threads: int = Field(1, ge=1, description="per fold; folds run side by side on all cores")
    rounds: int = Field(60, ge=1, le=100_000, description="epochs at most")
    patience: int = Field(6, ge=1, description="epochs without gain on held-out rows before it stops")
    update_rounds: int = Field(3, ge=1, description="epochs of an incremental update")
    update_rate: float = Field(3e-4, gt=0, le=1, description="learning rate of those epochs")
    batch: int = Field(512, ge=1, description="rows per step")
    members: int = Field(8, ge=1, le=64, description="of the ensemble inside the network")
    checkpoint: float = Field(60.0, gt=0, description="seconds after which a full training can go on")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where there is one")
    compile: bool = Field(False, description="torch.compile for what has all rows; folds go without")
    shard: bool = Field(
        False,
        description="with --engine ray each worker holds a share of the network: for what no GPU holds",
    )
    focal: float | None = Field(None, gt=0, le=10, description="gamma of the focal loss; none: cross-entropy")


LEARNERS: dict[str, type[Section]] = {"lightgbm": LightGBMParams, "torch": TorchParams}


class SearchParams(Section):
    strategy: Literal["grid", "random", "tpe", "gp", "cmaes", "genetic"] = "tpe"
    trials: int = Field(8, ge=1, le=100_000)
    timeout: float | None = Field(None, gt=0, description="seconds after which no new trial begins")
    stall: int | None = Field(None, ge=1, description="trials without a better one after which it stops")
    grid: dict[str, list[int | float]] = Field({}, description="values to try, for the strategy grid")
    rows: int | None = Field(
        SEARCH_ROWS,
        ge=100,
        description="training rows that the search works on; of more, on a sample of whole groups. "
        "null: all, whatever it costs",
    )
    space: dict[str, Any] = Field(
        {}, description="the learner's options by name: [low, high], {low, high, log}, or a fixed value"
    )
    folds: int = Field(5, ge=2, le=100)
    scheme: Literal["stratified", "stratified-group", "k-fold", "time-series", "leave-one-out"] = Field(
        "stratified",
        description="stratified-group keeps the rows of one split.by group in one fold; time-series holds "
        "out what comes after; leave-one-out fits one model a row, for some hundred rows",
    )
    gap: int | str = Field(
        0,
        description="left out between rows that a model is fitted on and later ones that judge it: a number "
        "of rows, in time-series folds, or a time such as 14 days, in the choice of a window as well",
    )
    storage: str | None = Field(
        None,
        pattern=r"^(sqlite|postgresql(\+psycopg)?)://",
        description="where studies are kept, as SQLAlchemy writes it; unset: a file under .incumbent/",
    )
    workers: int = Field(
        1, ge=1, le=1000, description="flow runs on the pool gpu that share a study; 1: none"
    )

    @property
    def gap_in_rows(self) -> int:
        """0 for a gap in time."""
        return self.gap if isinstance(self.gap, int) else 0

    @property
    def gap_in_time(self) -> timedelta | None:
        """None for a gap in rows."""
        if isinstance(self.gap, int) or not (parts := GAP_IN_TIME.fullmatch(self.gap)):
            return None
        number, unit = parts.groups()
        return timedelta(**{f"{unit}s": int(number)})

    @field_validator("gap", mode="before")
    @classmethod
    def _rows_or_time(cls, gap: Any) -> Any:
        in_rows = isinstance(gap, int) and not isinstance(gap, bool) and gap >= 0
        if in_rows or (isinstance(gap, str) and GAP_IN_TIME.fullmatch(gap)):
            return gap
        raise ValueError(
            "give a number of rows, 0 for none, or a time of whole minutes, hours, days or weeks, such as "
            "14 days or 36 hours"
        )

    @model_validator(mode="after")
    def _no_secret(self) -> "SearchParams":
        if self.storage and urlsplit(self.storage).password:
            raise ValueError(
                "search.storage may hold no password, as this file is kept with every version; set PGPASSWORD"
            )
        return self


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
