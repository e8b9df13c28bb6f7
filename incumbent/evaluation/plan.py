"""Should we retrain, and how much? Pure rules: measurements in, a plan with its reasons out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from incumbent.evaluation.reasoned import Reasoned
from incumbent.params import METRICS, RetrainParams

Strategy = Literal["auto", "incremental", "full"]


class Plan(Reasoned):
    """How much to train."""


class Skip(Plan):
    """Train nothing."""


class Incremental(Plan):
    """Update the champion's model with the new rows."""


class Full(Plan):
    """Tune and train on all rows of the window."""


def plan_from_json(document: dict[str, Any]) -> Plan:
    """The plan whose `to_json` this is."""
    kinds = {kind.__name__.lower(): kind for kind in (Skip, Incremental, Full)}
    return kinds[document["kind"]](tuple(document["reasons"]))


@dataclass(frozen=True)
class Measurements:
    """Input of the rules.

    new_rows: labelled rows, training and vault, in added partitions; labelled: whether any row of the data
    has a label. promised and live: the champion's metric when it was made, and on the new rows
    before any training on them; None: not measured. params_changes: sections of params.yaml that affect a
    model and differ from the champion's. updates: number of updates since the champion's last full training.
    drift: share of the champion's gain, from 0 to 1, that comes from columns that moved, which `moved` names;
    drift_since_full: sum of these shares over its updates; target_moved: the target's own shift, in words, if
    it is major. growth: new training rows, divided by the champion's; it catches a champion that fell behind
    because its updates were held, which the other measurements do not show. on_probation: the suspicious
    partitions, which the other measurements leave out, a sentence each; news: what two arrivals in a row show
    that looked wrong in the first.
    """

    champion: str | None
    metric: str = "roc_auc"
    new_rows: int = 0
    added: int = 0
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    schema_changes: tuple[str, ...] = ()
    params_changes: tuple[str, ...] = ()
    unseen_share: float = 0.0
    promised: float | None = None
    live: float | None = None
    drift: float = 0.0
    drift_since_full: float = 0.0
    moved: tuple[str, ...] = ()
    target_moved: str | None = None
    updates: int = 0
    growth: float = 0.0
    labelled: bool = True
    on_probation: tuple[str, ...] = ()
    news: tuple[str, ...] = ()


def choose(measurements: Measurements, policy: RetrainParams, strategy: Strategy = "auto") -> Plan:
    """First reasons why the champion is invalid, then whether there is enough to learn, then how much."""
    if not measurements.labelled:
        return Skip(measurements.on_probation or ("no row of the data has a label yet",))
    if measurements.champion is None:
        return Full(("no champion yet",))
    if strategy == "full":
        return Full(("asked for with --strategy full",))
    invalid = tuple(_reasons_against_the_champion(measurements))
    if invalid:
        return Full(invalid)
    if measurements.added == 0:
        nothing = f"nothing new since champion {measurements.champion}"
        return Skip(measurements.on_probation or (nothing,))
    if measurements.news:
        return Full(tuple(f"news: {each}" for each in measurements.news))
    if measurements.new_rows < policy.min_rows:
        least = f"retrain.min_rows = {policy.min_rows:,}"
        return Skip((f"{measurements.new_rows:,} new rows with a label are fewer than {least}",))
    weak = tuple(_reasons_against_an_update(measurements, policy))
    if weak:
        return Full(weak)
    asked = "asked for with --strategy incremental, and " if strategy == "incremental" else ""
    return Incremental((f"{asked}{measurements.new_rows:,} rows were appended and nothing else changed",))


def _reasons_against_the_champion(measurements: Measurements) -> Iterator[str]:
    """The champion is invalid: made from other data or with other parameters."""
    yield from (f"schema: {change}" for change in measurements.schema_changes)
    if measurements.params_changes:
        yield f"params.yaml changed since the champion: {', '.join(measurements.params_changes)}"
    if measurements.changed:
        yield f"history was corrected: {', '.join(measurements.changed)}"
    if measurements.removed:
        yield f"history was removed: {', '.join(measurements.removed)}"


def _reasons_against_an_update(measurements: Measurements, policy: RetrainParams) -> Iterator[str]:
    """The champion is a poor start for an update: the data drifted, or it was updated too often."""
    if measurements.unseen_share > policy.max_unseen:
        yield (
            f"{measurements.unseen_share:.1%} of the new rows hold a category never seen, more than "
            f"retrain.max_unseen = {policy.max_unseen:.1%}"
        )
    if measurements.target_moved:
        yield f"drift: the target moved, {measurements.target_moved}"
    if measurements.drift > policy.max_drift:
        yield (
            f"drift: {measurements.drift:.0%} of the champion's gain rests on columns that moved "
            f"({', '.join(measurements.moved)}), more than retrain.max_drift = {policy.max_drift:.0%}"
        )
    elif (total := measurements.drift_since_full + measurements.drift) > policy.max_total_drift:
        yield (
            f"drift: {total:.0%} of the gain in all since the last full training, more than "
            f"retrain.max_total_drift = {policy.max_total_drift:.0%}"
        )
    if _decay(measurements) > policy.max_decay:
        yield (
            f"decay: the champion promised {measurements.metric} {measurements.promised:.4f} and reached "
            f"{measurements.live:.4f} on the new rows, worse by more than retrain.max_decay = "
            f"{policy.max_decay}"
        )
    if measurements.updates >= policy.max_updates:
        yield f"{measurements.updates} updates since the last full training: the budget is spent"
    if measurements.growth > policy.max_growth:
        yield (
            f"the data grew by {measurements.growth:.0%} since champion {measurements.champion}, more than "
            f"retrain.max_growth = {policy.max_growth:.0%}"
        )


def _decay(measurements: Measurements) -> float:
    """How much worse `live` is than `promised`, in units of the metric; 0.0 when one of them is None."""
    if measurements.promised is None or measurements.live is None:
        return 0.0
    return METRICS[measurements.metric].gain(measurements.live, measurements.promised)
