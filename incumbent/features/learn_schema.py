"""Learn a schema: one pass over the training rows, a frame at a time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from incumbent.errors import BadData
from incumbent.features.clean import CleaningLearner, is_number
from incumbent.features.derive import DerivationLearner
from incumbent.features.rare_classes import RareClasses
from incumbent.features.schema import Feature, Schema, counts_of, feature_names, require_target, target_of
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
    """Features, order, vocabularies, classes and what cleaning needs, as the given training rows have them.

    The newest frame, the last, tells which columns there are. Timestamps are not features. A class with fewer
    rows than `folds` is rare. Raises BadData for no rows or a missing target. What encodes categories by the
    target is learned from encoded rows, by Schema.learned_means.
    """
    asked = features or FeatureParams()
    names: list[str] = []
    left_out: list[str] = []
    rows, counts = 0, Counter[str]()
    categorical, words = set(dataset.categorical), dict[str, set[str]]()
    cleaning, derivation = CleaningLearner(clean or CleanParams()), DerivationLearner(asked, dataset)
    for frame in frames:
        require_target(frame, dataset.target)
        rows += len(frame)
        if task != "regression":
            counts.update(counts_of(target_of(frame, dataset.target)))
        added = derivation.add(frame)
        own = feature_names(added, dataset)
        cleaned = derivation.derive(cleaning.clean(added[sorted({*own, *derivation.sources})]))
        names = sorted({*own, *derivation.derived_names})
        left_out = sorted({*map(str, frame)} - {*own, dataset.target})
        categorical.update(name for name in names if not is_number(cleaned[name]))
        for name in {*categorical.intersection(names), *asked.target}:
            words.setdefault(name, set()).update(as_text(cleaned[name]).dropna().unique())
    if not rows:
        raise BadData("no training rows to learn from: the data is empty, or every row is in the holdout")
    if not (names or words):
        raise BadData(
            f"no features to learn from: besides the target '{dataset.target}' the data has the columns "
            f"{left_out}, and each of them is a time or in dataset.drop; take one out of it, or make "
            "features of a time by features.dates"
        )
    cleaned_by = cleaning.learned()
    for name, fill in cleaned_by.fills.items():
        if isinstance(fill, str) and name in words:
            words[name].add(fill)
    known = {name: tuple(sorted(found)) for name, found in words.items()}
    rare = RareClasses.among(counts, dataset.rare_classes, folds)
    classes = rare.classes_of(counts) if task == "multiclass" else ()
    plain = [Feature(name, known[name] if name in categorical else None) for name in names]
    learned = (*plain, *_encoded(asked.target, known, classes))
    _require_different(learned)
    return Schema(
        learned,
        dataset.target,
        dataset.positive,
        task,
        classes,
        cleaning=cleaned_by,
        rare=rare,
        derivation=derivation.learned(cleaned_by.fills),
    )


def _encoded(
    columns: Sequence[str], words: dict[str, tuple[str, ...]], classes: tuple[str, ...]
) -> Iterator[Feature]:
    """A feature for each column encoded by the target; of many classes one for each."""
    for name in columns:
        if not classes:
            yield Feature(f"{name}_target", None, Means(words[name]), name)
        for label, each in enumerate(classes):
            yield Feature(f"{name}_target_{each}", None, Means(words[name], label), name)


def _require_different(features: Sequence[Feature]) -> None:
    twice = [name for name, count in Counter(each.name for each in features).items() if count > 1]
    if twice:
        raise BadData(f"params.yaml: features makes {twice}, and there are columns of these names")
