"""A file is the old one or the new one, never a part of either."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from incumbent.tables.atomic import atomic_write


@pytest.fixture
def open_umask() -> Iterator[None]:
    """New files are for everybody, unless somebody says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "état.json"
    path.write_text("old")
    with atomic_write(path) as part:
        part.write_text("ne")
        assert path.read_text() == "old"
        part.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")

    def write() -> None:
        with atomic_write(path) as part:
            part.write_text("ne")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("open_umask")
def test_a_private_file_is_never_open_to_others_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(mode=0o644)
    with atomic_write(path, private=True) as part:
        assert part.stat().st_mode & 0o777 == 0o600
        part.write_text("key")
    assert path.stat().st_mode & 0o777 == 0o600
