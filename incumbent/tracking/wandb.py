"""Weights & Biases, by its own client: WANDB_MODE says whether it talks to a server or writes files.

The trials are runs of their own in the run's group, as the client's searches are: so its pages compare them.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from incumbent.errors import BadParams
from incumbent.tracking.names import allowed
from incumbent.tracking.sink import Undelivered
from incumbent.tracking.values import RegistryState, TrackedRun, Trial

SILENT = {"WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
STARTS = 60
"""Seconds that a server has for its first answer. No run waits for it: see deliver."""


@dataclass(frozen=True)
class Wandb:
    """`folder`: where the client keeps its files; an offline run is there until `wandb sync` sends it."""

    folder: Path
    client: Any

    def log(self, run: TrackedRun, files: Path) -> None:
        try:
            for trial in run.trials:
                self._log_trial(run, trial)
            self._log_run(run, files)
        except (self.client.Error, OSError) as error:
            raise Undelivered(f"Weights & Biases did not take {run.name}: {error}") from error

    def mirror(self, registry: RegistryState) -> list[str]:
        """Nothing: only MLflow's registry is a mirror."""
        return []

    def _log_run(self, run: TrackedRun, files: Path) -> None:
        about = {"config": {**run.params, "dataset": vars(run.dataset), "incumbent": run.tags}}
        tags = [run.tags[name] for name in ("incumbent.decision", "incumbent.plan") if name in run.tags]
        logged = self._begin(run, run.id, run.name, job_type="retrain", notes=run.summary, tags=tags, **about)
        if logged is None:
            return
        images = {each.stem: self.client.Image(str(each)) for each in sorted(files.glob("pictures/*.png"))}
        pages = {each.stem: self.client.Html(each.read_text("utf-8")) for each in files.glob("*.html")}
        pictures = {f"pictures/{name}": image for name, image in images.items()}
        logged.log({**allowed(run.metrics), **pictures, **pages})
        logged.finish()

    def _log_trial(self, run: TrackedRun, trial: Trial) -> None:
        name, config = f"{run.name}, trial {trial.number}", {**trial.options, "pruned": trial.pruned}
        logged = self._begin(run, f"{run.id}-{trial.number}", name, job_type="trial", config=config)
        if logged is None:
            return
        for rounds, score in trial.curve:
            logged.log({f"cv/curve/{run.metric}": score}, step=rounds)
        logged.summary.update({f"cv/{run.metric}": trial.score, "rounds": trial.rounds})
        logged.finish()

    def _begin(self, run: TrackedRun, run_id: str, name: str, **about: Any) -> Any | None:
        """The client's run; None if `wandb sync` has sent it already."""
        if not self._forget(run_id):
            return None
        settings = self.client.Settings(
            console="off", disable_git=True, disable_code=True, x_disable_stats=True, init_timeout=STARTS
        )
        project = os.environ.get("WANDB_PROJECT", run.model)
        place: Mapping[str, Any] = {"project": project, "group": run.name, "dir": self.folder}
        return self.client.init(
            id=run_id,
            name=name,
            resume="allow",
            reinit="finish_previous",
            settings=settings,
            **place,
            **about,
        )

    def _forget(self, run_id: str) -> bool:
        """Remove what a killed process wrote of this run; False if it was sent."""
        for written in (self.folder / "wandb").glob(f"offline-run-*-{run_id}"):
            if any(written.glob("*.synced")):
                return False
            shutil.rmtree(written)
        return True


def open_wandb(project: Path) -> Wandb:
    """Raises BadParams where the client is not installed."""
    os.environ.update(SILENT)
    folder = project / ".incumbent" / "wandb"
    folder.mkdir(parents=True, exist_ok=True)
    # Pictures are staged there; a run must not write into the user's home.
    os.environ.setdefault("WANDB_DATA_DIR", str(folder))
    os.environ.setdefault("WANDB_CACHE_DIR", str(folder / "cache"))
    try:
        import wandb
    except ImportError as error:
        raise BadParams(
            "Weights & Biases' client is not installed: pip install 'incumbent[wandb]'"
        ) from error
    return Wandb(folder, wandb)
