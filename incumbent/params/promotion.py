"""Sections of params.yaml on promotion, monitoring and the registry of versions."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from incumbent.params.metrics import METRICS
from incumbent.params.section import Section


class SliceParams(Section):
    columns: list[str] = Field([], description="a challenger may not be worse on any of their values")
    min_rows: int = Field(200, ge=2, description="judging rows that a value needs to be judged")


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
    margin: float | None = Field(
        None, ge=0, description="units of the metric that a challenger must gain; none: half of worthwhile"
    )
    probability: float = Field(
        0.8,
        gt=0.5,
        lt=1,
        description="that the challenger is better by more than margin; from it on it takes office",
    )
    guarantee: Literal["none", "lifetime"] = Field(
        "none",
        description="lifetime: a chance of 1 - confidence that an equal challenger ever replaces a champion",
    )
    confidence: float = Field(
        0.95, gt=0.5, lt=1, description="of intervals, of the test of slices, and of the guarantee"
    )
    worthwhile: float | None = Field(
        None, gt=0, description="smallest gain worth waiting for; none: .005 of a score, 1 % of an error"
    )
    floor: float | None = Field(
        None, description="a model worse than this never takes office; for an error, the highest allowed"
    )
    window: int = Field(
        3, ge=1, description="latest partitions whose rows judge; more while a worthwhile gain can't show"
    )
    provisional: bool = Field(
        False, description="a first model takes office, marked, while nothing can tell it from the baseline"
    )
    seeds: int = Field(1, ge=1, le=100, description="challengers that differ in their seed only; see docs")
    resamples: int = Field(2000, ge=100, le=100_000, description="of the bootstrap")
    slices: SliceParams = SliceParams()
    fairness: FairnessParams = FairnessParams()
    limits: LimitParams = LimitParams()
    auto_rollback: bool = Field(False, description="go back when arrivals show the predecessor to be better")
    approve: Literal["never", "borderline", "always"] = Field(
        "never", description="which winners wait for a person: none, those whose interval holds margin, all"
    )
    retired: ClassVar[Mapping[str, str]] = {
        "audit_window": "hindsight counts all arrivals since the champion took office"
    }

    @model_validator(mode="after")
    def _a_worthwhile_gain_passes(self) -> "PromotionParams":
        if None not in (self.margin, self.worthwhile) and self.margin >= self.worthwhile:  # type: ignore[operator]
            raise ValueError(
                f"promotion.margin = {self.margin} must be below promotion.worthwhile = {self.worthwhile}: a "
                "gain that is worthwhile would never do"
            )
        return self

    @property
    def lifetime_confidence(self) -> float:
        """Of each way into office under guarantee = lifetime; there are two, a verdict and the shadow's
        arrivals, and half of the chance to err is for each."""
        return (1 + self.confidence) / 2

    def worthwhile_over(self, champion: float) -> float:
        """`worthwhile` in units of the metric, for a champion of this value; unset, twice a given margin."""
        if self.worthwhile is not None:
            return self.worthwhile
        return METRICS[self.metric].worthwhile(champion) if not self.margin else 2 * self.margin

    def margin_over(self, champion: float) -> float:
        """`margin` in units of the metric, for a champion of this value: a change has its price too."""
        return self.worthwhile_over(champion) / 2 if self.margin is None else self.margin


class MonitorParams(Section):
    days: int = Field(30, ge=1, description="predictions logged in so many last days are judged")
    min_rows: int = Field(
        200, ge=2, description="labelled predictions that a verdict needs, unlabelled that an estimate does"
    )


class RegistryParams(Section):
    address: str = Field(pattern=r"^s3://[^/]+/.+", description="s3://bucket/prefix")
    signing_key: str | None = Field(None, description="file with the Ed25519 private key (PEM) that signs")
    public_key: str | None = Field(
        None, description="file with the public key (PEM); versions it did not sign are refused"
    )
