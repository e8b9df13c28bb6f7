"""Sections of params.yaml on how training treats its rows; all of it is off unless asked for."""

from typing import Annotated, Literal

from pydantic import Field

from incumbent.section import Section


class ImbalanceParams(Section):
    method: Literal["weights", "over", "under", "smote"] | None = Field(
        None,
        description="rare classes weigh more, are repeated or made anew, or common ones lose rows",
    )
    calibrate: Literal["isotonic", "sigmoid"] | None = Field(
        None, description="turns scores back into probabilities, by the folds' held-out rows"
    )


class BiasParams(Section):
    reweigh: str | None = Field(
        None, description="column; training rows weigh as if its values and the classes were independent"
    )


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
