"""incumbent models: look into the registry, roll back, bring a version here."""

from pathlib import Path
from typing import Annotated, Any

import typer

from incumbent.cli import adopt, approve, mirror
from incumbent.cli.options import Json, Project, pairs, show, table
from incumbent.cli.registry import registry_of, version_named
from incumbent.cli.segments import segments_table
from incumbent.storage.registry.registry import Registry
from incumbent.storage.registry.verdicts import verdicts

LEGEND = "* champion  + shadow: held last, and scored beside the champion on each arrival"

app = typer.Typer(no_args_is_help=True, help="The registry of the project's model.")

Version = Annotated[str, typer.Argument(help="Such as v17, or 'champion' for the current champion.")]


@app.command("list")
def list_versions(project: Project = Path(), as_json: Json = False) -> None:
    """List all versions, newest first: who is champion and shadow, and what became of each."""
    registry = registry_of(project)
    roles, approvals, manifests = _roles(registry), approve.states(registry), registry.versions()
    became = verdicts(registry, manifests)
    document = [
        {
            **_summary(m),
            **{role: m["version"] == version for role, version in roles.items()},
            "verdict": became.get(m["version"]),
            "approval": approvals.get(m["version"]),
        }
        for m in manifests
    ]
    show(document, as_json, _listing)


@app.command("show")
def show_version(version: Version = "champion", project: Project = Path(), as_json: Json = False) -> None:
    """Show one version's manifest, its approval, and the updates since the last full training."""
    registry = registry_of(project)
    manifest, *before = registry.lineage(version_named(registry, version))
    role = next((role for role, name in _roles(registry).items() if name == manifest["version"]), None)
    approval = approve.states(registry).get(manifest["version"])
    lineage, verdict = [_step(each) for each in (manifest, *before)], _verdict(registry, manifest)
    document = {**manifest, "role": role, "approval": approval, "verdict": verdict, "lineage": lineage}
    show(document, as_json, _details)


def _verdict(registry: Registry, manifest: dict[str, Any]) -> dict[str, Any] | None:
    """The decision of the run that made the version; None for a version of no run, or while it goes on."""
    run_seq = manifest.get("run_seq")
    return None if run_seq is None else registry.decisions([run_seq]).get(run_seq)


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="Such as v17.")],
    reason: Annotated[str | None, typer.Option(help="Why; kept in the log.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Required: promotes without a comparison.")] = False,
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Make a version champion against or without a verdict; the log keeps who did it and why."""
    if not force or reason is None:
        missing = " and ".join(["--force"] * (not force) + ["--reason"] * (reason is None))
        raise typer.BadParameter(
            f"without a comparison it takes {missing} as well: `incumbent models promote {version} --force "
            "--reason TEXT`; `incumbent retrain` makes a comparison",
            param_hint=missing,
        )
    registry = registry_of(project)
    entry = registry.force(version, reason)
    mirror.send_champion(project, registry)
    document = {"champion": entry.version, "replaced": entry.replaced, "seq": entry.seq, "by": entry.by}
    show(document, as_json, lambda d: f"champion is {d['champion']} (entry {d['seq']}, by {d['by']})")


@app.command()
def verify(
    version: Annotated[
        str | None, typer.Argument(help="Only this version, such as v17 or 'champion'.")
    ] = None,
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Check every byte, the log and the pointer. Exit code 1 if anything differs from what was written."""
    registry = registry_of(project)
    if version is not None:
        manifest = registry.verify(version_named(registry, version))
        show({"problems": []}, as_json, lambda _: f"{manifest['version']} is as it was published")
        return
    problems = registry.problems()
    show({"problems": problems}, as_json, lambda d: "\n".join(d["problems"]) or "the registry is sound")
    if problems:
        raise typer.Exit(1)


