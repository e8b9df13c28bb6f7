"""DVC, by DVCLive: the last run in files that `dvc exp show`, `metrics diff` and `plots show` read."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incumbent.errors import BadParams
from incumbent.tracking.names import allowed
from incumbent.tracking.sink import Undelivered
from incumbent.tracking.values import RegistryState, TrackedRun

FOLDER = "dvclive"


@dataclass(frozen=True)
class DVCLive:
    """`project`: the work tree. A run takes the place of the one before; git keeps what is committed."""

    project: Path
    client: Any

    def log(self, run: TrackedRun, files: Path) -> None:
        try:
            with self.client(FOLDER, save_dvc_exp=False, dvcyaml=f"{FOLDER}/dvc.yaml", report=None) as live:
                live.log_params({**run.params, "incumbent": run.tags})
                for name, value in allowed(run.metrics).items():
                    live.log_metric(name, value, plot=False)
                for trial in run.trials:
                    live.step = trial.number
                    live.log_metric("trials/score", trial.score)
                for picture in sorted(files.glob("pictures/*.png")):
                    live.log_image(picture.name, str(picture))
        except OSError as error:
            raise Undelivered(f"{self.project / FOLDER} can't be written: {error}") from error

    def mirror(self, registry: RegistryState) -> list[str]:
        """Nothing: DVC has no model registry of its own here."""
        return []


def open_dvclive(project: Path) -> DVCLive:
    """Raises BadParams where DVCLive is not installed."""
    try:
        from dvclive import Live
    except ImportError as error:
        raise BadParams("DVCLive is not installed: pip install 'incumbent[dvclive]'") from error
    os.chdir(project)  # DVCLive looks for the repository from here
    return DVCLive(project, Live)
