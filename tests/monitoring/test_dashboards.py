"""Grafana's dashboards are what the code makes of them, in its schema, of metrics that there are."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from ruamel.yaml import YAML

from dashboards.__main__ import FOLDER
from dashboards.documents import DASHBOARDS, document
from incumbent.monitoring.metrics import METRICS

METRIC = re.compile(r"\bincumbent_\w+")
PLUGINS_OWN = {"titleFormat", "tagKeys", "step"}  # of annotations by Prometheus


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_kept_dashboard_is_what_make_dashboards_writes(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == document(name)


def test_there_are_no_others() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(DASHBOARDS)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_has_nothing_that_grafanas_schema_has_not(name: str) -> None:
    kept = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    for annotation in kept.get("annotations", {}).get("list", []):
        for field in PLUGINS_OWN:
            del annotation[field]
    assert json.loads(JSONEncoder().encode(Dashboard.from_json(kept))) == kept


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_panel_covers_another(name: str) -> None:
    kept = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    cells = [cell for panel in kept["panels"] for cell in covered(panel["gridPos"])]
    assert len(cells) == len(set(cells))
    assert max(column for column, _ in cells) < 24


def covered(place: dict[str, int]) -> list[tuple[int, int]]:
    """(column, row) of the grid's cells."""
    columns = range(place["x"], place["x"] + place["w"])
    return [(column, row) for column in columns for row in range(place["y"], place["y"] + place["h"])]


def test_dashboards_and_alerts_ask_for_all_metrics_and_no_others() -> None:
    asked = [(FOLDER / f"{name}.json").read_text(encoding="utf-8") for name in DASHBOARDS]
    rules = YAML(typ="safe").load(FOLDER.parent / "alerts.yml")["groups"][0]["rules"]
    names = {name for text in [*asked, *(rule["expr"] for rule in rules)] for name in METRIC.findall(text)}
    assert names == set(METRICS)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.yml")), ids=lambda path: path.name)
def test_what_grafana_is_given_to_find_them_uses_the_variables_of_the_guide(path: Path) -> None:
    variables: set[Any] = set(re.findall(r"\$(\w+)", path.read_text(encoding="utf-8")))
    guide = (FOLDER.parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
    assert variables
    assert all(f"{each}=" in guide for each in variables)
