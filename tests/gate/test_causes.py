"""Of one fault that breaks many limits: the column at fault is told, by the gravest of them."""

import numpy as np
import pandas as pd
import pytest

from incumbent.gate import Verdict
from tests.gate.test_learned import Past, shuffled


def parcels(seed: int) -> pd.DataFrame:
    """Minutes follow km closely; the target goes with km a little, and with weight most of all."""
    random = np.random.default_rng(seed)
    km, weight = random.gamma(2, 8, 2000), random.gamma(2, 3, 2000)
    chance = 1 / (1 + np.exp(4 - 0.6 * weight - 0.06 * km))
    return pd.DataFrame(
        {
            "id": random.integers(0, 2**60, 2000),
            "km": km,
            "minutes": 20 + 2.5 * km + random.normal(0, 6, 2000),
            "weight": weight,
            "y": (random.random(2000) < chance).astype(int),
        }
    )


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return Past(tmp_path_factory.mktemp("parcels"), [parcels(number) for number in range(8)])


@pytest.mark.parametrize("labels", ["known", "late"])
@pytest.mark.parametrize("column", ["km", "minutes"])
def test_a_shuffled_column_is_as_suspicious_with_labels_as_without(
    past: Past, column: str, labels: str
) -> None:
    frame = parcels(99)
    frame[column] = shuffled(frame[column])
    report = past.gate(frame if labels == "known" else frame.assign(y=None))
    assert report.verdict is Verdict.PROBATION
    [reason] = report.reasons
    assert "the rank correlation of 'km' with 'minutes'" in reason
