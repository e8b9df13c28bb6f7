"""What `incumbent init` writes is what this repository, the demo's project, uses itself."""

from pathlib import Path

import pytest

from incumbent.cli.new_project import AS_THEY_ARE

REPOSITORY = Path(__file__).parents[2]
OWN = {".gitignore"}  # this repository ignores its tools' caches too


@pytest.mark.parametrize("path", sorted(AS_THEY_ARE.keys() - OWN))
def test_a_template_equals_the_file_at_the_top(path: str) -> None:
    template = REPOSITORY / "incumbent" / "templates" / "project" / AS_THEY_ARE[path]
    assert template.read_text() == (REPOSITORY / path).read_text()
