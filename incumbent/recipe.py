"""Sections of params.yaml on how training treats its rows; all of it is off unless asked for."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from incumbent.section import Section

# LightGBM options that follow from other parameters, or that equal bytes depend on.
OURS = {
    *("objective", "metric", "seed", "deterministic", "force_row_wise", "num_threads", "feature_pre_filter"),
    *("device_type", "device"),
}


class ImbalanceParams(Section):
    method: Literal["weights", "over", "under", "smote"] | None = Field(
        None,
        description="rare classes weigh more, are repeated or made anew, or common ones lose rows",
    )
    calibrate: Literal["isotonic", "sigmoid"] | None = Field(
        None, description="turns scores back into probabilities, by the folds' held-out rows"
    )


class BiasParams(Section):
    """One of the two at most; `column` is what it names, `asked` how params.yaml says so."""

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


Pair = Annotated[list[str], Field(min_length=2, max_length=2)]
DatePart = Literal["hour", "weekday", "day", "month", "quarter", "year"]


class LagParams(Section):
    columns: list[str] = Field([], description="each gets its value in the entity's row before, in one file")
    by: list[str] = Field([], description="columns that tell an entity; all of split.by must be among them")


class FeatureParams(Section):
    dates: dict[str, list[DatePart]] = Field({}, description="parts of a time; weekday: Monday is 0")
    ratios: dict[str, Pair] = Field({}, description="name: [numerator, denominator]; by 0 it is missing")
    frequency: list[str] = Field([], description="columns whose values get their share of the training rows")
    target: list[str] = Field([], description="columns whose values get the target's mean in other rows")
    smoothing: float | None = Field(
        None, ge=0, description="rows that the overall mean counts as, in a value's; none: by the variances"
    )
    lags: LagParams = LagParams()
    function: str | None = Field(
        None, pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$", description="module:function of the project"
    )


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
    focal: float | None = Field(None, gt=0, le=10, description="gamma of the focal loss; none: cross-entropy")


LEARNERS: dict[str, type[Section]] = {"lightgbm": LightGBMParams, "torch": TorchParams}


class SearchParams(Section):
    strategy: Literal["grid", "random", "tpe", "gp", "cmaes", "genetic"] = "tpe"
    trials: int = Field(8, ge=1, le=100_000)
    timeout: float | None = Field(None, gt=0, description="seconds after which no new trial begins")
    stall: int | None = Field(None, ge=1, description="trials without a better one after which it stops")
    grid: dict[str, list[int | float]] = Field({}, description="values to try, for the strategy grid")
    folds: int = Field(5, ge=2, le=100)
    scheme: Literal["stratified", "stratified-group", "k-fold", "time-series", "leave-one-out"] = Field(
        "stratified",
        description="stratified-group keeps the rows of one split.by group in one fold; time-series holds "
        "out what comes after; leave-one-out fits one model a row, for some hundred rows",
    )
    gap: int = Field(0, ge=0, description="rows left out between the two sides of a time-series fold")
    storage: str | None = Field(
        None,
        pattern=r"^(sqlite|postgresql(\+psycopg)?)://",
        description="where studies are kept, as SQLAlchemy writes it; unset: a file under .incumbent/",
    )
    workers: int = Field(
        1, ge=1, le=1000, description="flow runs on the pool gpu that share a study; 1: none"
    )

    @model_validator(mode="after")
    def _no_secret(self) -> "SearchParams":
        if self.storage and urlsplit(self.storage).password:
            raise ValueError(
                "search.storage may hold no password, as this file is kept with every version; set PGPASSWORD"
            )
        return self
