"""A full training of several times search.rows: features are binned partition by partition, never held.

One training without a fifth of the groups confirms the number of rounds and predicts rows of that fifth,
which estimate and judge; the released model is trained on all rows.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from incumbent.errors import BadData
from incumbent.features.clean import CleaningCounts
from incumbent.features.frames import training_frames
from incumbent.features.groups import Groups
from incumbent.features.out_of_sample import MOST_A_PARTITION
from incumbent.features.row_times import row_times
from incumbent.features.rows import Rows, joined, prior, require_variety, sampled_rows, schema_of
from incumbent.features.sample import Sample
from incumbent.features.schema import Schema
from incumbent.learners.lightgbm_many_rows import Bins, LightGBMOfManyRows, Part
from incumbent.machine.memory import release_memory
from incumbent.models.calibration import Output, learn_output
from incumbent.models.segments import Segments
from incumbent.params import LightGBMParams, Params, Task
from incumbent.params.training import SEARCH_ROWS
from incumbent.tables.split import segments_in
from incumbent.training.cross_validation import CrossValidated, CrossValidation, OutOfFold, validation_of
from incumbent.training.held_out import HeldOut
from incumbent.training.segments import learn_segments
from incumbent.training.train import Fitted, challenger_seeds
from incumbent.training.training_sets import Tuned

LEFT_OUT = 0.2
"""Share of the rows, whole groups, that one training leaves out."""

WATCHED = 0.02
"""Share of the rows, of those left out, that tell when to stop: they do not judge."""


LABELS: dict[Task, type[np.generic]] = {"binary": np.int8, "multiclass": np.int32, "regression": np.float64}
"""Types of Schema.labels."""


@dataclass(frozen=True)
class Survey:
    """What one pass over the training rows finds: their schema, the number in each partition, the sizes of
    their groups, and a uniform sample as raw rows: see features.rows.sample."""

    schema: Schema
    counts: Sequence[int]
    groups: Groups
    sample: pd.DataFrame


def survey_many(paths: Sequence[Path], params: Params) -> Survey:
    """One partition is in memory at a time. Raises BadData as training_rows."""
    counts, groups = list[int](), Groups(params.split.by, params.seed)
    sample = Sample(params, size=max(params.retrain.replay, params.search.rows or SEARCH_ROWS))

    def counted() -> Iterator[pd.DataFrame]:
        for frame in training_frames(paths, params):
            counts.append(len(frame))
            if params.split.by:
                groups.count(groups.numbers(frame))
            yield frame
            del frame  # as in learn_schema

    schema = schema_of(sample.added(counted()), params)
    release_memory()
    return Survey(schema, counts, groups, sample.rows)


@dataclass(frozen=True)
class History:
    """All training rows. rows: without features; binned: their features, as the learner bins them; held: (n,)
    bool, those to leave out; watched: (n,) bool, of these those that tell when to stop; judging: rows to
    predict, of the others that are left out, with features and the numbers that they have in their files;
    sizes: numbers of rows by the value of segments.by."""

    rows: Rows
    binned: Bins
    held: np.ndarray
    watched: np.ndarray
    judging: Rows
    sizes: Counter[str | None]


def read_history(
    paths: Sequence[Path], survey: Survey, learner: LightGBMOfManyRows, params: Params, file: Path
) -> History:
    """Bin all rows, a partition at a time, with bins made of the sample; as Rows they have no features.
    file: see Bins."""
    like = sampled_rows(survey.sample, survey.schema, params)
    reader = _Reader(paths, survey, params)
    parts = [Part(partial(reader.encode, part), count) for part, count in enumerate(survey.counts) if count]
    binned = learner.bin_parts(parts, reader.y, learner.bin(like.X, like.y), file)
    part = np.repeat(np.arange(len(paths), dtype=np.int32), survey.counts)
    rows = Rows(np.empty((len(part), 0)), reader.y, np.empty(0), reader.cleaning_counts, part)
    require_variety(rows, params)
    release_memory()
    return History(rows, binned, reader.held, reader.watched, reader.judging_rows(), reader.sizes)


class _Reader:
    """Encodes one partition after the other, and keeps what is not features."""

    def __init__(self, paths: Sequence[Path], survey: Survey, params: Params) -> None:
        self._paths, self._survey, self._params = paths, survey, params
        groups, count = survey.groups, sum(survey.counts)
        self._ends = np.cumsum(survey.counts)
        self.y = np.empty(count, dtype=LABELS[params.task])
        self.held, self.watched = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        self.cleaning_counts, self._judging = CleaningCounts(), list[Rows]()
        self.sizes: Counter[str | None] = Counter()
        self._left_out, self._watched = groups.below(LEFT_OUT), groups.below(WATCHED)
        # The first of few groups may have most of the rows: then the others are left out.
        self._others = groups.share_below(self._left_out) > 0.5
        if self._others or groups.share_below(self._watched) > LEFT_OUT / 2:
            self._watched = 0.0

    def encode(self, part: int) -> np.ndarray:
        """The features of a partition's training rows, (n, features) float32."""
        schema = self._survey.schema
        [frame] = training_frames([self._paths[part]], self._params, self.cleaning_counts)
        X = schema.codes(frame, absent_as_missing=True, cleaning_counts=self.cleaning_counts)
        y, numbers = schema.labels(frame), self._survey.groups.numbers(frame)
        held, watched = (numbers < self._left_out) != self._others, numbers < self._watched
        here = slice(self._ends[part] - len(y), self._ends[part])
        self.y[here], self.held[here], self.watched[here] = y, held, watched
        judges = np.flatnonzero(held & ~watched)
        judges = judges[:: max(1, -(-len(judges) // MOST_A_PARTITION))]
        at = frame.index.to_numpy(dtype=np.int32)[judges]
        place = np.full(len(judges), part, dtype=np.int32)
        time = row_times(frame, self._params, self._paths[part].name)
        rows = Rows(X, y, numbers, segment=self._segment(frame), time=time).take(judges)
        self._judging.append(replace(rows, part=place, number=at))
        return X

    def _segment(self, frame: pd.DataFrame) -> np.ndarray | None:
        by = self._params.segments.by
        values = segments_in(frame, by) if by else None
        self.sizes.update(() if values is None else values)
        return values

    def judging_rows(self) -> Rows:
        """Of all partitions, in their order."""
        parts = self._judging
        return Rows(
            np.concatenate([each.X for each in parts]),
            np.concatenate([each.y for each in parts]),
            np.concatenate([each.group for each in parts]),
            part=np.concatenate([each.part for each in parts]),
            number=np.concatenate([each.number for each in parts]),
            segment=joined([each.segment for each in parts]),
            time=joined([each.time for each in parts]),
        )


@dataclass(frozen=True)
class TrainedOnMany:
    """sample: uniform, of the training rows, raw; the others as in a challenger, None without an estimate."""

    fitted: Fitted
    schema: Schema
    sample: pd.DataFrame
    output: Output
    estimate: CrossValidation | None
    held_out: HeldOut | None
    segments: Segments | None


def train_many(
    paths: Sequence[Path],
    learner_params: LightGBMParams,
    params: Params,
    tuned: Tuned,
    weigh: Callable[[Rows], Rows],
    file: Path,
    *,
    estimate: bool,
) -> TrainedOnMany:
    """Models of all training rows, with the number of rounds that `tuned` has or that an estimate confirms.

    learner_params: those of params.learner; weigh: gives rows their weights; file: see Bins; estimate: as in
    make_full. Raises BadData as training_rows, and where calibration, threshold or segments are to be learned
    from rows that are all of one group.
    """
    survey = survey_many(paths, params)
    learner = LightGBMOfManyRows(learner_params, params.seed, survey.schema, params.fold_metric, params.space)
    history = read_history(paths, survey, learner, params, file)
    # Weights are all that partition numbers are for, and bins all that groups and most of the sample are for.
    rows = replace(weigh(history.rows), part=np.zeros(0, dtype=np.int32))
    history, schema = replace(history, rows=rows), survey.schema
    sample = survey.sample.take(np.arange(min(len(survey.sample), params.retrain.replay or MOST_A_PARTITION)))
    del survey
    rounds, judging, left_out, segments = tuned.rounds, history.judging, None, None
    if estimate or params.learns_from_folds:
        left_out, confirmed = _leave_out(history, learner, tuned, params)
        rounds = confirmed if estimate else rounds
    models = [
        learner.reseeded(seed).fit_all(history.binned, tuned.options, rounds, rows.weights)
        for seed in challenger_seeds(params)
    ]
    X = sampled_rows(sample, schema, params).X
    fitted = Fitted(models, X, len(rows.y), prior(rows, schema), rows.cleaning_counts, learner.device)
    output, validation, held_out = Output(), None, None
    if left_out:
        output, validation, predictions = left_out.output, left_out.estimate, left_out.predictions
        if params.segments.by is not None:
            segments, predictions = learn_segments(weigh(judging), history.sizes, left_out, schema, params)
        if estimate:
            held_out = HeldOut.of(paths, judging, left_out.rows, predictions, schema, params.seed)
    return TrainedOnMany(fitted, schema, sample, output, validation, held_out, segments)


def _leave_out(
    history: History, learner: LightGBMOfManyRows, tuned: Tuned, params: Params
) -> tuple[CrossValidated | None, int]:
    """The estimate by the rows that are left out, and the number of rounds that they confirm; no estimate,
    and the rounds of the search, where all rows are of one group."""
    rows, judging = history.rows, history.judging
    if not len(judging.y):
        if params.learns_from_folds:
            raise BadData(
                "calibration, threshold and segments are learned from rows that a training leaves out, and "
                f"all {len(rows.y):,} training rows are of one group of split.by = {params.split.by}"
            )
        return None, tuned.rounds
    fit, watched = (np.flatnonzero(each).astype(np.int32) for each in (~history.held, history.watched))
    part = history.binned.part(fit, None if rows.weights is None else rows.weights[fit])
    others = history.binned.part(watched) if len(watched) else None
    history.binned.put_aside()
    del fit
    models = [
        learner.reseeded(seed).confirm(part, others, tuned.options, tuned.rounds)
        for seed in challenger_seeds(params)
    ]
    numbers, held_out = np.arange(len(judging.y)), list[OutOfFold]()
    for model in models:
        raw = model.predict(judging.X)
        output = learn_output(judging.y, raw, params.imbalance.calibrate, params.decision)
        held_out.append(OutOfFold([numbers], [judging.y], [raw], output, [0]))
    validated = validation_of(held_out, judging.group, len(rows.y), params, one_fold=True)
    return validated, models[0].rounds
