"""Sections of params.yaml on promotion, monitoring and the registry of versions."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from incumbent.params.section import Section


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
    auto_rollback: bool = Field(False, description="go back when arrivals show the predecessor to be better")
    probability: float = Field(
        0.8,
        gt=0.5,
        lt=1,
        description="that the challenger is better by more than margin; from it on it takes office",
    )
    guarantee: Literal["none", "lifetime"] = Field(
        "none",
        description="lifetime: an equal challenger ever replaces a champion with a chance of at most "
        "1 - confidence",
    )
    retired: ClassVar[Mapping[str, str]] = {
        "audit_window": "hindsight counts all arrivals since the champion took office"
    }


class MonitorParams(Section):
    days: int = Field(30, ge=1, description="predictions logged in so many last days are judged")
    min_rows: int = Field(200, ge=2, description="labelled predictions that a verdict needs")


class RegistryParams(Section):
    address: str = Field(pattern=r"^s3://[^/]+/.+", description="s3://bucket/prefix")
    signing_key: str | None = Field(None, description="file with the Ed25519 private key (PEM) that signs")
    public_key: str | None = Field(
        None, description="file with the public key (PEM); versions it did not sign are refused"
    )
