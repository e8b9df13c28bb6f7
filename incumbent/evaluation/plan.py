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
    """Nothing to learn."""


class Incremental(Plan):
    """Continue from the champion's own bytes with the new rows."""


class Full(Plan):
    """Tune and train on all rows of the window."""


def plan_from_json(document: dict[str, Any]) -> Plan:
    """The plan whose `to_json` this is."""
    kinds = {kind.__name__.lower(): kind for kind in (Skip, Incremental, Full)}
    return kinds[document["kind"]](tuple(document["reasons"]))


@dataclass(frozen=True)
class Measurements:
    """What the rules look at.

    new_rows: training and holdout rows in added partitions that have a label; labelled: whether any row of
    the data has one. promised and live: the champion's metric on
    the holdout when it took office, and on the new rows, which it had not seen; None: not judged.
    params_changes: sections of params.yaml that shape a model and differ from the champion's. updates: how
    often the champion was updated since its last full training. drift: how much of the champion's gain,
    from 0 to 1, rests on columns that moved, which `moved` names; drift_since_full: the sum of these shares
    over its updates; target_moved: the target's own shift, in words, if it is a major one. growth: new
    training rows per row the champion was trained on; held updates leave no trace in the champion, so only
    this tells that it has fallen far behind.
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


def choose(seen: Measurements, policy: RetrainParams, strategy: Strategy = "auto") -> Plan:
    """First what makes the old model wrong, then whether there is enough to learn, then how much to do."""
    if not seen.labelled:
        return Skip(("no row of the data has a label yet",))
    if seen.champion is None:
        return Full(("no champion yet",))
    if strategy == "full":
        return Full(("asked for with --strategy full",))
    invalid = tuple(_reasons_against_the_champion(seen))
    if invalid:
        return Full(invalid)
    if seen.added == 0:
        return Skip((f"nothing new since champion {seen.champion}",))
    if seen.new_rows < policy.min_rows:
        least = f"retrain.min_rows = {policy.min_rows:,}"
        return Skip((f"{seen.new_rows:,} new rows with a label are fewer than {least}",))
    weak = tuple(_reasons_against_an_update(seen, policy))
    if weak:
        return Full(weak)
    asked = "asked for with --strategy incremental, and " if strategy == "incremental" else ""
    return Incremental((f"{asked}{seen.new_rows:,} rows were appended and nothing else changed",))


def _reasons_against_the_champion(seen: Measurements) -> Iterator[str]:
    """It was made for other data or by another recipe."""
    yield from (f"schema: {change}" for change in seen.schema_changes)
    if seen.params_changes:
        yield f"params.yaml changed since the champion: {', '.join(seen.params_changes)}"
    if seen.changed:
        yield f"history was corrected: {', '.join(seen.changed)}"
    if seen.removed:
        yield f"history was removed: {', '.join(seen.removed)}"


def _reasons_against_an_update(seen: Measurements, policy: RetrainParams) -> Iterator[str]:
    """The champion is a poor start: the world moved, or too much was built on it already."""
    if seen.unseen_share > policy.max_unseen:
        yield (
            f"{seen.unseen_share:.1%} of the new rows hold a category never seen, more than "
            f"retrain.max_unseen = {policy.max_unseen:.1%}"
        )
    if seen.target_moved:
        yield f"drift: the target moved, {seen.target_moved}"
    if seen.drift > policy.max_drift:
        yield (
            f"drift: {seen.drift:.0%} of the champion's gain rests on columns that moved "
            f"({', '.join(seen.moved)}), more than retrain.max_drift = {policy.max_drift:.0%}"
        )
    elif (total := seen.drift_since_full + seen.drift) > policy.max_total_drift:
        yield (
            f"drift: {total:.0%} of the gain in all since the last full training, more than "
            f"retrain.max_total_drift = {policy.max_total_drift:.0%}"
        )
    if _decay(seen) > policy.max_decay:
        yield (
            f"decay: the champion promised {seen.metric} {seen.promised:.4f} and reached {seen.live:.4f} "
            f"on the new rows, worse by more than retrain.max_decay = {policy.max_decay}"
        )
    if seen.updates >= policy.max_updates:
        yield f"{seen.updates} updates since the last full training: the budget is spent"
    if seen.growth > policy.max_growth:
        yield (
            f"the data grew by {seen.growth:.0%} since champion {seen.champion}, more than "
            f"retrain.max_growth = {policy.max_growth:.0%}"
        )


def _decay(seen: Measurements) -> float:
    """How much worse than promised, in units of the metric; 0.0 when one of the two is not known."""
    if seen.promised is None or seen.live is None:
        return 0.0
    return METRICS[seen.metric].gain(seen.live, seen.promised)
