"""The rows that choose window and options: all of few; of many whole groups, the same in every place."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incumbent.errors import BadData
from incumbent.features.choosing_rows import choosing_rows, draw_of, with_scaled_gap
from incumbent.features.rows import training_rows
from incumbent.params import Params
from incumbent.tables.parquet import read_partition
from tests.building import changed, toy_params

ROWS, CUSTOMERS = 4_000, 2_000


def table(part: int, rows: int = ROWS, customers: int = CUSTOMERS) -> pd.DataFrame:
    rng = np.random.default_rng(part)
    customer = rng.integers(0, customers, rows)
    frame = pd.DataFrame({"x": rng.normal(size=rows), "kind": rng.choice(["ä", "b"], rows)})
    return frame.assign(customer=customer, y=(frame["x"] + rng.normal(size=rows) > 1).astype(int))


def write(folder: Path, parts: Sequence[pd.DataFrame]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"part-{number}.parquet" for number in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        part.to_parquet(path, index=False)
    return paths


def params_of(rows: int | None, **sections: object) -> Params:
    groups = {"by": ["customer"], "holdout": 0}
    return changed(toy_params(split=groups), search={"rows": rows}, **sections)


def drawn(paths: Sequence[Path], params: Params) -> list[pd.DataFrame]:
    draw = draw_of(paths, params)
    return [frame[draw.mask(frame)] for frame in map(read_partition, paths)]


def test_few_rows_choose_all_together(tmp_path: Path) -> None:
    paths = write(tmp_path, [table(0), table(1)])
    schema, rows = choosing_rows(paths, params_of(2 * ROWS))
    all_schema, all_rows = training_rows(paths, params_of(2 * ROWS))
    assert schema == all_schema
    np.testing.assert_array_equal(rows.X, all_rows.X)
    np.testing.assert_array_equal(rows.group, all_rows.group)


def test_many_rows_are_sampled_by_whole_groups(tmp_path: Path) -> None:
    paths = write(tmp_path, [table(0), table(1)])
    parts = drawn(paths, params_of(5_000))
    chosen = {*pd.concat(parts)["customer"]}
    whole = pd.concat([table(0), table(1)])
    assert 4_000 <= sum(map(len, parts)) <= 5_100
    assert sum(map(len, parts)) == int(whole["customer"].isin(chosen).sum())


def test_the_sample_of_more_rows_has_the_groups_of_a_smaller_one(tmp_path: Path) -> None:
    paths = write(tmp_path, [table(0), table(1)])
    fewer, more = (pd.concat(drawn(paths, params_of(rows))) for rows in (4_500, 6_000))
    assert {*fewer["customer"]} < {*more["customer"]}


def test_another_seed_draws_other_groups(tmp_path: Path) -> None:
    paths = write(tmp_path, [table(0), table(1)])
    first, second = ({*pd.concat(drawn(paths, params_of(4_500, seed=seed)))["customer"]} for seed in (0, 1))
    assert len(first & second) < 0.8 * len(first)


def test_few_large_groups_all_give_a_part_of_their_rows(tmp_path: Path) -> None:
    paths = write(tmp_path, [table(0, customers=20), table(1, customers=20)])
    sample = pd.concat(drawn(paths, params_of(2_000)))
    assert sample["customer"].nunique() == 20
    assert 1_800 <= len(sample) <= 2_200


def test_without_split_by_rows_are_drawn_whatever_their_file_is_called(tmp_path: Path) -> None:
    params = changed(toy_params(split={"by": []}), search={"rows": 2_000})
    paths = write(tmp_path, [table(0), table(1)])
    moved = [
        path.rename(path.with_name(f"zz{path.name}")) for path in write(tmp_path / "b", [table(0), table(1)])
    ]
    _, rows = choosing_rows(paths, params)
    _, same = choosing_rows(moved, params)
    assert 1_400 <= len(rows.y) <= 2_100  # a fifth of the rows is in the vault
    np.testing.assert_array_equal(rows.X, same.X)


def test_a_rare_class_is_in_the_sample_with_all_its_rows(tmp_path: Path) -> None:
    frames = [table(0).assign(y=0), table(1).assign(y=0)]
    for frame in frames:
        frame.loc[:14, "y"] = 1
    _, rows = choosing_rows(write(tmp_path, frames), params_of(4_000))
    assert (rows.y == 1).sum() == 30
    assert 3_500 <= len(rows.y) <= 4_100


def test_sampled_rows_know_their_partition_and_their_group(tmp_path: Path) -> None:
    paths, params = write(tmp_path, [table(0), table(1)]), params_of(4_500)
    _, rows = choosing_rows(paths, params)
    _, all_rows = training_rows(paths, params)
    assert {*rows.group} <= {*all_rows.group}
    assert [int((rows.part == part).sum()) > 1_000 for part in (0, 1)] == [True, True]


def test_the_gap_between_folds_shrinks_with_the_sample(tmp_path: Path) -> None:
    paths = write(tmp_path, [table(0), table(1)])
    params = changed(params_of(4_500), search={"scheme": "time-series", "gap": 1_000, "rows": 4_500})
    _, rows = choosing_rows(paths, params)
    assert with_scaled_gap(params, paths, rows).search.gap == -(-1_000 * len(rows.y) // (2 * ROWS))


def test_a_gap_in_time_holds_for_sampled_rows_as_it_is(tmp_path: Path) -> None:
    parts = [table(0), table(1)]
    for part in parts:
        part["when"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(part["x"].round(3), unit="D")
    paths = write(tmp_path, parts)
    params = changed(params_of(4_500, dataset={"time": "when"}), search={"gap": "2 days"})
    schema, rows = choosing_rows(paths, params)
    x = rows.X[:, [feature.name for feature in schema.features].index("x")]
    assert len(rows.y) < 5_100
    assert rows.time is not None
    days = (rows.time - np.datetime64("2026-01-01")) / np.timedelta64(1, "D")
    np.testing.assert_allclose(days, x, atol=0.001)
    assert with_scaled_gap(params, paths, rows) == params


def test_a_file_without_the_group_is_refused_by_its_name(tmp_path: Path) -> None:
    paths = write(tmp_path, [table(0), table(1).drop(columns="customer")])
    with pytest.raises(
        BadData, match=r"split.by names \['customer'\], but the data has only \['kind', 'x', 'y'\]"
    ):
        choosing_rows(paths, params_of(4_500))
