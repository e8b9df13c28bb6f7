"""Sections of params.yaml on the data: what a table is, how it is split, cleaned, gated and taken in."""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from incumbent.params.section import Section

# The values of dataset.formats, and the kind of column that each is for.
FORMATS = {
    "decimal-comma": "number",
    "decimal-point": "number",
    "day-first": "time",
    "month-first": "time",
    "year-first": "time",
}

RareTreatment = Literal["keep", "group", "drop"]
"""keep: a class like any other, in as many folds as it has rows; group: part of the class 'other'; drop: its
rows are not trained on."""


class DatasetParams(Section):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="names the dataset and its model")
    target: str = Field(min_length=1, description="the column to predict")
    positive: bool | int | str = Field(True, description="the target's value that counts as the event")
    key: list[str] = Field([], description="columns that together identify a row")
    time: str | None = Field(None, description="the column that orders the rows in time")
    drop: list[str] = Field([], description="columns that are never features")
    categorical: list[str] = Field([], description="features to treat as categories besides all text columns")
    rare_classes: RareTreatment = Field(
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
    by: list[str] = Field(
        [],
        description="columns whose equal values keep rows in one fold, and on one side; empty: the whole row",
    )
    holdout: float = Field(0.0, ge=0, lt=0.5, description="share of groups that no model ever trains on")


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

    @property
    def sources(self) -> list[str]:
        """Columns that it names; what the project's function reads nobody knows."""
        pairs = (name for pair in self.ratios.values() for name in pair)
        ordered = [*self.lags.columns, *self.lags.by] if self.lags.columns else []
        named = [*self.dates, *pairs, *self.frequency, *self.target, *ordered]
        return list(dict.fromkeys(named))


class GateParams(Section):
    false_alarms: float = Field(
        0.05,
        gt=0,
        le=0.5,
        description="share of arrivals like the past that the learned limits may warn of; a tenth of it is "
        "suspicious by mistake",
    )
    max_quarantined: float = Field(
        0.05, ge=0, lt=1, description="share of a partition's rows that may be set aside; more blocks it"
    )
    suspicious: Literal["probation", "warn", "block"] = Field(
        "probation", description="what becomes of a partition that looks wrong but may be news"
    )


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
