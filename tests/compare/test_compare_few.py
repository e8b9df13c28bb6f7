"""Few held-out rows: an interval is wide then, or there is none, but never certain out of nothing."""

import numpy as np
import pytest

from incumbent.compare import Comparison, Incomparable
from incumbent.compare.paired import try_compare
from incumbent.params import PromotionParams

RNG = np.random.default_rng(11)


def of_classes(counts: list[int], metric: str) -> Comparison | Incomparable:
    """Two models without skill on this many rows of each class."""
    y = np.repeat(np.arange(len(counts)), counts)
    models = RNG.dirichlet(np.ones(len(counts)), size=(2, len(y)))
    return try_compare(y, *models, np.arange(len(y)), PromotionParams(metric=metric))


@pytest.mark.parametrize("metric", ["log_loss", "brier", "accuracy", "f1_macro", "average_precision_macro"])
def test_one_row_of_each_class_is_no_evidence(metric: str) -> None:
    verdict = of_classes([1] * 30, metric)
    assert isinstance(verdict, Incomparable)
    assert verdict.reason == (
        "30 judging rows of 30 classes, one row each of them: too few to resample; later arrivals add rows"
    )


@pytest.mark.parametrize("counts", [[2] + [1] * 29, [2] * 30, [200] + [1] * 9])
def test_classes_of_one_or_two_rows_vary_together(counts: list[int]) -> None:
    verdict = of_classes(counts, "log_loss")
    assert isinstance(verdict, Comparison)
    # What the rows themselves vary by, without regard to classes, is about the truth.
    assert verdict.standard_error > 0.1 / np.sqrt(len(counts))


def test_models_without_skill_are_seldom_told_apart_by_two_rows_a_class() -> None:
    verdicts = [of_classes([2] * 20, "log_loss") for _ in range(200)]
    intervals = [verdict.difference for verdict in verdicts if isinstance(verdict, Comparison)]
    apart = np.mean([each.low > 0 or each.high < 0 for each in intervals])
    assert len(intervals) == 200
    assert apart < 0.11  # 0.05 is promised; 0.11 is four standard deviations of 200 studies above


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "f1", "brier"])
@pytest.mark.parametrize("grouped", [True, False])
def test_a_few_groups_that_all_agree_prove_nothing(metric: str, grouped: bool) -> None:
    def verdict(groups: int) -> Comparison | Incomparable:
        y = np.arange(groups * 2) % 2
        group = np.arange(len(y)) // 2 if grouped else np.arange(len(y))
        return try_compare(y, 1.0 - y, 1.0 * y, group, PromotionParams(metric=metric))

    few, enough = verdict(2), verdict(6)
    assert isinstance(few, Incomparable)
    assert few.reason.startswith(
        f"the difference is the same in all of {2 if grouped else 4} groups of judging"
    )
    assert "it takes 6 at promotion.confidence = 0.95" in few.reason
    assert isinstance(enough, Comparison)


def test_a_model_that_differs_in_nothing_is_held_with_its_figures() -> None:
    y = np.array([0, 1, 1])
    verdict = try_compare(y, y * 0.5, y * 0.5, np.arange(3), PromotionParams(metric="brier"))
    assert isinstance(verdict, Comparison)
    assert (verdict.difference.low, verdict.difference.high, verdict.p_value) == (0.0, 0.0, 1.0)
