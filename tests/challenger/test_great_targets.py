"""Targets up to the limit that `init` and the gate hold to, float32's greatest, train and are judged."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incumbent.challenger import make_full, open_challenger, search
from incumbent.compare import Comparison, compare
from incumbent.evaluation.evidence import collect_evidence
from incumbent.params import PromotionParams
from tests.building import toy_params
from tests.judging import judged

pytestmark = pytest.mark.filterwarnings("error:overflow", "error:invalid value")

GREAT = 2.0**126  # 8.5e37; a power of two, so that figures scale without rounding


@pytest.mark.parametrize(("metric", "scale"), [("rmse", GREAT), ("mae", GREAT), ("r2", 1.0)])
@pytest.mark.parametrize("grouped", [True, False])
def test_figures_follow_the_unit_of_the_target(metric: str, scale: float, grouped: bool) -> None:
    rng = np.random.default_rng(5)
    y, champion, challenger = rng.normal(size=(3, 200))
    groups = np.arange(200) // (5 if grouped else 1)
    policy = PromotionParams(metric=metric)
    small = compare(y, champion, challenger, groups, policy)
    great = compare(y * GREAT, champion * GREAT, challenger * GREAT, groups, policy)
    assert great.p_value == pytest.approx(small.p_value, rel=1e-12)
    for ours, theirs in ((great.difference, small.difference), (great.champion, small.champion)):
        for end in ("low", "value", "high"):
            assert getattr(ours, end) == pytest.approx(getattr(theirs, end) * scale, rel=1e-12)


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2"])
def test_a_target_at_the_limit_is_learned_and_judged(metric: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=600)
    y = np.exp(3 + x)
    y[:8] = 3.4e38 * np.resize([1, -1], 8) * rng.uniform(0.1, 1, 8)
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"x": x, "y": y}).to_parquet(path)
    params = toy_params(
        task="regression", promotion={"metric": metric}, learner={"rounds": 20}, search={"trials": 2}
    )
    made = make_full([path], params, search([path], params), tmp_path)
    model = open_challenger(made, params, tmp_path, "v1")
    holdout = judged(None, model, [path], params, prior=made.prior)
    evidence = collect_evidence(holdout, params.promotion, params.seed)
    assert isinstance(evidence.comparison, Comparison)
    assert made.importances == {"x": 1.0}
    json.dumps([evidence.to_json(), made.to_json()], allow_nan=False)  # as the registry keeps them