@app.command()
def gc(
    keep: Annotated[int, typer.Option(min=1, help="How many of the newest versions stay.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Delete versions that nobody needs: mark them now, and delete those that were marked an hour ago.

    It keeps all former champions, the shadow, the one that waits for approval, their parents, and uploads of
    the last day.
    """
    fates = registry_of(project).gc(keep, dry_run=dry_run)
    show([fate.to_json() for fate in fates], as_json, _fates)


@app.command()
def rollback(
    to: Annotated[str | None, typer.Option(help="A former champion; default: the previous one.")] = None,
    reason: Annotated[str, typer.Option(help="Kept in the log.")] = "rolled back by hand",
    project: Project = Path(),
    as_json: Json = False,
) -> None:
    """Make a former champion the champion again; the current one is blocked from promotion."""
    registry = registry_of(project)
    entry = registry.rollback(to, reason)
    mirror.send_champion(project, registry)
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
    """Download a version's files, each verified against the manifest's sha256."""
    registry = registry_of(project)
    name = version_named(registry, version)
    folder = to or Path("models") / name
    folder.mkdir(parents=True, exist_ok=True)
    manifest = registry.pull(name, folder)
    document = {"version": name, "folder": str(folder), "files": manifest["files"]}
    show(document, as_json, lambda d: "\n".join(f"{d['folder']}/{file}" for file in d["files"]))


def _roles(registry: Registry) -> dict[str, str | None]:
    """The version of the champion, also as provisional if it is, and of the shadow, which was held last."""
    champion = registry.champion()
    if champion is None:
        return {"provisional": None, "champion": None, "shadow": None}
    provisional = champion.version if champion.provisional else None
    return {
        "provisional": provisional,
        "champion": champion.version,
        "shadow": registry.last_held(champion),
    }


app.command("approve")(approve.approve)
app.command("refuse")(approve.refuse)
app.command("mirror")(mirror.mirror)
app.command("adopt")(adopt.adopt)


def _summary(manifest: dict[str, Any]) -> dict[str, Any]:
    names = ("version", "created", "kind", "parent", "updates", "training_rows", "metrics")
    origin = {"data": manifest["data"]["md5"], "adopted": manifest.get("adopted")}
    return {name: manifest[name] for name in names} | origin


def _fates(document: list[dict[str, Any]]) -> str:
    return table(["version", "action", "why"], [[d["version"], d["action"], d["why"]] for d in document])


def _listing(document: list[dict[str, Any]]) -> str:
    rows = []
    for each in document:
        holdout, cv = each["metrics"]["holdout"], each["metrics"]["cv"]
        verdict, kind = each["verdict"] or "–", "taken over" if each["adopted"] else each["kind"]
        rows.append(
            [
                each["version"] + " *" * each["champion"] + " +" * each["shadow"],
                "–" if each["adopted"] and verdict == "forced" else verdict,
                each["created"][:19],
                kind + (f" of {each['parent']}" if each["parent"] else ""),
                f"{each['training_rows']:,}",
                f"{cv['mean']:.4f}" if cv else "–",
                f"{holdout['value']:.4f} [{holdout['low']:.4f}, {holdout['high']:.4f}]" if holdout else "–",
                _judging_rows(holdout or {}),
            ]
        )
    waiting = [each["version"] for each in document if each["verdict"] == "pending"]
    header = ["version", "verdict", "created", "kind", "rows", "cv", "judged", "judged on"]
    return "\n".join([table(header, rows), LEGEND, *map(approve.how_to_answer, waiting)])


def _judging_rows(holdout: dict[str, Any]) -> str:
    """How many; versions of earlier releases know fewer of these figures."""
    known = [f"{holdout[name]:,} {name}" for name in ("rows", "groups") if name in holdout]
    return " of ".join(known) or "–"


def _step(manifest: dict[str, Any]) -> dict[str, Any]:
    names = ("version", "kind", "created", "rounds", "training_rows", "drift")
    return {name: manifest.get(name) for name in names}


def _lineage(steps: list[dict[str, Any]]) -> str:
    rows = [
        [
            step["version"],
            step["kind"],
            step["created"][:19],
            str(step["rounds"]),
            f"{step['training_rows']:,}",
            "–" if step["drift"] is None else f"{step['drift']:.0%}",
        ]
        for step in steps
    ]
    return table(["lineage", "kind", "created", "rounds", "rows", "drift"], rows)


def _details(manifest: dict[str, Any]) -> str:
    own = {"files", "metrics", "segments", "lineage", "approval", "verdict"}
    skip = {"schema", "params", "environment", "data", *own}
    lines = [(name, value) for name, value in manifest.items() if name not in skip]
    if approval := manifest["approval"]:
        lines.append(("approval", "{state} ({by}, {at}): {reason}".format(**approval)))
    if verdict := manifest["verdict"]:
        lines += [("verdict", verdict["kind"]), *(("because", reason) for reason in verdict["reasons"])]
    lines.append(("judged", manifest["metrics"]["holdout"]))
    files = [[file, f["sha256"], f"{f['size']:,}"] for file, f in manifest["files"].items()]
    parts = [pairs(lines), table(["file", "sha256", "bytes"], files), _lineage(manifest["lineage"])]
    if segments := manifest.get("segments"):
        parts.append(segments_table(segments))
    return "\n\n".join(parts)
