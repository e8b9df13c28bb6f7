"""How the registry looks in a terminal."""

from pathlib import Path

from typer.testing import CliRunner

from incumbent.cli.commands import app
from incumbent.cli.options import pairs, table
from incumbent.storage.registry.registry import Registry
from tests.storage.conftest import Publish

MANIFEST = {
    "kind": "full",
    "parent": None,
    "rounds": 40,
    "training_rows": 900,
    "drift": None,
    "drift_since_full": 0.0,
    "data": {},
    "metrics": {"holdout": None, "cv": None},
}


def test_the_longest_name_of_a_manifest_stands_apart_from_its_value(
    registry: Registry, publish: Publish, tmp_path: Path
) -> None:
    publish("v1", **MANIFEST)
    address = registry.store.url().rstrip("/")
    (tmp_path / "params.yaml").write_text(
        f"dataset: {{name: flights, target: late}}\nregistry: {{address: '{address}'}}\n"
    )
    done = CliRunner().invoke(
        app, ["models", "show", "v1", "--project", str(tmp_path)], catch_exceptions=False
    )
    lines = done.stdout.splitlines()
    assert "drift_since_full  0.0" in lines
    assert next(line for line in lines if line.startswith("version")).split() == ["version", "v1"]
    assert [line.split()[0] for line in lines if "model.txt" in line] == ["model.txt"]


def test_values_stand_below_each_other_whatever_script_they_are_in() -> None:
    assert pairs([("a", 1), ("東京", 2), ("long name", 3)]).splitlines() == [
        "a          1",
        "東京       2",  # each sign is two columns wide
        "long name  3",
    ]


def test_a_line_break_in_a_cell_breaks_no_table() -> None:
    assert table(["why", "who"], [["one\ntwo", "\x1b[31mme"]]).splitlines() == [
        "why      who",
        "one two  \N{REPLACEMENT CHARACTER}[31mme",
    ]


def test_a_table_without_rows_shows_its_columns() -> None:
    assert table(["version", "why"], []) == "version  why"
