"""What `up --monitoring` needs before it starts anything. tests/flows/test_monitoring.py starts it."""

import stat
from pathlib import Path

import pytest

from incumbent.errors import BadInput
from incumbent.local import stack
from incumbent.local.monitoring import UNPACKED, find_prometheus


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project on a machine without Prometheus."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def test_without_prometheus_nothing_is_started(bare: Path) -> None:
    with pytest.raises(BadInput, match="install Debian's package 'prometheus'"):
        stack.up(bare, print, monitored=True)
    assert not (bare / ".incumbent").exists()


def test_a_prometheus_unpacked_in_the_project_serves(bare: Path) -> None:
    program = bare / UNPACKED / "prometheus"
    program.parent.mkdir(parents=True)
    program.touch()
    with pytest.raises(BadInput):
        find_prometheus(bare)
    program.chmod(stat.S_IRWXU)
    assert find_prometheus(bare) == str(program)
