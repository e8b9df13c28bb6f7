"""Frames of files that were read last are kept until the file changes, within a bound."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from incumbent.tables.recent_frames import RecentFrames

FRAME = pd.DataFrame({"x": np.zeros(1000)})
SIZE = int(FRAME.memory_usage().sum())


class Reader:
    """Reads the files of a folder, each a number, as frames with that number, and notes which it read."""

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self.recent, self.files_read = folder, RecentFrames(most), list[str]()

    def write(self, name: str, number: int, seconds: float) -> None:
        path = self.folder / name
        path.write_text(str(number))
        os.utime(path, (seconds, seconds))

    def read(self, name: str) -> pd.DataFrame:
        def read() -> pd.DataFrame:
            self.files_read.append(name)
            return FRAME + int((self.folder / name).read_text())

        return self.recent.read(self.folder / name, read)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    reader = Reader(tmp_path, 2 * SIZE)
    for number, name in enumerate("abc"):
        reader.write(name, number, seconds=1)
    return reader


def test_a_frame_is_read_once_until_its_file_changes(reader: Reader) -> None:
    reader.read("a"), reader.read("a")
    assert reader.files_read == ["a"]
    reader.write("a", 7, seconds=2)
    assert (reader.read("a") == 7).all(axis=None)


def test_a_change_to_a_frame_changes_no_other(reader: Reader) -> None:
    for _ in range(3):
        frame = reader.read("a")
        frame["y"] = 1
        frame.loc[0, "x"] = 9.0
    pd.testing.assert_frame_equal(reader.read("a"), FRAME)
    assert reader.files_read == ["a"]


def test_the_frames_used_last_are_kept(reader: Reader) -> None:
    for name in "abacab":
        reader.read(name)
    assert reader.files_read == ["a", "b", "c", "b"]


def test_a_frame_too_large_is_not_kept_and_drives_out_no_other(reader: Reader, tmp_path: Path) -> None:
    reader.read("a")
    large = pd.concat([FRAME] * 3)
    reader.recent.read(tmp_path / "b", lambda: large)
    assert reader.recent.kept(tmp_path / "a") is not None
    assert reader.recent.kept(tmp_path / "b") is None


def test_a_file_that_has_just_changed_is_read_again(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    reader.read("a")
    (tmp_path / "a").write_text("2")
    assert (reader.read("a") == 2).all(axis=None)
