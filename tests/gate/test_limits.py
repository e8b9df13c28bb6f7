"""How wide the limits of the next partition are: they tighten as arrivals are accepted."""

from collections.abc import Callable

import numpy as np
import pytest

from incumbent.gate.figures import RECENT_MODEL, Figure
from incumbent.gate.limits import Limit, learn
from incumbent.gate.profile import Profile

FALSE_ALARMS = 0.05


def partitions(rows: list[int], **sensors: list[float]) -> dict[str, Profile]:
    """Profiles of so many rows, and with these readings of the sensors."""
    return {
        f"p{place:02d}": Profile(
            each, each, 0.0, (), 0, "y", {}, {name: values[place] for name, values in sensors.items()}
        )
        for place, each in enumerate(rows)
    }


def limit_of_rows(rows: list[int], season: int, chance: float = FALSE_ALARMS) -> Limit:
    limits = learn(partitions(rows), chance, season)
    [limit] = [each for each in limits if each.figure == "rows"]
    return limit


def severity_of_rows(limit: Limit, rows: float) -> str:
    return limit.severity(Figure("volume", rows, 0.0))


def test_half_a_file_is_told_also_when_a_second_season_begins() -> None:
    """Of a shop that grows: between seasons are few differences as yet, and all as large as its growth. A
    table has a hundred figures that share the chance of a false alarm."""
    rows = [1500 + 40 * month for month in range(30)]
    for count in range(10, 30):
        limit = limit_of_rows(rows[:count], 12, FALSE_ALARMS / 50)
        assert severity_of_rows(limit, rows[count]) == "usual", count
        assert severity_of_rows(limit, rows[count] / 2) != "usual", count
        assert severity_of_rows(limit, rows[count] / 10) == "suspicious", count


def test_limits_tighten_once_a_season_came_again() -> None:
    """As those of a shop that sells three times as much in summer, and never more than before in winter."""
    rows = [int(2000 * np.exp(np.sin(month * np.pi / 6))) for month in range(36)]

    def width(count: int) -> float:
        limit = limit_of_rows(rows[:count], 12)
        assert severity_of_rows(limit, rows[count]) == "usual"
        return limit.high / limit.low

    assert width(12) > width(13) > 2 * width(16)
    assert width(16) > width(20) > width(30)


def level(_: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return random.normal(0, 0.5, 1)


def season(place: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return np.sin((place + random.integers(12)) * np.pi / 6)


def one_month(place: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return 2.0 * ((place + random.integers(12)) % 12 == 0)


def growth(place: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return random.uniform(0, 0.2) * place


def season_and_growth(place: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return season(place, random) + 0.05 * place


@pytest.mark.parametrize("count", [13, 14, 18, 24])
@pytest.mark.parametrize("shape", [level, season, one_month, growth, season_and_growth])
def test_false_alarms_are_as_stated_with_a_season(
    shape: Callable[[np.ndarray, np.random.Generator], np.ndarray], count: int
) -> None:
    random, runs = np.random.default_rng(count), 150
    place = np.arange(count + 1)
    severities = []
    for _ in range(runs):
        logarithms = 9 + shape(place, random) + random.normal(0, 0.3, count + 1)
        rows = [max(1, int(each)) for each in np.exp(logarithms)]
        severities.append(severity_of_rows(limit_of_rows(rows[:-1], 12), rows[-1]))
    unusual = runs - severities.count("usual")
    assert unusual <= runs * FALSE_ALARMS + 2 * np.sqrt(runs * FALSE_ALARMS * (1 - FALSE_ALARMS))
    assert severities.count("suspicious") <= 3


@pytest.mark.parametrize(
    ("usual", "late"),
    [
        pytest.param((0.96, 0.99), 0.7, id="the target is nearly known"),
        pytest.param((0.74, 0.79), 0.52, id="the target is told a little"),
    ],
)
def test_labels_that_came_late_are_suspicious_where_a_model_always_ranked_them(
    usual: tuple[float, float], late: float
) -> None:
    """However much the other sensor varies; a real table has as many figures as the chance is divided by."""
    random = np.random.default_rng(0)
    rows = [2000] * 9
    ranked = list(random.uniform(*usual, 9))
    history = partitions(rows, **{"domain": list(random.uniform(0.55, 0.98, 9)), RECENT_MODEL: ranked})
    [limit] = [each for each in learn(history, FALSE_ALARMS / 40, 12) if each.figure == RECENT_MODEL]
    assert limit.severity(Figure("sensor", late, limit.error)) == "suspicious"
    assert limit.severity(Figure("sensor", usual[0] - 0.02, limit.error)) == "usual"
