"""Which keys were there before, on the real DVC, git and S3: in any clone, after corrections and removals."""

from pathlib import Path

import pandas as pd
import pytest

from incumbent.errors import BadInput
from incumbent.storage.dataset.arrivals import add_partitions, catch_up
from incumbent.storage.dataset.git import git
from incumbent.storage.dataset.known_keys import KnownKeys
from incumbent.storage.dataset.versions import resolve
from tests.storage.clones import identify, partition

KEY = ["id", "month"]


def rows(folder: Path, *keys: tuple[int, int]) -> Path:
    """A partition with these keys, in other types than `partition` writes."""
    path = folder / "new.parquet"
    pd.DataFrame(keys, columns=KEY).astype("float64").to_parquet(path)
    return path


def repeated(clone: Path, file: Path, *replaced: str) -> dict[str, list[int]]:
    known = KnownKeys(clone, KEY, resolve(clone)).without(replaced)
    return {name: places.tolist() for name, places in known.repeated(file).items()}


def test_rows_are_found_in_a_clone_that_never_pulled_the_data(clone: Path, tmp_path: Path) -> None:
    file = rows(tmp_path, (7, 2), (0, 3), (99, 1), (100, 1), (98, 1))
    assert repeated(clone, file) == {"month-1.parquet": [2, 4], "month-2.parquet": [0]}
    assert repeated(clone, rows(tmp_path, (0, 3), (100, 2))) == {}


def test_only_what_holds_a_suspect_is_fetched_and_after_the_first_time_nothing_else_is_read(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = resolve(clone)
    KnownKeys(clone, KEY, version).repeated(rows(tmp_path, (7, 2)))
    fetched = list((clone / ".incumbent" / "cache" / "partitions").iterdir())
    assert [path.stem for path in fetched] == [version.partitions[1].md5]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert KnownKeys(clone, KEY, version).repeated(rows(tmp_path, (0, 3), (100, 1))) == {}
    assert list(KnownKeys(clone, KEY, version).repeated(rows(tmp_path, (7, 2)))) == ["month-2.parquet"]


def test_a_correction_does_not_collide_with_what_it_replaces(clone: Path, tmp_path: Path) -> None:
    assert repeated(clone, partition(tmp_path, 1, rows=120), "month-1.parquet") == {}
    add_partitions(clone, [partition(tmp_path, 1, rows=7)])
    assert repeated(clone, rows(tmp_path, (6, 1), (7, 1), (8, 2))) == {
        "month-1.parquet": [0],
        "month-2.parquet": [2],
    }


def test_keys_of_a_partition_that_was_withdrawn_are_free_again(
    clone: Path, origin: Path, tmp_path: Path
) -> None:
    before = git(clone, "rev-parse", "HEAD")
    add_partitions(clone, [partition(tmp_path, 3)])
    assert list(repeated(clone, rows(tmp_path, (0, 3)))) == ["month-3.parquet"]
    git(origin, "update-ref", "refs/heads/main", before)
    catch_up(clone)
    assert repeated(clone, rows(tmp_path, (0, 3))) == {}


def test_another_clone_s_partitions_are_known_once_the_branch_is(
    clone: Path, origin: Path, tmp_path: Path
) -> None:
    file = rows(tmp_path, (0, 3), (0, 4))
    assert repeated(clone, file) == {}
    other = tmp_path / "other"
    git(origin, "clone", "--quiet", str(origin), str(other))
    identify(other)
    add_partitions(other, [partition(tmp_path, 3)])
    catch_up(clone)
    assert repeated(clone, file) == {"month-3.parquet": [0]}


def test_what_arrives_together_is_compared_too(clone: Path, tmp_path: Path) -> None:
    known = KnownKeys(clone, KEY, resolve(clone))
    with_third = known.without([])
    with_third.add(partition(tmp_path, 3))
    file = rows(tmp_path, (0, 3))
    assert list(with_third.repeated(file)) == ["month-3.parquet"]
    assert known.repeated(file) == {}


def test_a_partition_without_the_key_has_no_keys(clone: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.parquet"
    pd.DataFrame({"id": [0]}).to_parquet(odd)
    add_partitions(clone, [odd])
    assert repeated(clone, odd) == {}
    assert list(repeated(clone, rows(tmp_path, (0, 1)))) == ["month-1.parquet"]


def test_a_partition_is_only_replaced_while_it_is_what_it_was(clone: Path, tmp_path: Path) -> None:
    md5 = resolve(clone).partitions[0].md5
    corrected = partition(tmp_path, 1, rows=7)
    add_partitions(clone, [corrected], {"month-1.parquet": md5})
    before = git(clone, "rev-parse", "HEAD")
    with pytest.raises(BadInput, match=f"month-1.parquet was to be changed from md5 {md5}, but it has md5"):
        add_partitions(clone, [partition(tmp_path, 1, rows=8)], {"month-1.parquet": md5})
    with pytest.raises(BadInput, match="it is gone by now"):
        add_partitions(clone, [partition(tmp_path, 9)], {"month-9.parquet": md5})
    assert git(clone, "rev-parse", "HEAD") == before
