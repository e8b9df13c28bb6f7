"""How two versions of the data differ, from their listings alone."""

from hypothesis import given
from hypothesis import strategies as st

from incumbent.tables.partitions import DataVersion, Diff, Partition, difference

# Few names and digests, so that the two listings often agree.
LISTINGS = st.dictionaries(st.sampled_from([f"{n}.parquet" for n in range(6)]), st.sampled_from(["a", "b"]))


def partitions(listing: dict[str, str]) -> list[Partition]:
    return [Partition(name, md5) for name, md5 in listing.items()]


@given(LISTINGS, LISTINGS)
def test_added_changed_removed_and_equal_names_partition_all_names(
    old: dict[str, str], new: dict[str, str]
) -> None:
    diff = difference(old, partitions(new))
    equal = [name for name in old if new.get(name) == old[name]]
    named = [*diff.added, *diff.changed, *diff.removed, *equal]
    assert sorted(named) == sorted({*old, *new})


@given(LISTINGS, LISTINGS)
def test_applying_the_difference_to_the_old_version_gives_the_new_one(
    old: dict[str, str], new: dict[str, str]
) -> None:
    diff = difference(old, partitions(new))
    kept = {name: md5 for name, md5 in old.items() if name not in (*diff.changed, *diff.removed)}
    assert kept | {name: new[name] for name in diff.fresh} == new


@given(LISTINGS, LISTINGS)
def test_going_back_removes_what_was_added(old: dict[str, str], new: dict[str, str]) -> None:
    forth, back = difference(old, partitions(new)), difference(new, partitions(old))
    assert (forth.added, forth.changed, forth.removed) == (back.removed, back.changed, back.added)


@given(LISTINGS, LISTINGS, st.randoms())
def test_the_listings_order_does_not_matter(old: dict[str, str], new: dict[str, str], random) -> None:
    shuffled = partitions(new)
    random.shuffle(shuffled)
    diff = difference(old, shuffled)
    assert diff == difference(old, partitions(new))
    assert list(diff.fresh) == sorted(diff.fresh)


@given(LISTINGS)
def test_a_version_does_not_differ_from_itself(listing: dict[str, str]) -> None:
    assert difference(listing, partitions(listing)) == Diff()


def test_a_version_is_called_after_its_last_partition_and_its_listing() -> None:
    months = partitions({"2013-01.parquet": "a", "2013-02.parquet": "b"})
    assert DataVersion("f" * 40, "0123456789abcdef", tuple(months)).short == "2013-02-0123456"
    assert DataVersion("f" * 40, "0123456789abcdef", ()).short == "empty-0123456"


def test_a_versions_record_lists_every_partition_with_its_digest() -> None:
    version = DataVersion("main", "m", (Partition("a.parquet", "1"), Partition("b.parquet", "2")))
    assert version.to_json() == {
        "rev": "main",
        "md5": "m",
        "partitions": {"a.parquet": "1", "b.parquet": "2"},
    }
