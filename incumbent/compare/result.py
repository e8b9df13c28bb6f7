"""Results of a comparison, as frozen values that can be written to JSON and read back."""

from dataclasses import dataclass

from scipy.special import stdtr

from incumbent.params import METRICS


@dataclass(frozen=True)
class Interval:
    """A point estimate and its two-sided confidence interval, in units of the metric, cut to its range."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Of the interval before it was cut; of one that was cut at both ends, what is left of it."""
        return max(self.high - self.value, self.value - self.low)

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"

    def within(self, lowest: float, highest: float) -> "Interval":
        return Interval(*(min(max(each, lowest), highest) for each in (self.value, self.low, self.high)))

    def negated(self) -> "Interval":
        return Interval(-self.value, -self.high, -self.low)


@dataclass(frozen=True)
class Comparison:
    """`difference` is challenger minus champion in the metric's own units, whatever its direction.

    p_value: two-sided, for no difference. class_counts: rows of each class, empty for regression. method:
    "delong" or "bootstrap". standard_error, dof: of the difference (Student's t). seed_deviation: standard
    deviation of the metric between challengers that differ in their seed only; 0.0 for a single one.
    """

    metric: str
    champion: Interval
    challenger: Interval
    difference: Interval
    p_value: float
    rows: int
    groups: int
    class_counts: tuple[int, ...]
    method: str
    standard_error: float
    dof: float
    seed_deviation: float

    @property
    def judging_rows(self) -> str:
        """How many rows judged, of how many groups, in words."""
        return f"{self.rows:,} rows of {self.groups:,} groups"

    @property
    def gain(self) -> Interval:
        """The difference with the sign that makes positive mean better."""
        return self.difference if METRICS[self.metric].greater_is_better else self.difference.negated()

    def chance(self, margin: float = 0.0) -> float:
        """Probability that the challenger is better by more than `margin`, from 0 to 1.

        One minus the one-sided p-value of the opposite; with a flat prior the posterior probability too.
        """
        beyond = self.gain.value - margin
        if self.standard_error == 0:
            return 1.0 if beyond > 0 else 0.0
        return float(stdtr(self.dof, beyond / self.standard_error))

    @property
    def p_worse(self) -> float:
        """One-sided p-value of the null hypothesis that the challenger is not worse."""
        if self.standard_error == 0:
            return 0.0 if self.gain.value < 0 else 1.0
        return float(stdtr(self.dof, self.gain.value / self.standard_error))


@dataclass(frozen=True)
class Incomparable:
    """Why there is no comparison. `unfit`: the cause is the challenger's predictions, not the rows."""

    reason: str
    unfit: bool = False
