"""A process imports what its branch needs: libraries cost more than the work of a small run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = (
    *("great_expectations", "lightgbm", "matplotlib", "onnx", "onnxruntime", "optuna", "pandas", "scipy"),
    *("scipy.stats", "shap", "sklearn", "sqlalchemy", "torch"),
)


def imported(code: str) -> set[str]:
    """Which of HEAVY a process of its own has imported after this code."""
    told = f"{code}\nimport json, sys\nprint(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("code", "needed"),
    [
        pytest.param("import incumbent.cli.commands", set(), id="a command's help"),
        pytest.param("import flows.retrain", set(), id="a run that finds its work done"),
        pytest.param(
            "from incumbent.learners import learner_type; learner_type('lightgbm')",
            {"lightgbm", "pandas", "scipy", "scipy.stats", "sklearn"},
            id="predictions",
        ),
        pytest.param(
            "import incumbent.challenger, incumbent.search.window", {"pandas", "scipy"}, id="an update"
        ),
    ],
)
def test_no_library_is_imported_that_is_not_needed(code: str, needed: set[str]) -> None:
    assert imported(code) == needed
