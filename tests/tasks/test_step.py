"""What the first task of every flow sees to."""

from pathlib import Path

import pytest

from incumbent.errors import BadInput
from tasks.arrival import take
from tasks.begin import begin


def test_a_run_of_a_project_that_was_moved_meanwhile_says_so(tmp_path: Path) -> None:
    gone = tmp_path / "orient"
    said = (
        f"there is no folder {gone}: the project was moved or removed after this run was asked for; where it"
    )
    with pytest.raises(BadInput, match=said):
        begin.fn(gone, "HEAD", None, "auto", "event 1", dry=False)
    with pytest.raises(BadInput, match=said):
        take.fn(gone, None)
