"""Learn a schema: one pass over the training rows, a frame at a time."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from incumbent.clean import CleaningLearner, is_number
from incumbent.derive import DerivationLearner
from incumbent.errors import BadData
from incumbent.means import Means
from incumbent.metrics import Task
from incumbent.params import CleanParams, DatasetParams
from incumbent.recipe import FeatureParams
from incumbent.schema import Feature, Schema, feature_names, require_target, target_of
from incumbent.split import as_text


def learn_schema(
    frames: Iterable[pd.DataFrame],
    dataset: DatasetParams,
    task: Task = "binary",
    clean: CleanParams | None = None,
    features: FeatureParams | None = None,
) -> Schema:
    """Features, order, vocabularies, classes and what cleaning needs, as the given training rows have them.

    The newest frame, the last, tells which columns there are. Timestamps are not features. Raises BadData
    for no rows or a missing target. What encodes categories by the target is learned from encoded rows, by
    Schema.learned_means.
    """
    asked = features or FeatureParams()
    names: list[str] = []
    classes: set[str] = set()
    categorical, words = set(dataset.categorical), dict[str, set[str]]()
    cleaning, derivation = CleaningLearner(clean or CleanParams()), DerivationLearner(asked, dataset)
    for frame in frames:
        require_target(frame, dataset.target)
        if task == "multiclass":
            classes.update(as_text(target_of(frame, dataset.target)).unique())
        added = derivation.add(frame)
        own = feature_names(added, dataset)
        cleaned = derivation.derive(cleaning.clean(added[sorted({*own, *derivation.sources})]))
        names = sorted({*own, *derivation.derived_names})
        categorical.update(name for name in names if not is_number(cleaned[name]))
        for name in {*categorical.intersection(names), *asked.target}:
            words.setdefault(name, set()).update(as_text(cleaned[name]).dropna().unique())
    if not (names or words):
        raise BadData("no training rows to learn from: the data is empty, or every row is in the holdout")
    cleaned_by = cleaning.learned()
    for name, fill in cleaned_by.fills.items():
        if isinstance(fill, str) and name in words:
            words[name].add(fill)
    known = {name: tuple(sorted(found)) for name, found in words.items()}
    plain = [Feature(name, known[name] if name in categorical else None) for name in names]
    found = (*plain, *_encoded(asked.target, known, tuple(sorted(classes))))
    _require_different(found)
    return Schema(
        found,
        dataset.target,
        dataset.positive,
        task,
        tuple(sorted(classes)),
        cleaning=cleaned_by,
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
