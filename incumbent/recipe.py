"""Sections of params.yaml on how training treats its rows; all of it is off unless asked for."""

from typing import Literal

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


class DecisionParams(Section):
    false_positive: float = Field(1.0, gt=0, description="cost of a false alarm, in any unit")
    false_negative: float | None = Field(
        None, gt=0, description="cost of a missed event, in the same unit; none: promotion.threshold decides"
    )
