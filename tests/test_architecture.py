"""docs/architecture.md draws the rooms as they are, and the files that it names are there."""

import re
from pathlib import Path

import grimp
import networkx as nx
import pytest

ROOT = Path(__file__).parents[1]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
ENTRIES = {"incumbent", "incumbent.__main__", "incumbent.storage"}
TEST = re.compile(r"`(test_\w+\.py)`")
PATH = re.compile(r"`((?:incumbent|tasks|flows|tests|docs|bench|expectations|\.ci)/[\w/.]*)`")


def room(module: str) -> str:
    """The room of a module: flows, tasks, storage/s3, or the first word within incumbent."""
    first, *rest = module.split(".")
    if first != "incumbent":
        return first
    return "/".join(rest[:2]) if rest[0] == "storage" else rest[0]


def imports() -> list[tuple[str, str]]:
    """(importer, imported), of rooms; what follows from others is left out."""
    graph = grimp.build_graph("incumbent", "flows", "tasks", cache_dir=None)
    rooms: nx.DiGraph[str] = nx.DiGraph()
    for module in graph.modules - ENTRIES:
        for imported in graph.find_modules_directly_imported_by(module) - ENTRIES:
            if room(module) != room(imported):
                rooms.add_edge(room(module), room(imported))
    return sorted(nx.transitive_reduction(rooms).edges)


def test_the_arrows_are_the_imports() -> None:
    drawn = re.findall(r"^    ([\w/]+) --> ([\w/]+)$", ARCHITECTURE.read_text(encoding="utf-8"), re.MULTILINE)
    lines = "\n".join(f"    {importer} --> {imported}" for importer, imported in imports())
    assert sorted(drawn) == imports(), f"draw these arrows in docs/architecture.md:\n{lines}"


@pytest.mark.parametrize("guide", [ARCHITECTURE, ROOT / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_a_guide_names_files_that_are_there(guide: Path) -> None:
    text = guide.read_text(encoding="utf-8")
    assert [path for path in PATH.findall(text) if not (ROOT / path).exists()] == []
    assert [name for name in TEST.findall(text) if not list((ROOT / "tests").rglob(name))] == []
