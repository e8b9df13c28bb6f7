"""Learn a schema: one pass over the training rows, a frame at a time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from incumbent.errors import BadData
from incumbent.features.clean import CleaningLearner, is_number
from incumbent.features.derive import DerivationLearner
from incumbent.features.rare_classes import RareClasses
from incumbent.features.schema import Feature, Schema, feature_names
from incumbent.features.target import counts_of, require_target, target_of
from incumbent.features.target_encoding import Means
from incumbent.params import CleanParams, DatasetParams, FeatureParams, Task
from incumbent.tables.split import as_text


def learn_schema(
    frames: Iterable[pd.DataFrame],
    dataset: DatasetParams,
    task: Task = "binary",
    clean: CleanParams | None = None,
    features: FeatureParams | None = None,
    folds: int = 0,
) -> Schema:
    """Learn features, their order, vocabularies, classes and the values for cleaning from training rows.

    The last frame, the newest, decides which columns are features; timestamps are none. A class with fewer
    rows than `folds` is rare. Target encoding is learned later, from encoded rows, by Schema.learned_means.
    Raises BadData for no rows or a missing target.
    """
    learner = SchemaLearner(dataset, task, clean or CleanParams(), features or FeatureParams())
    for frame in frames:
        learner.add(frame)
        del frame  # the next is made before the name is bound to it: two would be in memory
    return learner.learned(folds)


class SchemaLearner:
    """Collects row counts and vocabularies frame by frame; `learned` makes the schema of them."""

    def __init__(self, dataset: DatasetParams, task: Task, clean: CleanParams, asked: FeatureParams) -> None:
        self._dataset, self._task, self._asked = dataset, task, asked
        self._cleaning, self._derivation = CleaningLearner(clean), DerivationLearner(asked, dataset)
        self._names: list[str] = []
        self._left_out: list[str] = []
        self._rows, self._counts = 0, Counter[str]()
        self._categorical, self._words = set(dataset.categorical), dict[str, set[str]]()

    def add(self, frame: pd.DataFrame) -> None:
        """Add training rows; the columns of the last frame become those of the schema."""
        target = self._dataset.target
        require_target(frame, target)
        self._rows += len(frame)
        if self._task != "regression":
            self._counts.update(counts_of(target_of(frame, target)))
        added = self._derivation.add(frame)
        own = feature_names(added, self._dataset)
        inputs = sorted({*own, *self._derivation.sources})
        cleaned = self._derivation.derive(self._cleaning.clean(added[inputs]))
        self._names = sorted({*own, *self._derivation.derived_names})
        self._left_out = sorted({*map(str, frame)} - {*own, target})
        self._categorical.update(name for name in self._names if not is_number(cleaned[name]))
        for name in {*self._categorical.intersection(self._names), *self._asked.target}:
            self._words.setdefault(name, set()).update(as_text(cleaned[name]).dropna().unique())

    def learned(self, folds: int) -> Schema:
        """The schema of all frames. Raises BadData when there are no rows, or no features."""
        self._require_features()
        cleaned_by = self._cleaning.learned()
        for name, fill in cleaned_by.fills.items():
            if isinstance(fill, str) and name in self._words:
                self._words[name].add(fill)
        words = {name: tuple(sorted(each)) for name, each in self._words.items()}
        rare = RareClasses.among(self._counts, self._dataset.rare_classes, folds)
        classes = rare.classes_of(self._counts) if self._task == "multiclass" else ()
        plain = [Feature(name, words[name] if name in self._categorical else None) for name in self._names]
        features = (*plain, *_encoded(self._asked.target, words, classes))
        _require_different(features)
        return Schema(
            features,
            self._dataset.target,
            self._dataset.positive,
            self._task,
            classes,
            cleaning=cleaned_by,
            rare=rare,
            derivation=self._derivation.learned(cleaned_by.fills),
        )

    def _require_features(self) -> None:
        if not self._rows:
            raise BadData("no training rows to learn from: the data is empty, or every row is in the holdout")
        if not (self._names or self._words):
            raise BadData(
                f"no features to learn from: besides the target '{self._dataset.target}' the data has the "
                f"columns {self._left_out}, and each of them is a time or in dataset.drop; take one out of "
                "it, or make features of a time by features.dates"
            )


def require_input(schema: Schema, by: str | None) -> None:
    """Raises BadData when the model does not read the column of segments.by; None: there are no segments."""
    if by is not None and by not in schema.inputs:
        raise BadData(f"segments.by = '{by}' is no feature of the model, which reads {schema.inputs}")


def _encoded(
    columns: Sequence[str], words: dict[str, tuple[str, ...]], classes: tuple[str, ...]
) -> Iterator[Feature]:
    """One feature for each target-encoded column, and for each class of a multiclass target."""
    for name in columns:
        if not classes:
            yield Feature(f"{name}_target", None, Means(words[name]), name)
        for label, each in enumerate(classes):
            yield Feature(f"{name}_target_{each}", None, Means(words[name], label), name)


def _require_different(features: Sequence[Feature]) -> None:
    twice = [name for name, count in Counter(each.name for each in features).items() if count > 1]
    if twice:
        raise BadData(f"params.yaml: features makes {twice}, and there are columns of these names")
