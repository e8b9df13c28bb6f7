"""The templates of a new project's files, and of a workspace's."""

from importlib.resources import files
from pathlib import Path

from incumbent.tables.atomic import atomic_write

# The project's file -> the template it comes from. DVC would take one named dvc.yaml for a pipeline of ours.
AS_THEY_ARE = {
    "prefect.yaml": "prefect.yaml",
    "kubernetes/cpu.json": "kubernetes-cpu.json",
    "kubernetes/gpu.json": "kubernetes-gpu.json",
    "dvc.yaml": "dvc.yaml.txt",
    ".dvc/config": "dvc-config",
    ".dvcignore": "dvcignore",
    ".gitignore": "gitignore",
}
# A member of a workspace has the workspace's.
OF_THE_STACK = {"prefect.yaml", "kubernetes/cpu.json", "kubernetes/gpu.json"}


def template(name: str) -> str:
    """The text of a template of a new project's files."""
    return (files("incumbent.cli") / "templates" / "project" / name).read_text(encoding="utf-8")


def write_deployments(folder: Path) -> None:
    """A workspace's deployments, and the job templates for Kubernetes that they need there."""
    for name in sorted(OF_THE_STACK):
        if not (folder / name).exists():
            (folder / name).parent.mkdir(exist_ok=True)
            with atomic_write(folder / name) as part:
                part.write_text(template(AS_THEY_ARE[name]), encoding="utf-8")
