"""incumbent models: look into the registry, roll back, bring a version here."""

from pathlib import Path
from typing import Annotated, Any

import typer

from incumbent.cli.options import Json, Project, enter, show, table
from incumbent.params import load_params
from incumbent.storage.registry import Registry, open_registry

app = typer.Typer(no_args_is_help=True, help="The registry of the project's model.")

Version = Annotated[str, typer.Argument(help="Such as v17; 'champion' is the one in office.")]


def registry_of(project: Path) -> Registry:
    return open_registry(load_params(enter(project)))


def version_named(registry: Registry, version: str) -> str:
    """The version itself, or the one in office for 'champion'. Raises NotFound."""
    from incumbent.errors import NotFound

    if version != "champion":
        return version
    champion = registry.champion()
    if champion is None:
        raise NotFound(f"model '{registry.model}' has no champion yet; train one with 'incumbent retrain'")
    return champion.version


@app.command("list")
def list_versions(project: Project = Path(), as_json: Json = False) -> None:
    """All versions, newest first; the champion is marked."""
    registry = registry_of(project)
    champion = registry.champion()
    office = champion.version if champion else None
    document = [{**_summary(m), "champion": m["version"] == office} for m in registry.versions()]
    show(document, as_json, _listing)


@app.command("show")
def show_version(version: Version = "champion", project: Project = Path(), as_json: Json = False) -> None:
    """One version's manifest."""
    registry = registry_of(project)
    show(registry.manifest(version_named(registry, version)), as_json, _details)


@app.command()
def history(project: Project = Path(), as_json: Json = False) -> None:
    """Who was champion when, and why; oldest first."""
    entries = [{k: v for k, v in vars(e).items() if k != "etag"} for e in registry_of(project).history()]
    show(
        entries,
        as_json,
        lambda d: table(
            ["seq", "at", "op", "version", "replaced", "reason"],
            [
                [str(e["seq"]), e["at"][:19], e["op"], e["version"], e["replaced"] or "–", e["reason"]]
                for e in d
            ],
        ),
    )


@app.command()
def rollback(
    to: Annotated[str | None, typer.Option(help="A former champion; default: the one before.")] = None,
    reason: Annotated[str, typer.Option(help="Kept in the log.")] = "rolled back by hand",
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Put a former champion back into office; the present one is blocked from promotion."""
    entry = registry_of(project).rollback(to, reason)
    document = {
        "champion": entry.version,
        "replaced": entry.replaced,
        "seq": entry.seq,
        "blocked": entry.blocked,
    }
    show(document, as_json, lambda d: f"champion is {d['champion']} again; {d['replaced']} is blocked")


@app.command()
def pull(
    version: Version = "champion",
    to: Annotated[Path | None, typer.Option(help="Folder; default: models/VERSION.")] = None,
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Bring a version's files here, each verified against the manifest's sha256."""
    registry = registry_of(project)
    name = version_named(registry, version)
    folder = to or Path("models") / name
    folder.mkdir(parents=True, exist_ok=True)
    manifest = registry.pull(name, folder)
    document = {"version": name, "folder": str(folder), "files": manifest["files"]}
    show(document, as_json, lambda d: "\n".join(f"{d['folder']}/{file}" for file in d["files"]))


def _summary(manifest: dict[str, Any]) -> dict[str, Any]:
    names = ("version", "created", "kind", "parent", "updates", "training_rows", "metrics")
    return {name: manifest[name] for name in names} | {"data": manifest["data"]["md5"]}


def _listing(document: list[dict[str, Any]]) -> str:
    rows = []
    for each in document:
        holdout, cv = each["metrics"]["holdout"], each["metrics"]["cv"]
        rows.append(
            [
                each["version"] + (" *" if each["champion"] else ""),
                each["created"][:19],
                each["kind"] + (f" of {each['parent']}" if each["parent"] else ""),
                f"{each['training_rows']:,}",
                f"{cv['mean']:.4f}" if cv else "–",
                f"{holdout['value']:.4f} [{holdout['low']:.4f}, {holdout['high']:.4f}]",
            ]
        )
    return table(["version", "created", "kind", "rows", "cv", "holdout"], rows) + "\n* in office"


def _details(manifest: dict[str, Any]) -> str:
    skip = {"schema", "params", "environment", "data", "files", "metrics"}
    lines = [f"{name:<14}{value}" for name, value in manifest.items() if name not in skip]
    lines += [f"{'holdout':<14}{manifest['metrics']['holdout']}"]
    lines += [
        f"{'file':<14}{file}  {f['sha256']}  {f['size']:,} bytes" for file, f in manifest["files"].items()
    ]
    return "\n".join(lines)
