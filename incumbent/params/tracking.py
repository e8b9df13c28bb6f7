"""Which experiment trackers a run tells."""

from typing import Literal

from pydantic import Field

from incumbent.params.section import Section

SinkName = Literal["mlflow", "wandb", "dvclive"]


class TrackingParams(Section):
    sinks: tuple[SinkName, ...] | None = Field(
        None,
        strict=False,  # YAML has lists
        description="trackers; none: those whose variables are set, MLFLOW_TRACKING_URI and WANDB_MODE",
    )
