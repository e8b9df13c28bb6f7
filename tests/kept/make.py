"""Make a small registry with the release of `incumbent` that this Python has, and keep it beside this file.

    git worktree add /tmp/release COMMIT && make -C /tmp/release .venv/.installed
    /tmp/release/.venv/bin/python tests/kept/make.py /tmp/release

What is kept, in a folder named by the commit: `bucket/`, the objects of the registry and of DVC;
`project.bundle`, the git repository; `scores/`, what each version predicted for the rows of March.
tests/storage/test_kept_registry.py reads all of it with the code of today. Versions v1 (full) and v2 (an
update of v1) are of a project that uses the installed `incumbent`; for v3 (full) it brings its own.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
from ruamel.yaml import YAML

from incumbent.demo.flights import load_flights
from incumbent.local.environment import environment

HERE = Path(__file__).parent
ROWS = 1000  # of each month: enough that a model beats the trivial one, few enough to keep
VERSIONS = ("v1", "v2", "v3")
KEY = ["--key", "time_hour", "--key", "carrier", "--key", "flight"]
NAME = {"NAME": "kept", "EMAIL": "kept@incumbent.invalid"}
CHANGES: dict[str, dict[str, Any]] = {
    "split": {"by": ["date"]},
    "dataset": {"name": "flights", "time": "time_hour", "drop": ["date"]},
    "features": {"dates": {"time_hour": ["day"]}, "target": ["dest"]},
    "imbalance": {"method": "weights", "calibrate": "sigmoid"},
    "retrain": {"max_decay": 0.5, "max_growth": 2.0, "max_drift": 1.0, "replay": 500},
    "promotion": {"window": 3, "confidence": 0.6},
    "learner": {"rounds": 30},
    "search": {"trials": 2, "folds": 3, "scheme": "stratified-group"},
}


def make(release: Path, home: Path) -> None:
    """A full training, an update by an arrival, and a full training in a project that brings its own code."""
    commit = git(release, "rev-parse", "--short=7", "HEAD")
    place, project = f"incumbent/kept/{commit}", home / "flights"
    january, february, march = write_months(home)
    incumbent(project, "init", "--data", january, "--target", "late", *KEY)
    configure(project, place)
    commit_all(project, "Learn from a small table, and start nothing by itself")
    git(home, "init", "--quiet", "--bare", "--initial-branch", "main", "origin.git")
    git(project, "remote", "add", "origin", str(home / "origin.git"))
    git(project, "push", "--quiet", "--set-upstream", "origin", "main")
    with stack(project):
        train(project)
        incumbent(project, "ingest", february)
        train(project, "--strategy", "incremental")
        incumbent(project, "ingest", march)
        shutil.copytree(
            release / "incumbent", project / "incumbent", ignore=shutil.ignore_patterns("__pycache__")
        )
        commit_all(project, "Bring the code that trains")
        train(project, "--strategy", "full")
        incumbent(
            project, "models", "promote", VERSIONS[-1], "--force", "--reason", "a second champion to keep"
        )
        git(project, "push", "--quiet")
        kept = HERE / commit
        shutil.rmtree(kept, ignore_errors=True)
        download(project, place, kept / "bucket")
        (kept / "scores").mkdir()
        for version in VERSIONS:
            out = kept / "scores" / f"{version}.parquet"
            incumbent(project, "score", march, out, "--version", version)
    git(project, "bundle", "create", "--quiet", str(kept / "project.bundle"), "main")


def write_months(folder: Path) -> list[Path]:
    """January to March of the demo's flights, a few rows of each."""
    flights = load_flights()
    paths = []
    for month in (1, 2, 3):
        rows = flights[flights["month"] == month].sample(ROWS, random_state=month).drop(columns="month")
        paths.append(folder / f"2013-{month:02d}.parquet")
        rows.sort_values(["time_hour", "carrier", "flight"]).to_parquet(paths[-1], index=False)
    return paths


def configure(project: Path, place: str) -> None:
    """A small search, addresses below `place`, and no deployment that starts a run by itself."""
    yaml = YAML()
    params = yaml.load((project / "params.yaml").read_text())
    for section, values in CHANGES.items():
        params[section].update(values)
    params["registry"]["address"] = f"s3://{place}/registry"
    with (project / "params.yaml").open("w") as stream:
        yaml.dump(params, stream)
    deployed = yaml.load((project / "prefect.yaml").read_text())
    deployed["deployments"] = [each for each in deployed["deployments"] if each["name"] == "score"]
    with (project / "prefect.yaml").open("w") as stream:
        yaml.dump(deployed, stream)
    subprocess.run(
        [sys.executable, "-m", "dvc", "remote", "modify", "store", "url", f"s3://{place}/dvc"],
        cwd=project,
        check=True,
    )


def train(project: Path, *options: str) -> None:
    done = json.loads(incumbent(project, "retrain", "--json", *options))
    print(done["plan"]["kind"], done["challenger"], done["decision"])


@contextmanager
def stack(project: Path) -> Iterator[None]:
    incumbent(project, "up")
    try:
        yield
    finally:
        incumbent(project, "down")


def download(project: Path, place: str, folder: Path) -> None:
    variables = environment(project)
    s3 = boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name="us-east-1",
    )
    bucket, _, prefix = place.partition("/")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/"):
        for item in page.get("Contents", []):
            path = folder / item["Key"].removeprefix(f"{prefix}/")
            if path.suffix == ".html":
                continue  # a page is for people, is large, and nothing reads it back
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, item["Key"], str(path))


def commit_all(project: Path, message: str) -> None:
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", message)


def incumbent(project: Path, *args: str | Path) -> str:
    command = [sys.executable, "-m", "incumbent", *map(str, args), "--project", str(project)]
    return subprocess.run(command, cwd=project.parent, check=True, stdout=subprocess.PIPE, text=True).stdout


def git(folder: Path, *args: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *args], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    for part, value in NAME.items():
        os.environ[f"GIT_AUTHOR_{part}"] = os.environ[f"GIT_COMMITTER_{part}"] = value
    with TemporaryDirectory() as scratch:
        make(Path(sys.argv[1]).resolve(), Path(scratch))
