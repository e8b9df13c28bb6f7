"""Which rows judge: all that neither model has learned from, the latest first, as many as a verdict takes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incumbent.challenger import OUT_OF_SAMPLE, Challenger, make_full, make_update, open_challenger
from incumbent.challenger.contest import Contest, OfficeGain, Rival, compare_with
from incumbent.compare import ArrivalGain, Comparison, confidence_sequence
from incumbent.evaluation.judging_rows import Learned
from incumbent.evaluation.roles import BASELINE
from incumbent.features.out_of_sample import OutOfSample
from incumbent.params import Params
from incumbent.search.tune import StudyResult
from incumbent.tables.partitions import Partition, PartitionFiles, digest_of
from tests.building import changed, parent, toy_params

STUDY = StudyResult({"num_leaves": 7}, 20, ())
PARAMS = toy_params(split={"holdout": 0.0}, dataset={"key": ["k"], "drop": ["k"]}, search={"folds": 3})


def month(number: int, rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(number)
    x, z = rng.normal(size=(2, rows))
    y = (rng.random(rows) < 1 / (1 + np.exp(-x - z))).astype(int)
    return pd.DataFrame({"k": np.arange(rows) + 10_000 * number, "x": x, "z": z, "y": y})


@dataclass
class Data:
    """Partitions in a folder."""

    folder: Path

    def add(self, name: str, frame: pd.DataFrame) -> None:
        frame.to_parquet(self.folder / f"{name}.parquet", index=False)

    @property
    def partitions(self) -> list[Partition]:
        return [Partition(path.name, digest_of(path)) for path in self.paths]

    @property
    def paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.parquet"))

    @property
    def files(self) -> PartitionFiles:
        return PartitionFiles(self.partitions, lambda names: [self.folder / name for name in names])


@dataclass
class Version:
    made: Challenger
    folder: Path
    params: Params
    learned: dict[str, str]

    def rival(self, earlier: Path | None = None) -> Rival:
        def load() -> tuple[object, Learned]:
            kept = OutOfSample.load(self.folder / OUT_OF_SAMPLE)
            before = (lambda name: earlier / name) if earlier else (lambda _: None)
            learned = Learned(self.learned, self.params.split, kept, before)
            return open_challenger(self.made, self.params, self.folder, "v1"), learned

        return Rival("v1", load)  # type: ignore[arg-type]


@pytest.fixture
def data(tmp_path: Path) -> Data:
    (tmp_path / "data").mkdir()
    data = Data(tmp_path / "data")
    for number in range(4):
        data.add(f"m{number}", month(number))
    return data


def full(data: Data, folder: Path, params: Params = PARAMS) -> Version:
    folder.mkdir()
    made = make_full(data.paths, params, STUDY, folder)
    return Version(made, folder, params, {each.name: each.md5 for each in data.partitions})


def contest(
    data: Data, version: Version, rivals: Sequence[Rival], params: Params | None = None
) -> tuple[Contest, Comparison]:
    params = params or version.params
    held, _ = compare_with(rivals, version.made, version.folder, "v2", data.files, params)
    assert isinstance(held.evidence.comparison, Comparison)
    return held, held.evidence.comparison


def test_all_rows_judge_the_first_model(data: Data, tmp_path: Path) -> None:
    held, comparison = contest(data, full(data, tmp_path / "v1"), [])
    assert (held.incumbent, comparison.rows, len(held.partitions)) == (BASELINE, 1200, 4)


def test_all_rows_that_are_new_to_the_champion_judge_and_no_other(data: Data, tmp_path: Path) -> None:
    champion = full(data, tmp_path / "v1")
    data.add("m4", month(4))
    data.add("m5", month(5))
    held, comparison = contest(data, full(data, tmp_path / "v2"), [champion.rival()])
    assert held.partitions == ("m4.parquet", "m5.parquet")
    assert comparison.rows == 600
    assert not held.recipes


def test_all_rows_of_an_update_train_and_judge(data: Data, tmp_path: Path) -> None:
    champion = full(data, tmp_path / "v1")
    data.add("m4", month(4))
    folder = tmp_path / "v2"
    folder.mkdir()
    made = make_update(parent(champion.made, PARAMS, champion.folder), data.paths[-1:], PARAMS, folder)
    assert made.rows == 300
    held, comparison = contest(data, Version(made, folder, PARAMS, {}), [champion.rival()])
    assert (held.partitions, comparison.rows) == (("m4.parquet",), 300)


def test_the_vault_judges_beside_the_new_rows(data: Data, tmp_path: Path) -> None:
    params = changed(PARAMS, split={"holdout": 0.2})
    champion = full(data, tmp_path / "v1", params)
    data.add("m4", month(4))
    held, comparison = contest(data, full(data, tmp_path / "v2", params), [champion.rival()])
    vault = len(month(0)) * 4 * 0.2
    assert len(held.partitions) == 5
    assert 300 + 0.7 * vault < comparison.rows < 300 + 1.3 * vault


def test_on_the_same_data_recipes_are_compared_out_of_sample(data: Data, tmp_path: Path) -> None:
    """A model that has learned its rows by heart would win on them."""
    champion = full(data, tmp_path / "v1")
    by_heart = changed(PARAMS, learner={"options": {"min_child_samples": 1, "num_leaves": 200}})
    challenger = full(data, tmp_path / "v2", by_heart)
    held, comparison = contest(data, challenger, [champion.rival()])
    assert held.recipes
    assert (
        "recipe was compared with recipe"
        in held.decide(challenger.made, "v2", by_heart.promotion).because[-1]
    )
    assert comparison.rows == 1200
    assert comparison.gain.high < 0.02
    kept = OutOfSample.load(champion.folder / OUT_OF_SAMPLE)
    predicted = np.concatenate([kept.in_partition(each.md5)[1][0] for each in data.partitions])
    assert abs(predicted - 0.5).max() < 0.5
    rows = compare_with([champion.rival()], challenger.made, challenger.folder, "v2", data.files, by_heart)[1]
    assert np.array_equal(rows.champion, predicted)


def test_rows_that_a_partition_gained_judge_and_those_it_had_do_not(data: Data, tmp_path: Path) -> None:
    champion = full(data, tmp_path / "v1")
    before = tmp_path / "before"
    before.mkdir()
    month(3).to_parquet(before / "m3.parquet", index=False)
    corrected = month(3).assign(y=lambda rows: 1 - rows["y"])
    late = month(7, rows=80)
    data.add("m3", pd.concat([corrected, late], ignore_index=True))
    held, comparison = contest(data, full(data, tmp_path / "v2"), [champion.rival(before)])
    assert (held.partitions, comparison.rows, held.excluded) == (("m3.parquet",), 80, 300)


def test_without_the_partition_of_then_all_its_rows_may_be_known(data: Data, tmp_path: Path) -> None:
    champion = full(data, tmp_path / "v1")
    data.add("m3", pd.concat([month(3), month(7, rows=80)], ignore_index=True))
    held, comparison = contest(data, full(data, tmp_path / "v2"), [champion.rival()])
    assert held.recipes  # of the partitions that are the same
    assert held.partitions == ("m0.parquet", "m1.parquet", "m2.parquet")
    assert comparison.rows == 900


def test_the_window_widens_until_a_worthwhile_gain_would_show(data: Data, tmp_path: Path) -> None:
    champion = full(data, tmp_path / "v1")
    for number in range(4, 12):
        data.add(f"m{number:02}", month(number))
    challenger = full(data, tmp_path / "v2")
    spans = {}
    for worthwhile in (0.2, 0.02, 1e-6):
        params = changed(PARAMS, promotion={"window": 2, "worthwhile": worthwhile})
        held, comparison = contest(data, challenger, [champion.rival()], params)
        spans[worthwhile] = len(held.partitions)
        assert comparison.rows == 300 * len(held.partitions)
    assert spans[0.2] == 2 < spans[0.02] < spans[1e-6] == 8


def test_a_hold_says_how_long_it_will_last(data: Data, tmp_path: Path) -> None:
    champion = full(data, tmp_path / "v1")
    data.add("m4", month(4))
    challenger = full(data, tmp_path / "v2")
    held, comparison = contest(data, challenger, [champion.rival()])
    none = replace(comparison, difference=replace(comparison.difference, value=0.0, low=-0.02, high=0.02))
    held = replace(held, evidence=replace(held.evidence, comparison=none))
    decision = held.decide(challenger.made, "v2", PARAMS.promotion)
    assert decision.kind == "hold"
    assert (
        "if the gain is 0.005 from now on, eight of ten such challengers take office within about"
        in decision.because[1]
    )
    assert "arrivals like those so far" in decision.because[1]


def test_over_a_time_in_office_each_new_partition_counts_once(data: Data, tmp_path: Path) -> None:
    champion = full(data, tmp_path / "v1")
    data.add("m4", month(4))
    data.add("m5", month(5))
    params = changed(PARAMS, promotion={"guarantee": "lifetime"})
    past = OfficeGain(("m4.parquet",), ArrivalGain(0.01, 0.02, 200.0, 300))
    challenger = full(data, tmp_path / "v2", params)
    held, _ = contest(data, challenger, [replace(champion.rival(), office=lambda: [past])])
    assert held.office is not None
    assert (held.office.partitions, held.office.gain.rows) == (("m5.parquet",), 300)
    assert held.evidence.lifetime == confidence_sequence(
        [past.gain, held.office.gain], params.promotion.lifetime_confidence
    )
    again, _ = contest(data, challenger, [replace(champion.rival(), office=lambda: [past, held.office])])
    assert again.office is None
    assert again.evidence.lifetime == held.evidence.lifetime
    assert Contest.from_json(json.loads(json.dumps(held.to_json()))) == held


def test_a_provisional_champion_is_met_beside_the_baseline(data: Data, tmp_path: Path) -> None:
    champion = full(data, tmp_path / "v1")
    data.add("m4", month(4))
    rival = replace(champion.rival(), provisional=True)
    held, comparison = contest(data, full(data, tmp_path / "v2"), [rival])
    assert held.first is not None
    assert held.first.compared is not None
    assert (comparison.rows, held.first.compared.rows) == (300, 1500)
    assert held.decide(champion.made, "v2", PARAMS.promotion).kind == "promote"
    assert Contest.from_json(json.loads(json.dumps(held.to_json()))) == held


@pytest.mark.parametrize("seeds", [1, 2])
def test_an_update_of_a_provisional_champion_meets_the_baseline_on_the_rows_of_both(
    data: Data, tmp_path: Path, seeds: int
) -> None:
    params = changed(PARAMS, promotion={"seeds": seeds})
    champion = full(data, tmp_path / "v1", params)
    data.add("m4", month(4))
    folder = tmp_path / "v2"
    folder.mkdir()
    made = make_update(parent(champion.made, params, champion.folder), data.paths[-1:], params, folder)
    rival, before = replace(champion.rival(), provisional=True), champion.folder / OUT_OF_SAMPLE
    held, rows = compare_with(
        [rival], made, folder, "v2", data.files, params, lambda: OutOfSample.load(before)
    )
    assert len(rows.y) == 300  # those that are new to the champion
    assert held.first is not None
    assert held.first.compared is not None
    assert (held.first.compared.rows, held.first.partitions) == (1500, 5)
    assert held.first.compared.gain.low > 0
    alone, _ = compare_with([rival], made, folder, "v2", data.files, params)
    assert alone.first is not None
    assert alone.first.compared is not None
    assert alone.first.compared.rows == 300


def test_without_its_dropped_column_a_champion_is_not_judged_by_rows_that_it_has_learned(
    data: Data, tmp_path: Path
) -> None:
    champion = full(data, tmp_path / "v1")
    without = changed(PARAMS, dataset={"drop": ["k", "z"]})
    challenger = full(data, tmp_path / "v2", without)
    held, _ = contest(data, challenger, [champion.rival()])
    decision = held.decide(challenger.made, "v2", without.promotion)
    assert decision.kind == "hold"
    assert "no row is new to it, and rows that it has learned favour it" in decision.because[0]
    assert "v1 was judged without 'z'" in decision.because[-2]
    data.add("m4", month(4))
    fresh, _ = contest(data, full(data, tmp_path / "v3", without), [champion.rival()])
    assert (fresh.recipes, fresh.partitions) == (False, ("m4.parquet",))
