"""What `incumbent init` writes is what this repository, the demo's project, uses itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from ruamel.yaml import YAML

from incumbent.cli.new_project import create
from incumbent.cli.project_files import AS_THEY_ARE
from incumbent.params import DatasetParams

REPOSITORY = Path(__file__).parents[2]
OWN = {".gitignore"}  # this repository ignores its tools' caches too


@pytest.mark.parametrize("path", sorted(AS_THEY_ARE.keys() - OWN))
def test_a_template_equals_the_file_at_the_top(path: str) -> None:
    template = REPOSITORY / "incumbent" / "cli" / "templates" / "project" / AS_THEY_ARE[path]
    assert template.read_text() == (REPOSITORY / path).read_text()


def test_the_polls_minutes_do_not_begin_anew_with_each_deploying() -> None:
    from prefect.cli.deploy._schedules import _construct_schedules  # as `prefect deploy` makes them

    document = YAML(typ="safe").load(REPOSITORY / "prefect.yaml")
    [poll] = (each for each in document["deployments"] if each["name"] == "poll")

    def deployed() -> Any:
        [made] = _construct_schedules(poll, {}, console=Console(), is_interactive=lambda: False)
        return made["schedule"]

    assert deployed() == deployed()


def test_every_parameter_that_the_pipeline_reads_is_in_a_new_project(tmp_path: Path) -> None:
    """DVC ends with an error for a parameter that params.yaml leaves to its default."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=300), "y": rng.integers(0, 2, 300)})
    table.to_csv(tmp_path / "table.csv", index=False)
    project = tmp_path / "project"
    create(tmp_path / "table.csv", DatasetParams(name="new", target="y"), project)
    params, pipeline = (YAML(typ="safe").load(project / name) for name in ("params.yaml", "dvc.yaml"))
    for stage in pipeline["stages"].values():
        for key in stage["params"]:
            values = params
            for part in key.split("."):
                assert part in values, key
                values = values[part]
