"""Parameters to test with: the repository's own with some values changed, or the fewest that are valid."""

import json
from pathlib import Path
from typing import Any

from hypothesis import settings

from incumbent.challenger import Challenger, open_challenger
from incumbent.evaluation.decide import Evidence
from incumbent.params import Params
from incumbent.training.lineage import Parent

# For properties of whole tables: an example takes milliseconds.
fewer_examples = settings(max_examples=settings().max_examples // 4)

ROOT = Path(__file__).parents[1]


def changed(params: Params, **sections: Any) -> Params:
    """`params` with other values: changed(params, search={"folds": 3}, seed=1). Checked like a file's."""
    tree = params.model_dump()
    for name, values in sections.items():
        tree[name] = {**tree[name], **values} if isinstance(values, dict) else values
    return Params.model_validate(tree)


def toy_params(**sections: Any) -> Params:
    """For tables with a target `y` of 0 and 1, of which a fifth is in the vault; sections as in `changed`."""
    fewest = {
        "dataset": {"name": "toy", "target": "y", "positive": 1},
        "split": {"holdout": 0.2},
        "registry": {"address": "s3://incumbent/registry"},
    }
    return changed(Params.model_validate(fewest), **sections)


def parent(made: Challenger, params: Params, folder: Path, known: int | None = None) -> Parent:
    """The challenger as the version that an update continues; known: training rows, else those it has."""
    model, rows = open_challenger(made, params, folder, "v1"), made.rows if known is None else known
    return Parent(model, folder, made.lineage.balance, made.options, rows)


def stored(evidence: Evidence) -> Evidence:
    """As a run's document gives it back."""
    return Evidence.from_json(json.loads(json.dumps(evidence.to_json())))
